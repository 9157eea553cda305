package socketio

import (
	"slices"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/internal/goargs"
)

// The life of a socket whose client can come back. admitFirst lets it in. When the connection
// is lost, lose makes it wait for its client, instead of leave. A CONNECT packet with its pid
// (comeBack) calls the connect handler once more (runReturn), and readmit attaches the socket
// to the new connection. end ends a socket whose client is away. Its mailbox gets, for each
// connection, connect, events and disconnect, and in the end expired.

// lose notes that the connection with a seat is lost: the client may come back by another
// one. It has no effect if the socket is not on that connection now.
func (s *Socket) lose(st *seat, reason Reason, cause error) {
	r, cl := s.recovery, st.client
	lost := &DisconnectError{reason, cause}
	cl.mu.Lock()
	s.mu.Lock()
	back := r.back != nil && r.back.seat == st
	switch {
	case s.reason != "", !back && (s.at.Load() != st || s.state.Load() != stateJoined):
		s.mu.Unlock()
		cl.mu.Unlock()
		return
	case back: // before its connect handler has accepted it
		back := r.back
		r.back, r.lost, st.away = nil, lost, s
		s.waitUnlock(back.claim, cl, st)
		return
	}
	s.sending.Lock()
	s.state.Store(stateAway)
	overflowed := r.overflowed
	s.sending.Unlock()
	r.lost = lost
	s.srv().index.SetAway(&s.membership, true)
	st.away = s
	c := &Context{Socket: s, kind: kindLost, event: "disconnect", args: goargs.Args{reason}, size: eventOverhead,
		details: &contextDetails{client: cl, failure: cause}}
	cl.backlog.Add(eventOverhead)
	s.srv().queue(r.box, c)
	s.waitUnlock(r.claim, cl, st)
	if overflowed {
		s.end(ExpiredSessionLimit, "", errSessionLimit)
	}
	if s.srv().debugs() {
		s.srv().log.Debug("socketio: connection lost: the client may come back to its session", "namespace", s.name, "sid", short(s.sid), "reason", reason, "error", cause)
	}
}

// waitUnlock begins to wait for a client that was on its connection by a claim, and unlocks
// s.mu and cl.mu.
func (s *Socket) waitUnlock(claim uint64, cl *client, st *seat) {
	r, lost := s.recovery, s.recovery.lost
	waits := r.session.Wait(claim) || !r.session.Current(claim) // the client is back already
	cancel := s.cancel
	s.mu.Unlock()
	if st.sock == s {
		st.sock = nil
	}
	cl.mu.Unlock()
	if cancel != nil {
		cancel(lost)
	}
	if !waits {
		s.end(ExpiredShutdown, "", nil)
	}
}

// leaveSeat is leave because of a packet from the connection of a seat or, if lost is set, because of the end
// of that connection.
func (s *Socket) leaveSeat(st *seat, reason Reason, cause error, drop, lost bool) {
	if s.recovery == nil {
		s.leave(reason, cause, drop)
		return
	}
	s.mu.Lock()
	back := s.recovery.back
	ours := back == nil && s.at.Load() == st && s.state.Load() != stateAway || back != nil && back.seat == st
	elsewhere := reason == ReasonServerShutdown && s.srv().mover != nil // it comes back to another server
	comesBack := s.announced && (!drop || elsewhere)                    // the client knows the pid
	s.mu.Unlock()
	switch {
	case lost && comesBack:
		s.lose(st, reason, cause)
		if drop {
			s.srv().dropEvents(s.box(), func(t *task) bool { return t.Socket == s })
		}
	case ours:
		s.leave(reason, cause, drop)
	}
}

// end ends the session of a client that is away. It reports false if the client is not.
// An empty reason means the reason for which the connection was lost.
func (s *Socket) end(why Expiry, reason Reason, cause error) bool {
	s.mu.Lock()
	if s.reason != "" || s.state.Load() != stateAway {
		s.mu.Unlock()
		return false
	}
	if reason == "" {
		reason = s.recovery.lost.Reason
	}
	s.endUnlock(why, reason, cause)
	return true
}

