package socketio

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/seed-d124fa34/socketio/internal/goargs"
	"github.com/seed-d124fa34/socketio/internal/mailbox"
	"github.com/seed-d124fa34/socketio/parser"
)

// Context is one event on one socket, as a handler gets it: the name and arguments of
// the event, and the socket with all its methods. It may be kept and used from any
// goroutine. To keep only the socket, keep the field Socket.
type Context struct {
	*Socket

	event string
	args  parser.Args
	id    uint64 // of the acknowledgement asked for, if hasID; comeback.claim, for kindConnect
	hasID bool
	kind  eventKind
	// acking is the state of the acknowledgement: ackOpen and so on.
	acking atomic.Uint32
	// details are fields that many events share, or that few events need. They never change.
	details *contextDetails
	size    int // what the event counts in the connection's receive queue
	link    mailbox.Link[*task]
}

// eventKind says what a Context is about.
type eventKind uint8

const (
	kindEvent      eventKind = iota // the client has sent an event
	kindDropped                     // the client has sent an event that Limits.EventRate drops
	kindConnect                     // the client connects
	kindDisconnect                  // the client has left
	kindLost                        // the client has lost its connection, and may come back
	kindExpired                     // it has not come back
	kindAck                         // the client has acknowledged an event, or will not
)

// contextDetails are the fields of a Context that are not its event's alone.
type contextDetails struct {
	client  *client         // the connection on which the event came; nil for kindAck
	ack     *ackCallback    // the callback to call, for kindAck
	failure error           // why there is no acknowledgement, for kindAck
	ctx     context.Context // the context that a hook returned; nil if none did
}

// Context is [Socket.Context], with the values that hooks added for the handling
// of this event, see [Hooks].
func (c *Context) Context() context.Context {
	if c.details.ctx != nil {
		return c.details.ctx
	}
	return c.Socket.Context()
}

// from returns the connection on which the event came.
func (c *Context) from() *client { return c.details.client }

// Event returns the name of the event: "connect", "disconnect", or what the
// client sent. In a callback of [OnAck] it is the event that was answered.
func (c *Context) Event() string { return c.event }

// Args decodes all arguments into the types that encoding/json chooses for an
// interface value, and binary ones into []byte. The argument of "connect" is the
// client's auth payload, if it sent one; that of "disconnect" is a [Reason].
// An argument that cannot be decoded is nil; [Context.Bind] returns the error.
func (c *Context) Args() Args { return goargs.Decode(c.args) }

// RawArgs returns all arguments as they came, each as a [Raw], for a handler that emits
// them again:
//
//	return c.Emit(c.Event(), c.RawArgs(), socketio.Broadcast(), socketio.SkipSelf())
//
// If Options.Parser does not support Raw, RawArgs decodes the arguments as Args does.
func (c *Context) RawArgs() Args { return parser.RawArgs(c.args) }

// NumArgs returns how many arguments the event has. It decodes none of them. A handler with
// more parameters learns from it which ones the client left out. With [Options].StrictArgs
// such an event is an error.
func (c *Context) NumArgs() int { return c.args.Len() }

// Bind decodes the arguments, in order, into the variables that vs point to.
// Variables without an argument keep their value; a nil pointer skips an
// argument. The error is an [*ArgError].
func (c *Context) Bind(vs ...any) error {
	in := c.input(false)
	for i, v := range vs {
		if v == nil {
			continue
		}
		if err := binder.Argument(&in, i, v); err != nil {
			return err
		}
	}
	return nil
}

// Pattern returns the names under which the event is counted and traced. They are
// names that the app has registered, never ones that a client has chosen, so their
// number is bounded. namespace is the socket's, or "*" if the app has not registered
// that one. event is the event's name, or "*" if no handler is registered for it by
// name. In a callback of [OnAck] it is the name that was emitted.
func (c *Context) Pattern() (namespace, event string) {
	srv, r := c.srv(), c.srv().registry.Load()
	namespace, event = c.name, c.event
	if !srv.knows(r, namespace) {
		namespace = anyName
	}
	switch c.kind {
	case kindConnect, kindDisconnect, kindLost, kindExpired, kindAck:
	default:
		if h, named := r.find(r.Namespaces[c.name], event, false); h == nil || named {
			event = anyName
		}
	}
	return namespace, event
}

