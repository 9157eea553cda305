package socketio

import (
	"github.com/seed-d124fa34/socketio/internal/goargs"
	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/parser"
)

// How a client comes back: see away.go.

// arrival is a CONNECT packet that waits for a decision.
type arrival struct {
	packets.Credentials
	c       *Context // the connect event; its socket is not known yet
	fetched bool     // the session has been fetched from another server, or no server has it
}

// arrival takes what the client says about its session out of the payload of its CONNECT packet.
func (cl *client) arrival(p parser.Packet, c *Context) arrival {
	in := arrival{c: c}
	if !cl.recoverable {
		return in
	}
	if in.Credentials = packets.CredentialsIn(p); in.PID == "" {
		return in
	}
	var err error
	if c.args, err = cl.srv.packets.WithoutCredentials(p, cl.srv.opts.Limits.Packet); err != nil {
		cl.srv.log.Error("socketio: Options.Parser cannot encode again what it has decoded", "namespace", p.Namespace, "error", err)
	}
	return in
}

// comeback is a CONNECT by which a client comes back.
type comeback struct {
	seat   *seat
	claim  uint64 // see recovery.Store
	offset recovery.Offset
	pid    string // as the client sent it: it compares the pid in the answer with that
}

// enter seats a client that has sent a CONNECT packet: in its session if it comes back,
// otherwise in a new one. The event has been counted.
func (cl *client) enter(st *seat, in arrival) {
	if in.PID == "" || !cl.comeBack(st, in) {
		cl.enterNew(st, in)
	}
}

// comeBack seats a client in the session to which it comes back. If it reports false, the
// client gets a new session.
func (cl *client) comeBack(st *seat, in arrival) bool {
	if cl.fetch(st, in, true) {
		return true
	}
	s, claim, ok := cl.srv.recovery.Claim(in.ID)
	if !ok && cl.fetch(st, in, false) {
		return true
	}
	if !ok {
		cl.srv.stats.recovery.unknown.Add(1)
		return false
	}
	back := &comeback{st, claim, in.Offset, in.PID}
	for {
		if s.name != st.ns || !s.takeOver(cl) {
			s.leave(ReasonClientDisconnect, nil, false)
			cl.srv.stats.recovery.unknown.Add(1)
			return false
		}
		if !s.canResume(in) {
			s.end(ExpiredOffset, "", errOffset)
			cl.srv.stats.recovery.badOffset.Add(1)
			return false
		}
		if seated, overtaken := s.awaitHandler(cl, back, in.c); !overtaken {
			return seated
		}
	}
}

