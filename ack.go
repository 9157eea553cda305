package socketio

import (
	"errors"
	"time"

	"github.com/seed-d124fa34/socketio/parser"
)

// ackTarget hears how one client answered: exactly one of answered and failed is
// called for each client that was asked. They may be called on the read side, so
// they must not block or call user code.
type ackTarget interface {
	answered(s *Socket, args parser.Args)
	failed(s *Socket, err error)
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

// errAlreadyFailed: the client could not be asked, and the target has heard so.
var errAlreadyFailed = errors.New("socketio: the client left while it was asked")

// ask delivers a packet to the socket and registers who wants the answer, if
// anybody does. Without sent the target hears nothing more of this socket, and
// has heard nothing unless the error is errAlreadyFailed.
func (s *Socket) ask(p packet, volatile bool, id uint64, target ackTarget, via *place) (sent bool, err error) {
	if target == nil {
		return s.deliver(p, volatile, via)
	}
	if err := s.expect(id, target); err != nil {
		return false, err
	}
	sent, err = s.deliver(p, volatile, via)
	if !sent && s.takeAck(id) == nil {
		return false, errAlreadyFailed // detach was faster
	}
	return sent, err
}

// expect registers who wants the client's acknowledgement.
func (s *Socket) expect(id uint64, target ackTarget) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != "" {
		return &DisconnectError{s.reason, s.cause}
	}
	if most := s.srv().opts.Limits.MaxPendingAcks; len(s.acks) >= most {
		s.srv().stats.hit(limitPendingAcks)
		return &LimitError{limitPendingAcks, most}
	}
	if s.acks == nil {
		s.acks = make(map[uint64]ackTarget)
	}
	s.acks[id] = target
	return nil
}

// takeAck ends expect. Whoever gets the target tells it the outcome; the others
// get nil.
func (s *Socket) takeAck(id uint64) ackTarget {
	s.mu.Lock()
	defer s.mu.Unlock()
	target := s.acks[id]
	delete(s.acks, id)
	return target
}

// answered passes on an acknowledgement from the client. One that nobody
// expects, or a second one, is ignored.
func (s *Socket) answered(id uint64, args parser.Args) (expected bool) {
	target := s.takeAck(id)
	if target == nil {
		return false
	}
	if hs := s.srv().hooks.Load(); hs != nil {
		if event, at := target.asked(); !at.IsZero() {
			hs.acked(s, event, at)
		}
	}
	target.answered(s, args)
	return true
}

// ackFailed tells the target that the client does not answer, and hooks.
func (s *Socket) ackFailed(target ackTarget, err error) {
	if hs := s.srv().hooks.Load(); hs != nil {
		if event, at := target.asked(); !at.IsZero() {
			hs.unacked(s, event, err)
		}
	}
	target.failed(s, err)
}