// The states of the acknowledgement of an event, in Context.acking.
const (
	ackOpen     uint32 = iota // the handler's results are acknowledged
	ackDeferred               // DeferAck was called
	ackSettled                // the event has been acknowledged, or will never be
)

// DeferAck returns a function that acknowledges the event, and keeps the handler's
// results from doing so. The function may be called from any goroutine, at any time,
// also after the handler has returned. Only its first call has an effect. The client's
// next events do not wait for it.
//
//	srv.On("slow", func(c *socketio.Context, j Job) error {
//		ack := c.DeferAck()
//		go func() { ack(work(j)) }() // func work(Job) (Result, error)
//		return nil
//	})
//
// The function takes what a handler returns, with the same meaning: nil is no value,
// [Args] are several, anything else is one. An error is treated as if the handler had
// returned it, except that the error handler runs on the goroutine that calls the
// function. If the client asked for no acknowledgement, the values are dropped. The
// function returns
//
//   - [ErrAcked] if the event has been acknowledged before, by this function,
//     by another one that DeferAck returned for the event, or by the handler;
//   - a [*DisconnectError] if the client has left, and the other errors of [Socket.Emit];
//   - an error if the values cannot be encoded; the error handler gets it, too.
//
// What a handler returns after DeferAck is not acknowledged, with one exception: if it
// returns an error or panics before the function has been called, that is the
// acknowledgement. So a handler may still refuse an event, and its results may name the
// types of the answer. If the function is never called, the event stays unanswered. The
// server keeps nothing for it. The handler must bound the work under way for one client.
//
// Middleware and hooks see the handler return without values. [Server.Shutdown]
// waits for deferred acknowledgements as it does for handlers, up to
// [Options].DrainTimeout.
func (c *Context) DeferAck() (ack func(result any, err error) error) {
	if c.hasID {
		c.from().deferred.Add(1)
	}
	if !c.acking.CompareAndSwap(ackOpen, ackDeferred) && c.hasID {
		c.from().deferEnded()
	}
	return c.ackLater
}

// NoAck leaves the event unanswered even if the client asked for an acknowledgement.
// The client's callback is then not called, or gets the error of its timeout. An error
// that the handler returns still goes to the error handler. Without NoAck every handler
// that returns without an error acknowledges, if need be with no value. NoAck has no
// effect when the event has been acknowledged.
func (c *Context) NoAck() {
	before := c.acking.Swap(ackSettled)
	if !c.hasID || before == ackSettled {
		return
	}
	if before == ackDeferred {
		c.from().deferEnded()
	}
}

// ackLater is the function that DeferAck returns.
func (c *Context) ackLater(result any, err error) error {
	if !c.acking.CompareAndSwap(ackDeferred, ackSettled) {
		return ErrAcked
	}
	if c.hasID {
		defer c.from().deferEnded() // when the acknowledgement is queued
	}
	values := argsOf(result)
	failed := err != nil
	undelivered, err := c.conclude(values, err)
	switch {
	case undelivered != nil:
		return undelivered
	case failed:
		return nil // the error handler has handled it
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
		defer c.from().deferEnded()
	}
	_, _ = c.conclude(nil, err)
}

// conclude acknowledges an event, if the client asked for that: with the values of ack
// or, if err is not nil, with what the error handler makes of err. undelivered is set if
// the client cannot be reached. why is set if the values were not sent.
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
	return nil, err
}

// acknowledge sends the values of an acknowledgement. err is set if they cannot be
// encoded, undelivered if the client cannot be reached.
func (c *Context) acknowledge(ack Args) (undelivered, err error) {
	p, err := c.srv().packets.Encode(parser.Header{Type: parser.Ack, Namespace: c.name, ID: c.id, HasID: true}, ack, true)
	if err != nil {
		return nil, fmt.Errorf("socketio: acknowledge %.100q: %w", c.event, err)
	}
	if _, undelivered = c.deliver(p, false, nil); undelivered != nil {
		c.closeIfFull(undelivered) // otherwise the client would wait for ever
		c.log(slog.LevelDebug, "socketio: acknowledgement not sent", undelivered)
	}
	return undelivered, nil
}
