package socketio

import (
	"errors"
	"fmt"
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

// OnAck asks for an acknowledgement and has the handler called with it, for
// each client that answers:
//
//	func(*Context[, error][, args...]) [error]
//
// with the arguments of the acknowledgement, decoded as for [Namespace.On]; the
// Context is on the socket of the client that answered. A handler with an error
// after the Context is called exactly once for each client that the event is
// for. The error is nil with an answer; without one the arguments are zero and
// the error says why:
//
//   - a [*DisconnectError] if the client left first, which is [ErrClosed];
//   - [context.DeadlineExceeded] if there is an [AckTimeout] and it is over;
//   - a [*LimitError] if the client owes [Options].Limits.MaxPendingAcks answers already,
//     so that the event was not sent to it;
//   - an [*ArgError] if the answer does not fit the parameters;
//   - another error if the event could not be sent to it, as a [Volatile] one may not.
//
// When an Emit that is for its own client alone returns an error, the event was
// not sent, and the handler is not called.
//
// A handler without an error parameter is called with answers only. A client
// that leaves, or is late, leaves a line at level debug, and is what the hook
// Unacked hears of. If clients in a room owe too many answers, the others are asked
// and Emit returns a [*CallError] that names those, with the [*LimitError] in it.
//
// The callbacks of one socket run one after another, beside its events, so that
// a handler may wait for them; what they return goes to the error handler.
//
// With [Options].Cluster.Broker the clients of other servers are asked as well. The
// Socket of their Context stands for them here, with an empty request and
// session, and reaches them through the broker. Answers count until
// [AckTimeout] or else [Options].Cluster.AckTimeout is over. Go servers tell when
// one of their clients leaves first. Who is in a room elsewhere and does not answer in time
// is not known, so that the handler hears of a late client there only if the
// event was for its session id; so it does if the broker is lost meanwhile. An
// answer of a client of a Flask-SocketIO server does not say whose it is, but
// only what name was asked, which may be a room's: its Context has an empty ID.
//
// OnAck panics if the handler has another shape. It may be called for each
// emit: what it finds out about a handler's type it keeps. Flask-SocketIO: callback.
func OnAck(handler any) EmitOption {
	option, err := newAckOption(handler)
	if err != nil {
		panic(fmt.Sprintf("socketio: OnAck at %s: cannot use %T as a handler: %v; want %s", caller(1), handler, err, callbackShape))
	}
	return option
}

// AckTimeout bounds how long [OnAck] waits for each client, from when the event
// has been emitted. A later answer is ignored. Without it the wait ends when the client leaves, and
// for clients of other servers after [Options].Cluster.AckTimeout. It must be
// positive, and there must be an OnAck: a Call is bounded by its context.
func AckTimeout(d time.Duration) EmitOption {
	return optionFunc(func(e *emitOptions) {
		e.ackTimeout = d
		if d <= 0 {
			e.err = fmt.Errorf("socketio: AckTimeout(%v): it must be positive; without the option the wait ends when the client leaves", d)
		}
	})
}

// ackOption is a handler given to OnAck.
type ackOption struct {
	shape *ackShape
	fn    any // a function of the shape's type, or what is in a Handler
}

func (o *ackOption) severalArgumentsGoIntoOneArgs(e *emitOptions) { e.ack = o }
