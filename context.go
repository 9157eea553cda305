package socketio

import (
	"context"
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
	kind  handlerKind
	// acking is what becomes of the acknowledgement: ackOpen and so on.
	acking atomic.Uint32
	more   *extra // what few events have; nil: nothing
	size   int    // what the event counts in the connection's receive queue
	link   mailbox.Link[*task]
}

// extra is what only some contexts have.
type extra struct {
	ack     *ackCallback    // what to call, for kindAck
	failure error           // why there is no acknowledgement, for kindAck
	ctx     context.Context // what a hook made of the socket's; nil: that
}

// Context is [Socket.Context], with the values that hooks added for the handling
// of this event, see [Hooks].
func (c *Context) Context() context.Context {
	if c.more != nil && c.more.ctx != nil {
		return c.more.ctx
	}
	return c.Socket.Context()
}

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
func (c *Context) RawArgs() Args { return rawAll(c.args) }

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

func rawAll(args parser.Args) Args {
	all := make(Args, args.Len())
	for i := range all {
		var r Raw
		if err := args.Bind(i, &r); err == nil {
			all[i] = r
		} else if err := args.Bind(i, &all[i]); err != nil {
			all[i] = nil
		}
	}
	return all
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