// endUnlock ends a session whose client is away, or was about to be back, and unlocks s.mu.
func (s *Socket) endUnlock(why Expiry, reason Reason, cause error) {
	r := s.recovery
	s.reason, s.cause, r.why = reason, cause, why
	s.drop = reason == ReasonServerDisconnect
	back := r.back
	s.close(stateLeaving, nil)
	s.srv().index.Withdraw(&s.membership)
	s.mu.Unlock()
	s.srv().stats.recovery.countExpired(why)
	s.detach()
	if s.drop {
		s.srv().dropEvents(r.box, func(t *task) bool { return t.Socket == s })
	}
	if s.srv().debugs() {
		s.srv().log.Debug("socketio: a session has ended while its client was away", "namespace", s.name, "sid", short(s.sid), "why", why)
	}
	s.srv().queue(r.box, &Context{Socket: s, kind: kindExpired, event: "disconnect", args: goargs.Args{reason}, details: &contextDetails{}})
	if back == nil {
		return
	}
	back.seat.vacate(s)
	switch why {
	case ExpiredServerDisconnect, ExpiredRefused, ExpiredClientDisconnect:
	default: // it connects again, and gets a new session
		back.seat.client.conn.Close(ReasonTransportError, errExpired)
	}
}

// expiryOf returns why the session of a client that is away ends when leave is called with a reason.
func expiryOf(reason Reason) Expiry {
	switch reason {
	case ReasonServerDisconnect:
		return ExpiredServerDisconnect
	case ReasonServerShutdown:
		return ExpiredShutdown
	}
	return ExpiredClientDisconnect
}

// expiryLocked returns why the session has ended, if that was while its client was away. The caller holds s.mu.
func (s *Socket) expiryLocked() Expiry {
	if s.recovery == nil {
		return ""
	}
	return s.recovery.why
}

// lostOrLeft returns how the last connection ended, after its client came back in vain.
func (s *Socket) lostOrLeft() *DisconnectError {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != "" { // it left, or its session ended
		return &DisconnectError{s.reason, s.cause}
	}
	return s.recovery.lost
}

// box returns the mailbox of the socket.
func (s *Socket) box() *box {
	if r := s.recovery; r != nil {
		return r.box
	}
	return s.at.Load().box
}

// hearsFrom reports whether packets of a connection are for the socket: its connect handler has
// accepted that connection.
func (s *Socket) hearsFrom(cl *client) bool {
	return s.recovery == nil || s.recovery.admitted.Load() == cl
}

// awaySockets returns the sockets that have lost the connection, and whose clients have
// not come back.
func (cl *client) awaySockets() (all []*Socket) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	for _, st := range cl.seats {
		if s := st.away; s != nil && s.at.Load() == st {
			all = append(all, s)
		}
	}
	return all
}

// Confirmed forgets the events that the client has received, as a pong has shown. The engine calls
// it.
func (cl *client) Confirmed(n uint64) {
	if !cl.recoverable {
		return
	}
	cl.mu.Lock()
	seats := slices.Clone(cl.seats)
	cl.mu.Unlock()
	ask := false
	for _, st := range seats {
		s := cl.occupant(st)
		if s == nil || s.recovery == nil {
			continue
		}
		s.sending.Lock()
		if s.state.Load() == stateJoined && s.at.Load() == st { // each connection counts anew
			ask = s.recovery.session.Log.Confirm(n) || ask
		}
		s.sending.Unlock()
	}
	if ask {
		cl.conn.Ping()
	}
}

// runExpired calls OnExpired and the hooks after a session has ended while its client was away.
func (s *Socket) runExpired() {
	defer s.finish() // whatever the handler does
	s.events.Wait()
	if s.movedAway() {
		s.handOver()
		return
	}
	srv := s.srv()
	handler := srv.registry.Load().expiredHandler(s.name)
	if handler == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			_ = srv.recovered("OnExpired handler", v, "namespace", printable(s.name), "sid", short(s.sid))
		}
	}()
	handler(s, s.recovery.why)
}

// runLost calls the disconnect handler of a socket that has lost a connection.
func (s *Socket) runLost(c *Context) {
	defer c.from().handled(c)
	s.disconnectEvent(c)
}

