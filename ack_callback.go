package socketio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/parser"
)

// ackCallback is the function given to OnAck, for one emit.
type ackCallback struct {
	inquiry
	srv      *Server
	details  contextDetails // of the Contexts of answers
	option   *ackOption
	id       uint64       // of the acknowledgements
	deadline *ackDeadline // nil without AckTimeout
}

// ackDeadline bounds how long one emit waits for its acknowledgements. One timer
// serves all its recipients; it is stopped when none of them is waited for.
type ackDeadline struct {
	after time.Duration

	mu      sync.Mutex
	waiting map[*Socket]struct{}
	timer   *time.Timer // nil until all recipients are known, and when stopped
}

func (srv *Server) newAckCallback(e *emitOptions, event string, id uint64) *ackCallback {
	cb := &ackCallback{inquiry: srv.inquiry(event), srv: srv, option: e.ack, id: id}
	cb.details.ack = cb
	if e.ackTimeout > 0 {
		cb.deadline = &ackDeadline{after: e.ackTimeout, waiting: make(map[*Socket]struct{})}
	}
	return cb
}

// takesError reports whether the function gets why there is no answer.
func (cb *ackCallback) takesError() bool { return cb.option.shape.takesError }

// ask asks one recipient of the emit.
func (cb *ackCallback) ask(r recipient, p packet, volatile bool) (sent bool, err error) {
	if d := cb.deadline; d != nil {
		d.mu.Lock()
		d.waiting[r.s] = struct{}{}
		d.mu.Unlock()
	}
	sent, err = r.s.ask(p, volatile, cb.id, cb, r.via)
	if !sent {
		cb.settle(r.s)
	}
	return sent, err
}

// settle ends the wait for one recipient.
func (cb *ackCallback) settle(s *Socket) {
	d := cb.deadline
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.waiting, s)
	if len(d.waiting) == 0 && d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

// arm starts the timer when everybody has been asked.
func (cb *ackCallback) arm() {
	d := cb.deadline
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) > 0 {
		d.timer = time.AfterFunc(d.after, cb.expire)
	}
}

// expire ends the wait for everybody who has not answered.
func (cb *ackCallback) expire() {
	cb.srv.workers.Begin() // before takeAck, so that Shutdown waits for the callbacks
	defer cb.srv.workers.End()
	d := cb.deadline
	d.mu.Lock()
	late := d.waiting
	d.waiting, d.timer = nil, nil
	d.mu.Unlock()
	err := lateAck(cb.event, d.after)
	for s := range late {
		if target := s.takeAck(cb.id); target != nil {
			s.ackFailed(target, err)
		}
	}
}

// lateAck is why there is no acknowledgement when the time is over.
func lateAck(event string, after time.Duration) error {
	return fmt.Errorf("socketio: no acknowledgement of %.100q within %v: %w", event, after, context.DeadlineExceeded)
}

// missed deals with a recipient that was not asked. It returns what Emit has to
// say if the function does not hear of it: that clients owe too many answers.
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

// answered has the function called with the answer.
func (cb *ackCallback) answered(s *Socket, args parser.Args) {
	cb.settle(s)
	cb.put(s, args, &cb.details)
}

// failed has the function called with the error, if it wants to hear of it.
func (cb *ackCallback) failed(s *Socket, err error) {
	cb.settle(s)
	if cb.takesError() {
		cb.put(s, goArgs(nil), &contextDetails{ack: cb, failure: err})
		return
	}
	if log := s.srv().log; log.Enabled(context.Background(), slog.LevelDebug) {
		log.Debug("socketio: no acknowledgement", "namespace", s.name, "event", printable(cb.event), "sid", short(s.sid), "error", err)
	}
}

// put has the function called in a mailbox of its own, apart from the events: a
// handler may wait for it.
func (cb *ackCallback) put(s *Socket, args parser.Args, details *contextDetails) {
	c := &Context{Socket: s, kind: kindAck, event: cb.event, args: args, details: details}
	s.srv().workers.Begin() // until runAck
	if s.remote() {
		s.srv().remoteAcks.put(c)
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

// runAck calls the function given to OnAck.
func (c *Context) runAck() {
	defer c.srv().workers.End()
	if c.remote() {
		defer c.srv().remoteAcks.done(c)
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
	option := c.details.ack.option
	return option.shape.call(option.fn, c, c.details.failure)
}
