package socketio

import (
	"context"
	"errors"
	"time"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/goargs"
	"github.com/seed-d124fa34/socketio/parser"
)

// The life of a socket: client.connect makes it for a CONNECT packet. runConnect calls
// its connect handler; then admit lets it in, or reject refuses it. leave ends it, once,
// whatever the cause. runDisconnect calls the disconnect handler, and finish removes the
// socket. All but client.connect and leave run in the socket's mailbox.

// errGoexit stands for the result of a handler that ended its goroutine.
var errGoexit = errors.New("socketio: the handler called runtime.Goexit")

// runConnect calls the connect handler, also for a client that has left since: what
// has arrived is handled.
func (s *Socket) runConnect(c *Context) {
	if c.id != 0 {
		s.runReturn(c)
		return
	}
	decided := false
	defer func() {
		if !decided { // Context.aborted logs it
			s.sendAway(&Error{Message: rejected})
		}
		c.from().handled(c)
	}()
	always := s.srv().opts.AlwaysConnect
	if s.dropped() || always && !s.admit() {
		decided = true
		s.reject(c, new(Error))
		return
	}
	_, err := c.invoke()
	if err == nil && !always && !s.admit() {
		err = new(Error)
	}
	decided = true
	if err != nil {
		s.reject(c, err)
	}
}

// dropped reports whether the server ended the socket. Events that wait are not handled
// then.
func (s *Socket) dropped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop
}

// admit lets the socket into the namespace and its rooms, and sends the client the
// CONNECT packet. What is emitted to it follows that packet. A client that has left gets
// no packet but is accepted: its disconnect handler will run. admit returns false if
// Disconnect was called before the packet was sent; the client is then refused.
func (s *Socket) admit() (accepted bool) {
	if s.recovery != nil {
		return s.admitFirst()
	}
	first, ok := s.connectPacket(s.client().revision().Connected(s.sid))
	if !ok {
		return false
	}
	var rooms []string // joined already, for hooks
	defer func() {
		if hs := s.srv().hooks.Load(); accepted && hs != nil {
			hs.connected(s, rooms)
		}
	}()
	for batch := []packet{first}; ; {
		s.mu.Lock()
		switch {
		case s.reason != "" && !s.announced && s.disconnected():
			s.mu.Unlock()
			return false
		case s.reason != "":
			s.accepted = true
			s.state.Store(stateLeaving)
			disconnect := s.announced && s.disconnected()
			s.mu.Unlock()
			if disconnect {
				s.sendDisconnect()
			}
			return true
		case !s.announced: // enter the index first: after CONNECT, the client may ask others to emit to it
			s.announced, s.accepted = true, true
			s.state.Store(stateAdmitting)
			s.entered.CompareAndSwap(0, time.Now().UnixNano())
			s.srv().index.Enter(&s.membership)
			if s.srv().hooks.Load() != nil {
				rooms = s.membership.Rooms()
			}
			s.mu.Unlock()
			s.client().stopTimer()
		default:
			batch = s.takeHeld()
			if len(batch) == 0 { // from now on packets go directly
				s.state.Store(stateJoined)
			}
			s.mu.Unlock()
		}
		if len(batch) == 0 {
			if s.srv().debugs() {
				s.srv().log.Debug("socketio: connected", "namespace", s.name, "sid", short(s.sid), "connection", short(s.client().conn.ID()))
			}
			return true
		}
		for _, p := range batch {
			// The socket has been accepted. An error means that the connection is
			// closed: then leave ends the socket.
			_ = s.client().conn.SendAnyway(p.Frames())
		}
	}
}

// connectPacket returns the CONNECT packet for the client. If the parser cannot encode
// it, connectPacket logs that, and ok is false.
func (s *Socket) connectPacket(payload []any) (p packet, ok bool) {
	p, err := s.srv().packets.Encode(parser.Header{Type: parser.Connect, Namespace: s.name}, payload, true)
	if err != nil {
		s.srv().log.Error("socketio: the parser cannot encode a CONNECT packet", "error", err)
	}
	return p, err == nil
}

