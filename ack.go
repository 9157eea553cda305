package socketio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed-d124fa34/socketio/internal/acks"
	"github.com/seed-d124fa34/socketio/internal/binding"
	"github.com/seed-d124fa34/socketio/internal/goargs"
	"github.com/seed-d124fa34/socketio/parser"
)

// ackTarget gets the answer of each client that was asked: either answered or failed
// is called for it, exactly once. They may be called on the read side, so they must
// not block or call user code.
type ackTarget interface {
	answered(s *Socket, args parser.Args)
	failed(s *Socket, err error)
	// asked returns the event, and when it was emitted if there were hooks.
	asked() (event string, at time.Time)
	// deadline returns when the wait for the answer ends, zero if it has no end.
	deadline() time.Time
	// late returns the error for an answer that has not come in time.
	late() error
}

// inquiry is the event that asks for an acknowledgement.
type inquiry struct {
	event string
	at    time.Time     // zero without hooks
	until time.Time     // when the wait for the answers ends; zero if it has no end
	limit time.Duration // how long an answer may take; zero if there is no limit
}

func (srv *Server) inquiry(event string) inquiry {
	q := inquiry{event: event}
	if srv.hooks.Load() != nil {
		q.at = time.Now()
	}
	return q
}

func (q *inquiry) asked() (string, time.Time) { return q.event, q.at }
func (q *inquiry) deadline() time.Time        { return q.until }

func (q *inquiry) late() error {
	return fmt.Errorf("socketio: no acknowledgement of %.100q within %v: %w", q.event, q.limit, context.DeadlineExceeded)
}

// errAlreadyFailed: the client could not be asked, and the target's failed has been
// called.
var errAlreadyFailed = errors.New("socketio: the client left while it was asked")

// ask delivers a packet to the socket and, if target is not nil, registers it for the
// answer. If ask returns sent=false, the target will not be called for this socket; it
// has been called if the error is errAlreadyFailed.
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

// expect registers the target of the client's acknowledgement.
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

// takeAck removes what expect registered. The first caller gets the target, and calls
// answered or failed; the others get nil.
func (s *Socket) takeAck(id uint64) ackTarget {
	s.mu.Lock()
	defer s.mu.Unlock()
	target := s.acks[id]
	delete(s.acks, id)
	return target
}

// answered passes on an acknowledgement from the client. It ignores one that is not
// expected, or that comes a second time.
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

// ackFailed reports to the target, and to hooks, that the client does not answer.
func (s *Socket) ackFailed(target ackTarget, err error) {
	if hs := s.srv().hooks.Load(); hs != nil {
		if event, at := target.asked(); !at.IsZero() {
			hs.unacked(s, event, err)
		}
	}
	target.failed(s, err)
}

// OnAck asks for an acknowledgement, and calls the handler for each client that
// answers:
//
//	func(*Context[, error][, args...]) [error]
//
// The arguments are those of the acknowledgement, decoded as for [Namespace.On]; the
// Context is on the socket of the client that answered. A handler with an error
// after the Context is called exactly once for each client that the event is
// for. The error is nil if the client answered. Otherwise the arguments are zero and
// the error says why there is no answer:
//
//   - a [*DisconnectError], which is [ErrClosed], if the client left first;
//   - [context.DeadlineExceeded] if an [AckTimeout] is over;
//   - a [*LimitError] if the client already owes [Options].Limits.MaxPendingAcks answers;
//     the event was then not sent to it;
//   - an [*ArgError] if the answer does not fit the parameters;
//   - another error if the event could not be sent to it, for example a [Volatile] one.
//
// When an Emit that is for its own client alone returns an error, the event was
// not sent, and the handler is not called.
//
// A handler without an error parameter is called with answers only. A client that
// leaves or is late is logged at level debug and reported to the hook Unacked. If
// clients in a room owe too many answers, the other clients are asked, and Emit returns
// a [*CallError] that names those not asked, with a [*LimitError] in it.
//
// The callbacks of one socket run one after another, but in parallel with its events,
// so that a handler may wait for them. What they return goes to the error handler.
//
// With [Options].Cluster.Broker the clients of other servers are asked as well. The
// Socket of their Context stands for such a client: it has an empty request and
// session, and what is emitted to it goes through the broker. The wait for their answers
// ends after [AckTimeout] or else [Options].Cluster.AckTimeout. Another Go server reports
// when one of its clients leaves first. This server does not know which clients are in a
// room on another one, so the handler gets the error of a late client there, or of a
// lost broker, only if the event was for that client's session id. The answer of a
// Flask-SocketIO server contains the name that was asked, which may be that of a room,
// but not the client that answered: its Context has an empty ID.
//
// OnAck panics if the handler has another shape. It may be called for each
// emit: it examines each type of handler once. Flask-SocketIO: callback.
func OnAck(handler any) EmitOption {
	option, err := newAckOption(handler)
	if err != nil {
		panic(fmt.Sprintf("socketio: OnAck at %s: cannot use %T as a handler: %v; want %s", caller(1), handler, err, callbackShape))
	}
	return option
}

// AckTimeout bounds how long [OnAck] waits for each client, from when the event
// has been emitted. A later answer is ignored. Without AckTimeout the wait ends when the
// client leaves, and for clients of other servers after [Options].Cluster.AckTimeout. It
// must be positive, and there must be an OnAck: a Call is bounded by its context.
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
	callback *binding.Callback[*Context, Args]
	fn       any // a function of the callback's type, or the bound function of a Handler
}

