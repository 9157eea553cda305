package socketio

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/seed-d124fa34/socketio/internal/unanswered"
	"github.com/seed-d124fa34/socketio/parser"
)

// ErrAcked: the event has been acknowledged before, see [Context.DeferAck].
var ErrAcked = errors.New("socketio: the event has been acknowledged already")

// errNoAck is what a test client hears of [Context.NoAck].
var errNoAck = errors.New("socketio: the handler chose not to acknowledge the event (Context.NoAck)")

// What becomes of the acknowledgement of an event, in Context.acking.
const (
	ackOpen     uint32 = iota // the handler's results are acknowledged
	ackDeferred               // DeferAck was called
	ackSettled                // acknowledged, or it is known that it will not be
)

// DeferAck takes the acknowledgement of the event out of the handler's hands: it
// is given by the function that DeferAck returns, once, at any time, from any
// goroutine, also after the handler has returned. The client's next events do
// not wait for it.
//
//	srv.On("slow", func(c *socketio.Context, j Job) error {
//		ack := c.DeferAck()
//		go func() { ack(work(j)) }() // func work(Job) (Result, error)
//		return nil
//	})
//
// The function takes what a handler returns, with the same meaning: nil is no
// value, [Args] are several, anything else is one; an error goes to the error
// handler, which is called by the goroutine that acknowledges, and is
// acknowledged as if the handler had returned it. If the client asked for no
// acknowledgement, the values are dropped. The function returns
//
//   - [ErrAcked] if the event has been acknowledged before, by this function,
//     by another one that DeferAck returned for the event, or by the handler;
//   - a [*DisconnectError] if the client has left, and the other errors of [Socket.Emit];
//   - an error if the values cannot be encoded; the error handler gets it, too.
//
// What a handler returns after DeferAck is not acknowledged, unless it is an
// error, or it panics, and the function has not been called: the handler's error
// is the acknowledgement then. So a handler may still refuse, and its results may
// serve to name the types of the answer. A function that is never called leaves the event
// unanswered. The server keeps nothing for it; how much work is under way for
// a client is for the handler to bound.
//
// Middleware and hooks see the handler return without values. [Server.Shutdown]
// waits for deferred acknowledgements as it does for handlers, up to
// [Options].DrainTimeout.
func (c *Context) DeferAck() (ack func(result any, err error) error) {
	if c.hasID {
		c.client.deferred.Add(1)
	}
	if !c.acking.CompareAndSwap(ackOpen, ackDeferred) && c.hasID {
		c.client.undeferred()
	}
	return c.ackLater
}

// NoAck leaves the event unanswered although the client may have asked for an
// acknowledgement, whatever the handler returns: the client's callback is not
// called, or its timeout decides. An error that the handler returns still goes to the
// error handler. Without NoAck every handler that returns without an error
// acknowledges, with no value if it has none. Once the event is acknowledged, NoAck has no effect.
func (c *Context) NoAck() {
	before := c.acking.Swap(ackSettled)
	if !c.hasID || before == ackSettled {
		return
	}
	c.unanswered(errNoAck)
	if before == ackDeferred {
		c.client.undeferred()
	}
}

// ackLater is the function that DeferAck returns.
func (c *Context) ackLater(result any, err error) error {
	if !c.acking.CompareAndSwap(ackDeferred, ackSettled) {
		return ErrAcked
	}
	if c.hasID {
		defer c.client.undeferred() // when the acknowledgement is queued
	}
	values, err := answer(result, err)
	failed := err != nil
	undelivered, err := c.conclude(values, err)
	switch {
	case undelivered != nil:
		return undelivered
	case failed:
		return nil // the error handler has seen to it
	}
	return err
}

// settle ends the handling of an event with what the handler returned.
func (c *Context) settle(ack Args, err error) {
	if err == nil {
		if c.hasID && c.acking.CompareAndSwap(ackOpen, ackSettled) {
			_, _ = c.conclude(ack, nil)
		}
		return
	}
	before := ackOpen
	if c.hasID {
		before = c.acking.Swap(ackSettled)
	}
	switch before {
	case ackSettled: // acknowledged already, or NoAck
		c.fail(err)
		return
	case ackDeferred:
		defer c.client.undeferred()
	}
	_, _ = c.conclude(nil, err)
}

// conclude acknowledges an event, if the client asked for that, with values or
// with what is made of an error. The second result is why no values, or
// nothing, is sent; undelivered, that the client cannot be reached.
func (c *Context) conclude(ack Args, err error) (undelivered, why error) {
	if err == nil {
		if !c.hasID {
			return nil, nil
		}
		if undelivered, err = c.acknowledge(ack); err == nil {
			return undelivered, nil
		}
	}
	if ack, answer := c.fail(err); answer && c.hasID {
		undelivered, unsent := c.acknowledge(ack)
		if unsent == nil {
			return undelivered, err
		}
		err = unsent
		c.log(slog.LevelWarn, "socketio: the error handler's result cannot be sent", err)
	}
	c.unanswered(err)
	return nil, err
}

// acknowledge sends the values of an acknowledgement. err is that they cannot be
// encoded.
func (c *Context) acknowledge(ack Args) (undelivered, err error) {
	p, err := c.srv().encode(parser.Header{Type: parser.Ack, Namespace: c.name, ID: c.id, HasID: true}, ack, true)
	if err != nil {
		return nil, fmt.Errorf("socketio: acknowledge %.100q: %w", c.event, err)
	}
	if _, undelivered = c.deliver(p, false, nil); undelivered != nil {
		c.closeIfFull(undelivered) // the client would wait for it for ever
		c.log(slog.LevelDebug, "socketio: acknowledgement not sent", undelivered)
	}
	return undelivered, nil
}

// unanswered tells a test client why it waits in vain.
func (c *Context) unanswered(why error) {
	if c.hasID {
		unanswered.Tell(c.client.context(), c.id, why)
	}
}