// disconnected reports whether Disconnect ended the socket. The caller holds s.mu.
func (s *Socket) disconnected() bool { return s.reason == ReasonServerDisconnect && s.cause == nil }

// reject refuses a client because of the connect handler's error. The error handler
// chooses what the client gets.
func (s *Socket) reject(c *Context, err error) {
	e := &Error{Message: rejected}
	defer func() { s.sendAway(e) }() // also if the error handler calls runtime.Goexit
	e = c.refusal(err)
}

// sendAway ends a socket that was not accepted. It has no disconnect event.
func (s *Socket) sendAway(e *Error) {
	s.mu.Lock()
	left := s.reason != "" && !s.disconnected()
	announced, joined := s.announced, s.state.Load() == stateJoined
	s.mu.Unlock()
	s.finish() // before the refusal: the client may connect again at once
	switch {
	case left:
	case !announced:
		s.client().refuse(s.name, e)
	case joined: // Options.AlwaysConnect
		s.sendDisconnect()
	}
}

// sendDisconnect sends a DISCONNECT packet.
func (s *Socket) sendDisconnect() {
	if p := s.disconnectPacket(); p != nil {
		_ = s.client().sendRequired(*p) // a closed connection needs none
	}
}

func (s *Socket) disconnectPacket() *packet {
	p, err := s.srv().packets.Encode(parser.Header{Type: parser.Disconnect, Namespace: s.name}, nil, true)
	if err != nil {
		s.srv().log.Error("socketio: the parser cannot encode a DISCONNECT packet", "error", err)
		return nil
	}
	return &p
}

// leave makes the socket leave. Only the first call has an effect. With drop, events
// that wait are not handled. It may be called from any goroutine.
func (s *Socket) leave(reason Reason, cause error, drop bool) {
	var goodbye *packet
	if reason == ReasonServerDisconnect {
		goodbye = s.disconnectPacket()
	}
	s.mu.Lock()
	if s.reason != "" {
		s.mu.Unlock()
		return
	}
	if s.state.Load() == stateAway {
		s.endUnlock(expiryOf(reason), reason, cause)
		return
	}
	s.reason, s.cause, s.drop = reason, cause, drop
	if s.state.Load() == stateJoined {
		s.close(stateLeaving, goodbye)
	}
	s.srv().index.Withdraw(&s.membership)
	s.mu.Unlock()
	s.detach()
	if s.srv().debugs() {
		s.srv().log.Debug("socketio: disconnected", "namespace", s.name, "sid", short(s.sid), "reason", reason, "error", cause)
	}
	if drop {
		s.srv().dropEvents(s.box(), func(t *task) bool { return t.Socket == s }) // now, because the handler in front of them may take long
	}
	s.depart()
}

