package socketio

import (
	"time"

	"github.com/seed-d124fa34/socketio/parser"
)

// ackTarget is told how one client answered: once, by answered or by left. Both
// are called on the read side, so they must not block or call user code.
type ackTarget interface {
	answered(s *Socket, args parser.Args)
	left(s *Socket, err error)
	// asked returns the event, and when it was emitted if there were hooks.
	asked() (event string, at time.Time)
}

// inquiry is the event that asks for an acknowledgement.
type inquiry struct {
	event string
	at    time.Time // zero without hooks
}

func (srv *Server) inquiry(event string) inquiry {
	q := inquiry{event: event}
	if srv.hooks.Load() != nil {
		q.at = time.Now()
	}
	return q
}

func (q *inquiry) asked() (string, time.Time) { return q.event, q.at }

// expect registers who wants the client's acknowledgement.
func (s *Socket) expect(id uint64, target ackTarget) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != "" {
		return &DisconnectError{s.reason, s.cause}
	}
	if most := s.srv().opts.MaxPendingAcks; len(s.acks) >= most {
		s.srv().stats.hit(limitPendingAcks)
		return &LimitError{limitPendingAcks, most}
	}
	if s.acks == nil {
		s.acks = make(map[uint64]ackTarget)
	}
	s.acks[id] = target
	return nil
}

// forget ends expect without an answer.
func (s *Socket) forget(id uint64) { s.takeAck(id) }

func (s *Socket) takeAck(id uint64) ackTarget {
	s.mu.Lock()
	defer s.mu.Unlock()
	target := s.acks[id]
	delete(s.acks, id)
	return target
}

// answered passes on an acknowledgement from the client. One that nobody
// expects, or a second one, is ignored.
func (s *Socket) answered(id uint64, args parser.Args) {
	target := s.takeAck(id)
	if target == nil {
		return
	}
	if hs := s.srv().hooks.Load(); hs != nil {
		if event, at := target.asked(); !at.IsZero() {
			hs.acked(s, event, at)
		}
	}
	target.answered(s, args)
}

// ackCallback is the function given to OnAck. A client that leaves without an
// answer leaves it uncalled.
type ackCallback struct {
	inquiry
	extra
}

func (cb *ackCallback) left(*Socket, error) {}

// answered calls the function in a mailbox of its own, apart from the events:
// a handler may wait for it.
func (cb *ackCallback) answered(s *Socket, args parser.Args) {
	s.srv().running.add() // until runAck
	s.mu.Lock()
	if s.ackBox == nil {
		s.ackBox = new(mailbox)
	}
	box := s.ackBox
	s.mu.Unlock()
	box.put(&Context{Socket: s, kind: kindAck, event: cb.event, args: args, more: &cb.extra})
}

// runAck calls the function given to OnAck.
func (c *Context) runAck() {
	defer c.srv().ended()
	var err error
	if hs := c.srv().hooks.Load(); hs != nil {
		_, err = hs.run(c, true, func() (Args, error) { return nil, c.invokeAck() })
	} else {
		err = c.invokeAck()
	}
	if err != nil {
		c.fail(err)
	}
}

func (c *Context) invokeAck() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = c.recovered("handler", v)
		}
	}()
	_, err = c.more.callback(c, false)
	return err
}
