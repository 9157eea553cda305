package socketio

import (
	"errors"

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
var errGoexit = errors.New("socketio: the connect handler called runtime.Goexit")

// runConnect lets the connect handler decide.
func (s *Socket) runConnect(c *Context) {
	decided := false
	defer func() {
		s.client.queued.Add(-int64(c.size))
		if !decided {
			s.reject(c, errGoexit)
		}
	}()
	if s.hasLeft() { // nobody to decide about
		decided = true
		s.dismiss(c)
		return
	}
	always := s.srv().opts.AlwaysConnect
	if always {
		if in, _ := s.admit(); !in {
			decided = true
			s.finish()
			return
		}
	}
	_, err := c.invoke()
	decided = true
	if err != nil {
		s.reject(c, err)
		return
	}
	if always {
		return
	}
	switch in, told := s.admit(); {
	case in:
	case told, !s.disconnected():
		// The app has accepted a client that is gone: it hears so at once.
		s.runDisconnect(s.disconnectContext())
	default:
		s.dismiss(c)
	}
}

// dismiss ends a socket that left before its connect handler had accepted it.
func (s *Socket) dismiss(c *Context) {
	if s.disconnected() {
		s.reject(c, new(Error)) // the client still waits for an answer
		return
	}
	s.finish()
}

// hasLeft reports whether the client has left, or is being made to.
func (s *Socket) hasLeft() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason != ""
}

// disconnected reports whether Disconnect was called before the client was let in.
func (s *Socket) disconnected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason == ReasonServerDisconnect && s.cause == nil
}

// admit tells the client that it is connected, sends what was held, and lets it
// into the namespace and its rooms. in is false if it has left meanwhile; told,
// if the client knows that it was connected.
func (s *Socket) admit() (in, told bool) {
	first, err := s.srv().encode(parser.Header{Type: parser.Connect, Namespace: s.name}, []any{connectReply{s.sid}}, true)
	if err != nil {
		s.srv().log.Error("socketio: the parser cannot encode a CONNECT packet", "error", err)
		s.leave(ReasonServerDisconnect, err, true)
		return false, false
	}
	for batch := []packet{first}; ; told = true {
		s.mu.Lock()
		if s.reason != "" {
			s.mu.Unlock()
			if told && s.disconnected() {
				s.sendDisconnect()
			}
			return false, told
		}
		if told {
			batch, s.held, s.heldSize = s.held, nil, 0
			if len(batch) == 0 { // from now on packets go directly
				s.state.Store(stateJoined)
				s.srv().index.enter(s)
				s.mu.Unlock()
				break
			}
		}
		s.mu.Unlock()
		for _, p := range batch {
			// A failure means that the connection is closed: leave will say so.
			_ = s.client.conn.Send(p.frames)
		}
	}
	if s.client.timer != nil {
		s.client.timer.Stop()
	}
	s.srv().log.Debug("socketio: connected", "namespace", s.name, "sid", s.sid, "connection", s.client.conn.ID())
	return true, true
}

// reject sends away a client that the connect handler did not accept. There is
// no disconnect event for it.
func (s *Socket) reject(c *Context, err error) {
	e := c.refusal(err)
	left, joined := s.hasLeft() && !s.disconnected(), s.state.Load() == stateJoined
	s.finish() // before the client is told, who may connect again at once
	switch {
	case left:
	case joined: // Options.AlwaysConnect
		s.sendDisconnect()
	case s.srv().opts.AlwaysConnect: // Disconnect has told it already
	default:
		s.client.refuse(s.name, e)
	}
}

// sendDisconnect sends a DISCONNECT packet.
func (s *Socket) sendDisconnect() {
	p, err := s.srv().encode(parser.Header{Type: parser.Disconnect, Namespace: s.name}, nil, true)
	if err != nil {
		s.srv().log.Error("socketio: the parser cannot encode a DISCONNECT packet", "error", err)
		return
	}
	_ = s.client.conn.Send(p.frames) // a closed connection needs none
}

// leave makes the socket leave, unless it does already. With drop, events that
// wait are not handled. It may be called from any goroutine.
func (s *Socket) leave(reason Reason, cause error, drop bool) {
	s.mu.Lock()
	if s.reason != "" {
		s.mu.Unlock()
		return
	}
	s.reason, s.cause, s.drop = reason, cause, drop
	joined := s.state.Load() == stateJoined
	if joined {
		s.state.Store(stateLeaving)
	}
	s.mu.Unlock()
	s.detach()
	if !joined {
		return // runConnect will see
	}
	if reason == ReasonServerDisconnect {
		s.sendDisconnect()
	}
	s.srv().log.Debug("socketio: disconnected", "namespace", s.name, "sid", s.sid, "reason", reason, "error", cause)
	s.seat.box.put(s.disconnectContext())
}

// detach ends what depends on the client: its seat, its context, the answers it
// owes and the packets that wait for it.
func (s *Socket) detach() {
	s.client.vacate(s)
	s.mu.Lock()
	err := &DisconnectError{s.reason, s.cause}
	acks, cancel := s.acks, s.cancel
	s.acks, s.held = nil, nil
	s.mu.Unlock()
	if cancel != nil {
		cancel(err)
	}
	for _, target := range acks {
		target.left(s, err)
	}
}

func (s *Socket) disconnectContext() *Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Context{Socket: s, kind: kindDisconnect, event: "disconnect", args: goArgs{s.reason}}
}

// runDisconnect tells the app that the client has left.
func (s *Socket) runDisconnect(c *Context) {
	defer s.finish() // whatever the handler does
	s.events.Wait()  // with Options.AsyncHandlers
	if s.state.Load() == stateGone {
		return // refused meanwhile
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
	s.state.Store(stateGone)
	if s.reason == "" {
		s.reason = ReasonServerDisconnect
	}
	s.srv().index.remove(s)
	s.mu.Unlock()
	s.detach()
	s.srv().running.done()
}