func (o *ackOption) severalArgumentsGoIntoOneArgs(e *emitOptions) { e.ack = o }

// ackCallback is the function given to OnAck, for one emit.
type ackCallback struct {
	inquiry
	srv     *Server
	details contextDetails // of the Contexts of answers
	option  *ackOption
	id      uint64                 // of the acknowledgements
	waiting *acks.Waiting[*Socket] // clients of this server that may yet be late; nil without AckTimeout
}

func (srv *Server) newAckCallback(e *emitOptions, event string, id uint64) *ackCallback {
	cb := &ackCallback{inquiry: srv.inquiry(event), srv: srv, option: e.ack, id: id}
	cb.details.ack = cb
	cb.limit = srv.opts.Cluster.AckTimeout // for clients of other servers only
	if e.ackTimeout > 0 {
		cb.limit, cb.until = e.ackTimeout, time.Now().Add(e.ackTimeout)
		cb.waiting = new(acks.Waiting[*Socket])
	}
	return cb
}

// takesError reports whether the function has a parameter for the error that says why
// there is no answer.
func (cb *ackCallback) takesError() bool { return cb.option.callback.TakesError }

// ask asks one recipient of the emit.
func (cb *ackCallback) ask(r recipient, p packet, volatile bool) (sent bool, err error) {
	cb.waiting.Add(r.s)
	sent, err = r.s.ask(p, volatile, cb.id, cb, r.via)
	if !sent {
		cb.waiting.Remove(r.s)
	}
	return sent, err
}

// arm starts the timer, which serves all recipients. It is called when all of them have been
// asked. The timer is stopped when they have answered or left.
func (cb *ackCallback) arm() {
	cb.waiting.Arm(func() acks.Stopper { return time.AfterFunc(cb.limit, cb.expire) })
}

// expire ends the wait for all recipients that have not answered.
func (cb *ackCallback) expire() {
	cb.srv.workers.Begin() // before takeAck, so that Shutdown waits for the callbacks
	defer cb.srv.workers.End()
	err := cb.late()
	for s := range cb.waiting.Take() {
		if target := s.takeAck(cb.id); target != nil {
			s.ackFailed(target, err)
		}
	}
}

// missed handles a recipient that was not asked. If the callback takes no error and
// the recipient owes too many answers, missed adds it to the error that Emit returns.
// before is that error so far; missed returns it.
func (cb *ackCallback) missed(s *Socket, err error, before *CallError) *CallError {
	switch {
	case err == errAlreadyFailed:
		return before
	case err == nil:
		err = errVolatileDropped
	}
	if cb.takesError() {
		cb.failed(s, err)
		return before
	}
	if _, limit := errors.AsType[*LimitError](err); !limit {
		return before // it is leaving
	}
	if before == nil {
		before = &CallError{Err: fmt.Errorf("they were not asked: %w", err)}
	}
	before.Missing = append(before.Missing, s.sid)
	return before
}

// answered queues the call of the function with the answer.
func (cb *ackCallback) answered(s *Socket, args parser.Args) {
	cb.waiting.Remove(s)
	cb.put(s, args, &cb.details)
}

// failed queues the call of the function with the error, if the function takes one.
func (cb *ackCallback) failed(s *Socket, err error) {
	cb.waiting.Remove(s)
	if cb.takesError() {
		cb.put(s, goargs.Args(nil), &contextDetails{ack: cb, failure: err})
		return
	}
	if log := s.srv().log; log.Enabled(context.Background(), slog.LevelDebug) {
		log.Debug("socketio: no acknowledgement", "namespace", s.name, "event", printable(cb.event), "sid", short(s.sid), "error", err)
	}
}

// put queues the call of the function in the mailbox for callbacks. That is not the
// one of the socket's events, because a handler of an event may wait for the callback.
func (cb *ackCallback) put(s *Socket, args parser.Args, details *contextDetails) {
	c := &Context{Socket: s, kind: kindAck, event: cb.event, args: args, details: details}
	s.srv().workers.Begin() // until runAck
	if s.remote() {
		s.srv().remoteAcks.Put(s.srv().workers, c.remoteKey(), (*task)(c))
		return
	}
	s.mu.Lock()
	if s.ackBox == nil {
		s.ackBox = new(box)
	}
	callbacks := s.ackBox
	s.mu.Unlock()
	s.srv().queue(callbacks, c)
}

// remoteKey identifies a client of another server. Clients without a session id that
// answer the same event count as one client.
type remoteKey struct {
	ns, sid string
	ack     uint64
}

func (c *Context) remoteKey() remoteKey {
	k := remoteKey{ns: c.name, sid: c.sid}
	if k.sid == "" {
		k.ack = c.details.ack.id
	}
	return k
}

// runAck calls the function given to OnAck.
func (c *Context) runAck() {
	defer c.srv().workers.End()
	if c.remote() {
		defer c.srv().remoteAcks.Done(c.remoteKey())
	}
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
	option, failure := c.details.ack.option, c.details.failure
	if failure == nil && c.srv().opts.StrictArgs {
		failure = option.callback.CheckCount(c.input(false))
	}
	if failure != nil && !option.callback.TakesError {
		return failure
	}
	return option.callback.Call(option.fn, c, c.input(false), failure)
}