// disconnectEvent calls the disconnect handler, and hooks.
func (s *Socket) disconnectEvent(c *Context) {
	s.events.Wait() // with Options.AsyncHandlers
	if s.state.Load() == stateGone {
		return // the client was refused
	}
	s.recovery.admitted.CompareAndSwap(c.from(), nil)
	s.recovery.losing.Store(true)
	defer func() {
		defer s.recovery.losing.Store(false)
		if hs := s.srv().hooks.Load(); hs != nil {
			var reason Reason
			_ = c.args.Bind(0, &reason)
			hs.disconnected(s, nil, reason, c.details.failure)
		}
	}()
	if _, err := c.invoke(); err != nil {
		c.fail(err)
	}
}

// admitFirst is admit for a client that can come back, when its session begins.
func (s *Socket) admitFirst() (accepted bool) {
	srv, r, cl := s.srv(), s.recovery, s.client()
	srv.recovery.Add(&r.session, s)
	first, ok := s.connectPacket([]any{recoverableReply{s.sid, srv.pidText(r.session.PID())}})
	if !ok {
		r.session.End()
		return false
	}
	srv.sequence.Lock()
	s.mu.Lock()
	if s.reason != "" {
		srv.sequence.Unlock()
		r.session.End()
		if s.disconnected() {
			s.mu.Unlock()
			return false
		}
		s.accepted = true
		s.state.Store(stateLeaving)
		s.mu.Unlock()
		s.hookConnected(nil)
		return true
	}
	s.announced, s.accepted = true, true
	s.state.Store(stateAdmitting)
	s.entered.CompareAndSwap(0, time.Now().UnixNano())
	srv.index.Enter(&s.membership)
	var rooms []string
	if srv.hooks.Load() != nil {
		rooms = s.membership.Rooms()
	}
	ask := false
	s.sending.Lock()
	if !r.startsAt.IsZero() {
		r.session.Log.StartsAt(r.startsAt)
	}
	_ = cl.conn.SendAnyway(first.Frames()) // if the connection is closed, Closed is about to be called
	for _, p := range s.takeHeld() {
		if p.Kept == nil {
			_ = cl.conn.SendAnyway(p.Frames())
		} else if n, err := cl.conn.SendNumberedAnyway(p.Kept.Payload.Frames); err == nil {
			ask = r.session.Log.Sent(p.Kept, n) || ask
		} else if !r.session.Log.Keep(p.Kept) {
			r.overflowed = true
		}
	}
	s.state.Store(stateJoined)
	s.sending.Unlock()
	r.admitted.Store(cl)
	s.surviveLocked("")
	s.mu.Unlock()
	srv.sequence.Unlock()
	if ask {
		cl.conn.Ping()
	}
	cl.stopTimer()
	s.hookConnected(rooms)
	return true
}

// hookConnected calls the hook for a client that was accepted, and logs it.
func (s *Socket) hookConnected(rooms []string) {
	if s.srv().debugs() {
		s.srv().log.Debug("socketio: connected", "namespace", s.name, "sid", short(s.sid), "connection", short(s.client().conn.ID()), "recovered", s.Recovered())
	}
	if hs := s.srv().hooks.Load(); hs != nil {
		hs.connected(s, rooms)
	}
}

// recoverableReply is the payload of the CONNECT packet for a client that can come back.
type recoverableReply struct {
	SID string `json:"sid"`
	PID string `json:"pid"`
}

// vacate empties a seat if a socket is in it.
func (st *seat) vacate(s *Socket) {
	st.client.mu.Lock()
	defer st.client.mu.Unlock()
	if st.sock == s {
		st.sock = nil
	}
}

// seatOf is seat for a caller that does not hold cl.mu.
func (cl *client) seatOf(ns string) *seat {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.seat(ns)
}

// entering returns a lock that is held while a client whose session has come from another server is seated,
// and while gone is set, so that the client is seated before the end of the connection or not at all.
// Clients share these locks, so that none needs memory for its own.
func (cl *client) entering() *sync.Mutex {
	return &cl.srv.entering[int(cl.slot)%len(cl.srv.entering)]
}

// end notes that the connection has ended: no socket gets a seat on it any more.
func (cl *client) end() {
	if !cl.recoverable || cl.srv.mover == nil {
		return
	}
	entering := cl.entering()
	entering.Lock()
	defer entering.Unlock()
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.gone = true
}
