package socketio

import (
	"strings"

	"github.com/seed-d124fa34/socketio/internal/goargs"
	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/parser"
)

// How a client comes back: see away.go.

// comeback is a CONNECT by which a client comes back.
type comeback struct {
	seat   *seat
	claim  uint64 // see recovery.Store
	offset recovery.Offset
	pid    string // as the client sent it, which compares it with the answer
}

// arrival is a CONNECT packet that is to be decided.
type arrival struct {
	c   *Context // the connect event; its socket is not known yet
	pid string   // empty: the client was in no session before
	id  recovery.PID
	// home is the server on which the session began, by its name on the broker; it may be on
	// another one now. fetched: the others have been asked.
	home    string
	fetched bool
	// offset is the last one that the client has received; zero: it has received none.
	offset recovery.Offset
	// unknownOffset: it says another one than this server gives.
	unknownOffset bool
}

// arrival takes what a client says about its session out of the payload of its CONNECT
// packet, to which the client added it. A pid that cannot be the server's is the application's.
func (cl *client) arrival(p parser.Packet, c *Context) arrival {
	in := arrival{c: c}
	if !cl.recoverable || p.Args.Len() == 0 {
		return in
	}
	var said struct {
		PID    string `json:"pid"`
		Offset any    `json:"offset"`
	}
	if p.Args.Bind(0, &said) != nil || said.PID == "" {
		return in
	}
	secret, home, _ := strings.Cut(said.PID, ".")
	id, ok := recovery.ParsePID(secret)
	if !ok {
		return in
	}
	in.pid, in.id, in.home = said.PID, id, home
	if said.Offset != nil && said.Offset != "" {
		text, _ := said.Offset.(string)
		in.offset, ok = recovery.ParseOffset(text)
		in.unknownOffset = !ok
	}
	c.args = cl.srv.withoutPID(p)
	return in
}

// withoutPID returns the payload of a CONNECT packet as the application of the client gave it.
func (srv *Server) withoutPID(p parser.Packet) parser.Args {
	auth := authWithoutPID[Raw]
	if srv.opts.ownParser { // what is not JSON must be decoded
		auth = authWithoutPID[any]
	}
	args := auth(p)
	if len(args) == 0 {
		return goargs.Args(nil)
	}
	text, attachments, err := srv.opts.Parser.Encode(nil, parser.Header{Type: parser.Connect, Namespace: p.Namespace}, args)
	if err == nil {
		var again parser.Packet
		if again, err = parser.DecodeAll(srv.opts.Parser, srv.opts.Limits.Packet, text, attachments); err == nil {
			return again.Args
		}
	}
	srv.log.Error("socketio: the parser cannot encode again what it has decoded from a CONNECT packet", "namespace", p.Namespace, "error", err)
	return p.Args
}

// authWithoutPID returns the object in a CONNECT packet without what the client added to it, as
// the only argument; none if nothing is left.
func authWithoutPID[V any](p parser.Packet) []any {
	auth := map[string]V{}
	_ = p.Args.Bind(0, &auth)
	delete(auth, "pid")
	delete(auth, "offset")
	if len(auth) == 0 {
		return nil
	}
	return []any{auth}
}

// enter seats a client that has sent a CONNECT packet: in its session if it comes back,
// or else in a new one. The event has been counted.
func (cl *client) enter(st *seat, in arrival) {
	if in.pid == "" || !cl.comeBack(st, in) {
		cl.enterNew(st, in)
	}
}

// comeBack has a client come back to its session. If it reports false, the client gets a
// new one.
func (cl *client) comeBack(st *seat, in arrival) bool {
	if cl.fetch(st, in, true) {
		return true
	}
	s, claim, ok := cl.srv.recovery.Claim(in.id)
	if !ok && cl.fetch(st, in, false) {
		return true
	}
	if !ok {
		cl.srv.stats.recovery.unknown.Add(1)
		return false
	}
	back := &comeback{st, claim, in.offset, in.pid}
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

// takeOver ends the connection of the socket, which its client has lost without the server
// noticing, for another one. It reports false if it is that one: nobody knows then what
// the client has received of it.
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
	return !in.unknownOffset && !r.overflowed && (r.session.Log.Resume(in.offset) || r.resumeUnpublished(in.offset))
}

// awaitHandler has the connect handler called for a client that comes back. A CONNECT before
// this one that has not been decided is forgotten; if there is a newer one, this one is. It
// reports false if the session has ended. overtaken is set, and nothing else has happened, if the
// connect handler of a CONNECT before this one has accepted the client meanwhile.
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

// comesBackAs reports whether a CONNECT packet is about the session that is about to come back
// to a seat already.
func (s *Socket) comesBackAs(in arrival, st *seat) bool {
	if s.recovery == nil || in.pid == "" || s.recovery.session.Key() != in.id.Key() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason == "" && s.recovery.back != nil && s.recovery.back.seat == st
}

// outcome is what becomes of a client that comes back.
type outcome int

const (
	outcomeBack    outcome = iota
	outcomeMissed          // its connection is lost again, or the session has ended
	outcomeRefused         // Disconnect was called
)

// runReturn calls the connect handler for a client that comes back.
func (s *Socket) runReturn(c *Context) {
	back := s.comebackOf(c.id)
	if back == nil { // there is a newer one, or the connection is lost again
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

// comebackOf returns the comeback with a claim, nil if the socket does not await it any more.
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
	_ = cl.conn.SendAnyway(first.Frames()) // if the connection is closed, the socket is about to hear of it
	ask := r.session.Log.Replay(func(p *packets.KeptPacket) (n uint64, keep bool) {
		if p.Payload.Ask != 0 && s.acks[p.Payload.Ask] == nil {
			return 0, false // it is answered, or nobody waits any more
		}
		n, _ = cl.conn.SendNumberedAnyway(p.Payload.Frames)
		return n, true
	})
	s.state.Store(stateJoined)
	s.sending.Unlock()
	r.back, r.claim = nil, back.claim
	r.admitted.Store(cl)
	srv.index.SetAway(&s.membership, false)
	var rooms []string // that hooks have not heard of
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
	default: // there is a newer connection, or nobody to be told
		s.mu.Unlock()
		return
	}
	back.seat.vacate(s) // before the client is told, which may connect again at once
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
		s.recovery.startsAt = in.offset
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
