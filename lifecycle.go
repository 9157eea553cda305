package socketio

import (
	"context"
	"errors"
	"time"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/parser"
)

// The life of a socket: CONNECT seats it (client.connect); its connect handler
// decides (runConnect); admit lets it in, or reject sends it away; leave ends
// it, once, whatever the cause; runDisconnect tells the app, and finish removes
// what is left of it. All but leave run in the socket's mailbox.

// connectReply is the payload of the server's CONNECT packet.
type connectReply struct {
	SID string `json:"sid"`
}

// errGoexit stands for the result of a handler that ended its goroutine.
var errGoexit = errors.New("socketio: the handler called runtime.Goexit")

// runConnect lets the connect handler decide, also about a client that has left
// since: what arrived is handled.
func (s *Socket) runConnect(c *Context) {
	decided := false
	defer func() {
		if !decided { // Context.aborted tells of it
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

// dropped reports whether the server ended the socket, so that what waits for a
// handler is not to be handled.
func (s *Socket) dropped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop
}

// admit lets the socket into the namespace and its rooms and tells the client
// that it is connected; what is emitted to it from now on follows that. A client
// that has left is not told, but accepted all the same: its disconnect handler
// will run. admit reports false if Disconnect was called before the client was
// told, which refuses it.
func (s *Socket) admit() (accepted bool) {
	first, err := s.srv().encode(parser.Header{Type: parser.Connect, Namespace: s.name}, []any{connectReply{s.sid}}, true)
	if err != nil {
		s.srv().log.Error("socketio: the parser cannot encode a CONNECT packet", "error", err)
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
		case !s.announced: // in the index first: once told, the client may ask others to emit to it
			s.announced, s.accepted = true, true
			s.state.Store(stateAdmitting)
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
			// It has been accepted. A failure means that the connection is closed:
			// leave will say so.
			_ = s.client().conn.SendAnyway(p.frames)
		}
	}
}

// disconnected reports, with s.mu held, whether it was Disconnect that ended the socket.
func (s *Socket) disconnected() bool { return s.reason == ReasonServerDisconnect && s.cause == nil }

// reject has the error handler choose what a client reads that the connect
// handler did not accept, and sends it away.
func (s *Socket) reject(c *Context, err error) {
	e := &Error{Message: rejected}
	defer func() { s.sendAway(e) }() // whatever the error handler does
	e = c.refusal(err)
}

// sendAway ends a socket that was not accepted. There is no disconnect event for it.
func (s *Socket) sendAway(e *Error) {
	s.mu.Lock()
	left := s.reason != "" && !s.disconnected()
	announced, joined := s.announced, s.state.Load() == stateJoined
	s.mu.Unlock()
	s.finish() // before the client is told, who may connect again at once
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
	p, err := s.srv().encode(parser.Header{Type: parser.Disconnect, Namespace: s.name}, nil, true)
	if err != nil {
		s.srv().log.Error("socketio: the parser cannot encode a DISCONNECT packet", "error", err)
		return nil
	}
	return &p
}

// leave makes the socket leave, unless it does already. With drop, events that
// wait are not handled. It may be called from any goroutine.
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
		st := s.at.Load()
		st.client.dropEvents(&st.box, s) // the handler before them may take its time
	}
	s.depart()
}

// depart empties the seat of a socket that leaves and, in the same moment, puts its
// disconnect event behind what waits: the next socket in the seat comes after it.
func (s *Socket) depart() {
	st := s.at.Load()
	cl := st.client
	s.mu.Lock()
	c := &Context{Socket: s, kind: kindDisconnect, event: "disconnect", args: goArgs{s.reason}, size: eventOverhead, details: &cl.details}
	s.mu.Unlock()
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if s.departed {
		return
	}
	s.departed = true
	if st.sock == s {
		st.sock = nil
	}
	cl.queued.Add(eventOverhead)
	cl.srv.queue(&st.box, c)
}

