package socketio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/seed-d124fa34/socketio/internal/mailbox"
	"github.com/seed-d124fa34/socketio/parser"
)

// Context is one event on one socket, as a handler gets it: the event's name
// and arguments, and the socket, all of whose methods it has. It is never
// changed, so it may be kept and used from any goroutine; after the handler
// has returned, Socket is the shorter thing to keep.
type Context struct {
	*Socket

	event string
	args  parser.Args
	id    uint64 // of the acknowledgement asked for, if hasID
	hasID bool
	kind  eventKind
	// acking is what becomes of the acknowledgement: ackOpen and so on.
	acking atomic.Uint32
	// details are what events have in common or few have. They are shared and never change.
	details *contextDetails
	size    int // what the event counts in the connection's receive queue
	link    mailbox.Link[*task]
}

// eventKind is what has happened.
type eventKind uint8

const (
	kindEvent      eventKind = iota // the client has sent an event
	kindDropped                     // one that is not handled, because of Limits.EventRate
	kindConnect                     // the client connects
	kindDisconnect                  // the client has left
	kindAck                         // the client has acknowledged an event, or will not
)

// contextDetails are what a context has besides its event.
type contextDetails struct {
	client  *client         // the connection on which the event came; nil for kindAck
	ack     *ackCallback    // what to call, for kindAck
	failure error           // why there is no acknowledgement, for kindAck
	ctx     context.Context // what a hook made of the socket's; nil: that
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

// Args decodes all arguments into the types encoding/json chooses for an
// interface value, []byte for binary ones. The argument of "connect" is the
// client's auth payload, if it sent one; that of "disconnect" is a [Reason].
// An argument that cannot be decoded is nil; [Context.Bind] tells why.
func (c *Context) Args() Args { return decodeAll(c.args) }

// RawArgs returns all arguments as they came, each a [Raw], to be emitted again:
//
//	return c.Emit(c.Event(), c.RawArgs(), socketio.Broadcast(), socketio.SkipSelf())
//
// One of a parser that knows no Raw is decoded as Args does.
func (c *Context) RawArgs() Args { return parser.RawArgs(c.args) }

// NumArgs returns how many arguments the event has, none of which is decoded for it.
// A handler whose parameters are more or fewer finds out with it what the client
// left out; with [Options].StrictArgs such an event is an error.
func (c *Context) NumArgs() int { return c.args.Len() }

// Bind decodes the arguments, in order, into the variables that vs point to.
// Variables without an argument keep their value; a nil pointer skips an
// argument. The error is an [*ArgError].
func (c *Context) Bind(vs ...any) error {
	for i, v := range vs {
		if v == nil {
			continue
		}
		if err := c.bindArg(i, v); err != nil {
			return err
		}
	}
	return nil
}

func decodeAll(args parser.Args) Args {
	all := make(Args, args.Len())
	for i := range all {
		if err := args.Bind(i, &all[i]); err != nil {
			all[i] = nil
		}
	}
	return all
}

// Pattern returns the names under which the event is counted and traced: those
// that the server knows, never those that clients make up, so that there are as
// many as the app has. namespace is the socket's; "*" if clients may choose it
// (Options.Namespaces) and it has no handlers of its own. event is the event's
// name; "*" if no handler is registered for it by name, whether a catch-all
// handles it or nothing does. In a callback of [OnAck] it is the name that was
// emitted.
func (c *Context) Pattern() (namespace, event string) {
	srv, r := c.srv(), c.srv().registry.Load()
	namespace, event = c.name, c.event
	if !srv.knows(r, namespace) {
		namespace = anyName
	}
	switch c.kind {
	case kindConnect, kindDisconnect, kindAck:
	default:
		if h, named := r.find(r.spaces[c.name], event, false); h == nil || named {
			event = anyName
		}
	}
	return namespace, event
}

// ErrAcked: the event has been acknowledged before, see [Context.DeferAck].
var ErrAcked = errors.New("socketio: the event has been acknowledged already")

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
		c.from().deferred.Add(1)
	}
	if !c.acking.CompareAndSwap(ackOpen, ackDeferred) && c.hasID {
		c.from().undeferred()
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
	if before == ackDeferred {
		c.from().undeferred()
	}
}

// ackLater is the function that DeferAck returns.
func (c *Context) ackLater(result any, err error) error {
	if !c.acking.CompareAndSwap(ackDeferred, ackSettled) {
		return ErrAcked
	}
	if c.hasID {
		defer c.from().undeferred() // when the acknowledgement is queued
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
		defer c.from().undeferred()
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