// depart removes a socket that leaves from its seat, and queues its disconnect event
// behind the events that wait. Both happen under client.mu, so that the events of the
// next socket in the seat come after.
func (s *Socket) depart() {
	st := s.at.Load()
	cl := st.client
	s.mu.Lock()
	c := &Context{Socket: s, kind: kindDisconnect, event: "disconnect", args: goargs.Args{s.reason}, size: eventOverhead, details: &cl.details}
	stays := s.recovery != nil && (s.reason == "" || s.recovery.why != "") // away, or on another connection, or about to be forgotten
	s.mu.Unlock()
	if stays {
		return
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if s.departed {
		return
	}
	s.departed = true
	if st.sock == s {
		st.sock = nil
	}
	cl.backlog.Add(eventOverhead)
	cl.srv.queue(s.box(), c)
}

// close ends the sending to the socket. When it returns, every packet whose delivery
// succeeded is queued, and goodbye, unless it is nil, is queued behind them. The caller
// holds s.mu.
func (s *Socket) close(state int32, goodbye *packet) {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.state.Store(state)
	if r := s.recovery; r != nil {
		s.recovery.recorder.Stop()
		r.session.End()
		r.session.Log.Close()
	}
	if goodbye != nil {
		_ = s.client().sendRequired(*goodbye) // a closed connection needs none
	}
}

// detach ends what depends on the client: the socket's context, the acknowledgements
// that the client owes, and the packets held for it.
func (s *Socket) detach() {
	s.mu.Lock()
	err := &DisconnectError{s.reason, s.cause}
	acks, cancel := s.acks, s.cancel
	if s.movedAway() {
		acks = nil // they come from another server
	} else {
		s.acks = nil
	}
	s.takeHeld()
	s.mu.Unlock()
	if cancel != nil {
		cancel(err)
	}
	for _, target := range acks {
		s.ackFailed(target, err)
	}
}

// runDisconnect calls the disconnect handler.
func (s *Socket) runDisconnect(c *Context) {
	defer c.from().handled(c)
	defer s.finish() // also if the handler calls runtime.Goexit
	s.events.Wait()  // with Options.AsyncHandlers
	if s.state.Load() == stateGone {
		return // the client was refused
	}
	if _, err := c.invoke(); err != nil {
		c.fail(err)
	}
}

// finish removes the socket from the namespace and its rooms.
func (s *Socket) finish() {
	s.mu.Lock()
	if s.state.Load() == stateGone {
		s.mu.Unlock()
		return
	}
	s.close(stateGone, nil)
	if s.reason == "" {
		s.reason = ReasonServerDisconnect
	}
	hs := s.srv().hooks.Load()
	var rooms []string
	if hs != nil && s.announced {
		rooms = s.membership.Rooms()
	}
	accepted, reason, cause, why := s.accepted, s.reason, s.cause, s.expiryLocked()
	s.srv().index.Remove(&s.membership)
	s.mu.Unlock()
	defer s.srv().workers.End() // also if a hook calls runtime.Goexit
	s.detach()
	s.client().vacate(s) // depart has done so, unless the socket was refused
	switch {
	case !accepted || hs == nil:
	case why != "":
		hs.expired(s, rooms, why)
	default:
		hs.disconnected(s, rooms, reason, cause)
	}
}

// drainEvents is how many further events of a client are handled after Shutdown has
// begun to close it while its handlers are busy.
const drainEvents = 1000

// The values of client.draining that are not one more than the number of events that are
// still accepted.
const (
	drainNothing = 1  // further events are ignored
	drainOver    = -1 // so are those that wait
)

// Drain begins to close the connection. The engine calls it when Shutdown has come to
// this connection.
func (cl *client) Drain() (busy bool) {
	cl.drain()
	return true
}

// drain closes the connection: at once if no handler runs, otherwise after the last
// acknowledgement.
//
// Events that arrive meanwhile are handled as long as there are others in front of
// them: the client still believes to be connected, and should not be ignored. When there
// are none, or half of DrainTimeout is over, further events are ignored. The other half
// is for those that wait: a client that sends all the time gets its acknowledgements.
//
// No end is missed: enqueue, handled and deferEnded read draining after they have
// changed backlog or deferred, and drain reads those after it has changed draining. So at
// least one of them closes the connection.
func (cl *client) drain() {
	if !cl.draining.CompareAndSwap(0, drainEvents) {
		return
	}
	if cl.idle() {
		cl.drained()
		return
	}
	timeout := cl.srv.opts.DrainTimeout
	half := time.AfterFunc(timeout/2, func() { cl.endDraining(drainNothing) })
	late := time.AfterFunc(timeout, func() {
		cl.endDraining(drainOver) // before the connection ends: what begins after that is not acknowledged
		cl.drained()
	})
	context.AfterFunc(cl.conn.Context(), func() {
		half.Stop()
		late.Stop()
	})
}

// endDraining sets draining, unless it is less already.
func (cl *client) endDraining(to int32) {
	for {
		left := cl.draining.Load()
		if left <= to || cl.draining.CompareAndSwap(left, to) {
			return
		}
	}
}

// drained closes the connection, when all acknowledgements are queued or DrainTimeout is
// over.
func (cl *client) drained() { cl.conn.Close(ReasonServerShutdown, engineio.ErrServerClosed) }