// close ends the sending to the socket, with s.mu held. When it returns, every
// packet that got through is queued, and goodbye, unless it is nil, behind them.
func (s *Socket) close(state int32, goodbye *packet) {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.state.Store(state)
	if goodbye != nil {
		_ = s.client().sendRequired(*goodbye) // a closed connection needs none
	}
}

// detach ends what depends on the client: its context, the answers it owes and
// the packets that wait for it.
func (s *Socket) detach() {
	s.mu.Lock()
	err := &DisconnectError{s.reason, s.cause}
	acks, cancel := s.acks, s.cancel
	s.acks = nil
	s.takeHeld()
	s.mu.Unlock()
	if cancel != nil {
		cancel(err)
	}
	for _, target := range acks {
		s.ackFailed(target, err)
	}
}

// runDisconnect tells the app that the client has left.
func (s *Socket) runDisconnect(c *Context) {
	defer c.from().handled(c)
	defer s.finish() // whatever the handler does
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
	accepted, reason, cause := s.accepted, s.reason, s.cause
	s.srv().index.Remove(&s.membership)
	s.mu.Unlock()
	defer s.srv().workers.End() // whatever hooks do
	s.detach()
	s.client().vacate(s) // a socket that was refused
	if accepted && hs != nil {
		hs.disconnected(s, rooms, reason, cause)
	}
}

// drainEvents is how many more events a client may have handled when it is to
// go because of Shutdown but is still busy.
const drainEvents = 1000

// Drain is called by the engine when it is the connection's turn to go. The
// connection is closed here: see drain.
func (cl *client) Drain() (busy bool) {
	cl.drain()
	return true
}

// drain closes the connection: at once, if no handler is at work, or else with the
// last acknowledgement.
//
// Events that arrive meanwhile are handled, too, as long as there are some
// before them, so that a client does not talk to a server that ignores it while
// it thinks to be connected. When there are none any more, nothing is taken: the
// read side, which calls enqueue, and whoever calls handled or undeferred look at
// draining after they have changed queued or deferred, drain looks at those after
// it has changed draining, so one of them sees to the end.
func (cl *client) drain() {
	if !cl.draining.CompareAndSwap(0, drainEvents) {
		return
	}
	if cl.idle() {
		cl.drained()
		return
	}
	late := time.AfterFunc(cl.srv.opts.DrainTimeout, cl.drained)
	context.AfterFunc(cl.conn.Context(), func() { late.Stop() })
}

// drained closes a connection all of whose acknowledgements are queued, or
// whose time is over.
func (cl *client) drained() { cl.conn.Close(ReasonServerShutdown, engineio.ErrServerClosed) }

// enqueue counts an event, which holds size bytes, among those that wait for their
// handlers. It reports false for one that is to be ignored.
func (cl *client) enqueue(c *Context, size int) bool {
	c.size = size + eventOverhead
	if n := cl.queued.Add(int64(c.size)); !cl.willHandle(c, n) {
		cl.handled(c)
		return false
	}
	return true
}

// willHandle reports whether an event that brought queued to n is still to be
// handled. It is called on the read side.
func (cl *client) willHandle(c *Context, n int64) bool {
	left := cl.draining.Load()
	switch {
	case left == 0:
		return true
	case left == 1 || n == int64(c.size) && cl.deferred.Load() == 0:
		return false
	}
	cl.draining.Store(left - 1)
	return true
}

// handled is the end of an event that enqueue has counted.
func (cl *client) handled(c *Context) {
	if cl.queued.Add(-int64(c.size)) == 0 && cl.draining.Load() != 0 && cl.idle() {
		cl.drained()
	}
	if cl.watched.Load() {
		cl.progress()
	}
}

// undeferred is the end of an acknowledgement that DeferAck has counted.
func (cl *client) undeferred() {
	if cl.deferred.Add(-1) == 0 && cl.draining.Load() != 0 && cl.idle() {
		cl.drained()
	}
}

// idle reports whether nothing is to be handled and nothing to be acknowledged.
func (cl *client) idle() bool { return cl.queued.Load() == 0 && cl.deferred.Load() == 0 }