// fetch fetches the session that a client names from another server, and then seats the client. It reports
// false if no other server can have the session. With underWay it only waits for a fetch of the session that
// is under way, and reports false if there is none.
func (cl *client) fetch(st *seat, in arrival, underWay bool) bool {
	srv := cl.srv
	if srv.mover == nil || in.fetched {
		return false
	}
	in.fetched = true
	cl.mu.Lock()
	st.fetching = in.c
	cl.mu.Unlock()
	done := func() { cl.fetched(st, in) }
	if underWay && srv.mover.Await(in.ID.Key(), done) || !underWay && srv.mover.Fetch(in.ID.Key(), in.Home, done) {
		return true
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	st.fetching = nil
	return false
}

// fetched seats a client after fetch, whether the session has come or not.
func (cl *client) fetched(st *seat, in arrival) {
	entering := cl.entering()
	entering.Lock()
	defer entering.Unlock()
	cl.mu.Lock()
	current := st.fetching == in.c && !cl.gone
	if st.fetching == in.c {
		st.fetching = nil
	}
	cl.mu.Unlock()
	if !current { // it has connected once more, or its connection has ended
		cl.handled(in.c)
		return
	}
	cl.enter(st, in)
}

// takeOver ends the connection of the socket because its client uses another one: it has lost
// this one, and the server has not noticed. It reports false if both are the same connection:
// the server does not know then what the client has received.
func (s *Socket) takeOver(cl *client) bool {
	for s.state.Load() == stateJoined {
		st := s.at.Load()
		if st.client == cl {
			return false
		}
		s.lose(st, ReasonTransportClose, errTakenOver)
		st.client.conn.Close(ReasonTransportClose, errTakenOver)
	}
	return true
}

// canResume reports whether everything that the client has missed is kept.
func (s *Socket) canResume(in arrival) bool {
	s.sending.Lock()
	defer s.sending.Unlock()
	r := s.recovery
	return !in.UnknownOffset && !r.overflowed && (r.session.Log.Resume(in.Offset) || r.resumeUnpublished(in.Offset))
}

// awaitHandler queues the call of the connect handler for a client that comes back. Of several
// CONNECTs that have not been decided, only the newest counts. seated is false if the session has
// ended. overtaken is set, and nothing else has happened, if the connect handler has accepted the
// client for an earlier CONNECT meanwhile.
func (s *Socket) awaitHandler(cl *client, back *comeback, c *Context) (seated, overtaken bool) {
	r := s.recovery
	cl.mu.Lock()
	s.mu.Lock()
	before := r.back
	switch {
	case s.reason != "":
		s.mu.Unlock()
		cl.mu.Unlock()
		cl.srv.stats.recovery.unknown.Add(1)
		return false, false
	case s.state.Load() == stateJoined && r.claim < back.claim:
		s.mu.Unlock()
		cl.mu.Unlock()
		return false, true
	case s.state.Load() != stateAway || before != nil && before.claim > back.claim:
		s.mu.Unlock()
		cl.mu.Unlock()
		cl.handled(c)
		cl.conn.Close(ReasonTransportClose, errTakenOver)
		return true, false
	}
	c.Socket, c.id = s, back.claim
	r.back = back
	cancel := s.cancel
	st := back.seat
	st.sock, st.box = s, r.box
	if cl.occupied() == 1 {
		cl.session = r.values // for the sockets that follow
	}
	s.srv().queue(r.box, c)
	s.mu.Unlock()
	cl.mu.Unlock()
	if before != nil && before.seat.client != cl {
		before.seat.vacate(s)
		before.seat.client.conn.Close(ReasonTransportClose, errTakenOver)
	}
	if cancel != nil { // of the handler of the one before
		cancel(&DisconnectError{ReasonTransportClose, errTakenOver})
	}
	return true, false
}

// comesBackAs reports whether a CONNECT packet names the session that is already about to come back
// to a seat.
func (s *Socket) comesBackAs(in arrival, st *seat) bool {
	if s.recovery == nil || in.PID == "" || s.recovery.session.Key() != in.ID.Key() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason == "" && s.recovery.back != nil && s.recovery.back.seat == st
}

// outcome is the result of runReturn.
type outcome int

const (
	outcomeBack    outcome = iota
	outcomeMissed          // its connection is lost again, or the session has ended
	outcomeRefused         // Disconnect was called
)

// runReturn calls the connect handler for a client that comes back.
func (s *Socket) runReturn(c *Context) {
	back := s.comebackOf(c.id)
	if back == nil { // there is a newer CONNECT, or the connection is lost again
		c.from().handled(c)
		return
	}
	decided := false
	defer func() {
		if !decided { // Context.aborted logs it
			s.refuseReturn(back, &Error{Message: rejected})
		}
		c.from().handled(c)
	}()
	if !s.beginReturn(back) {
		decided = true
		s.refuseReturn(back, &Error{Message: rejected}) // if Disconnect was called
		return
	}
	always := s.srv().opts.AlwaysConnect
	out := outcomeMissed
	if always {
		out = s.readmit(back)
	}
	var err error
	if !always || out == outcomeBack {
		_, err = c.invoke()
	}
	if err == nil && !always {
		out = s.readmit(back)
	}
	decided = true
	switch {
	case err != nil:
		e := &Error{Message: rejected}
		defer func() { s.refuseReturn(back, e) }() // whatever the error handler does
		e = c.refusal(err)
	case out == outcomeRefused:
		s.refuseReturn(back, &Error{Message: rejected})
	case out == outcomeMissed && !always:
		// It was accepted nevertheless: its disconnect handler runs.
		s.hookConnected(nil)
		lost := s.lostOrLeft()
		s.disconnectEvent(&Context{Socket: s, kind: kindLost, event: "disconnect", args: goargs.Args{lost.Reason},
			details: &contextDetails{client: c.from(), failure: lost.Err}})
	}
}

// comebackOf returns the comeback with a claim, nil if the socket does not wait for it any more.
func (s *Socket) comebackOf(claim uint64) *comeback {
	s.mu.Lock()
	defer s.mu.Unlock()
	if back := s.recovery.back; back != nil && back.claim == claim {
		return back
	}
	return nil
}

// beginReturn attaches the socket to the connection by which its client comes back, before the
// connect handler. It reports false if the session has ended, or a newer connection has taken over.
func (s *Socket) beginReturn(back *comeback) bool {
	s.events.Wait() // with Options.AsyncHandlers
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.recovery
	if s.reason != "" || r.back != back {
		return false
	}
	s.at.Store(back.seat)
	s.ctx, s.cancel = nil, nil
	r.recovered.Store(true)
	return true
}

// readmit sends a client that has come back the CONNECT packet and all that it has missed.
// What is emitted to it follows.
func (s *Socket) readmit(back *comeback) outcome {
	srv, r, cl := s.srv(), s.recovery, back.seat.client
	first, ok := s.connectPacket([]any{recoverableReply{s.sid, back.pid}})
	if !ok {
		return outcomeRefused
	}
	s.mu.Lock()
	switch {
	case s.reason != "" && s.disconnected():
		s.mu.Unlock()
		return outcomeRefused
	case s.reason != "" || r.back != back:
		s.mu.Unlock()
		return outcomeMissed
	}
	s.sending.Lock()
	if r.overflowed || !r.session.Log.Resume(back.offset) {
		s.sending.Unlock()
		s.endUnlock(ExpiredOffset, r.lost.Reason, errOffset)
		return outcomeMissed
	}
	_ = cl.conn.SendAnyway(first.Frames()) // if the connection is closed, Closed is about to be called
	ask := r.session.Log.Replay(func(p *packets.KeptPacket) (n uint64, keep bool) {
		if p.Payload.Ask != 0 && s.acks[p.Payload.Ask] == nil {
			return 0, false // it has been answered, or the wait has ended
		}
		n, _ = cl.conn.SendNumberedAnyway(p.Payload.Frames)
		return n, true
	})
	s.state.Store(stateJoined)
	s.sending.Unlock()
	r.back, r.claim = nil, back.claim
	r.admitted.Store(cl)
	srv.index.SetAway(&s.membership, false)
	var rooms []string // for which Joined has not been called
	if r.came {
		r.came, rooms = false, s.membership.Rooms()
	}
	s.mu.Unlock()
	if ask {
		cl.conn.Ping()
	}
	srv.stats.recovery.recovered.Add(1)
	cl.stopTimer()
	s.hookConnected(rooms)
	return outcomeBack
}

// refuseReturn ends the session of a client that came back and was refused.
func (s *Socket) refuseReturn(back *comeback, e *Error) {
	s.mu.Lock()
	joined := s.state.Load() == stateJoined && s.at.Load() == back.seat // Options.AlwaysConnect
	ours := s.recovery.back == back
	switch {
	case s.reason == "" && (joined || ours):
		s.endUnlock(ExpiredRefused, ReasonServerDisconnect, nil)
	case ours && s.disconnected():
		s.mu.Unlock()
	default: // there is a newer connection, or the connection has ended
		s.mu.Unlock()
		return
	}
	back.seat.vacate(s) // before the client gets the refusal, because it may connect again at once
	if joined {
		s.sendDisconnect()
	} else {
		back.seat.client.refuse(s.name, e)
	}
}

// enterNew makes a socket for a client that is in no session, or in none any more, and queues
// the connect event, which has been counted.
func (cl *client) enterNew(st *seat, in arrival) {
	s := newSocket(st)
	if s.recovery != nil {
		s.recovery.startsAt = in.Offset
	}
	in.c.Socket = s
	// Once the socket is in its seat, another goroutine may make it leave. So the socket
	// must be complete before, and its connect event must be the first in the mailbox.
	cl.srv.workers.Begin() // until Socket.finish
	cl.srv.index.Add(&s.membership)
	cl.mu.Lock()
	defer cl.mu.Unlock()
	st.sock = s
	cl.srv.queue(st.box, in.c)
}

// pidText returns a private id in the form in which its client gets it. With a broker it includes the id of
// this server, so that other servers know which one to ask.
func (srv *Server) pidText(id recovery.PID) string {
	if srv.mover == nil {
		return id.Secret()
	}
	return id.Secret() + "." + srv.host
}
