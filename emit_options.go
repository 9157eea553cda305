package socketio

import (
	"errors"
	"fmt"
)

// EmitOption says to whom and how an event is sent, see [Socket.Emit]. The
// order of options does not matter. Without [To] or [Broadcast] a [Socket] and a
// [Context] emit to their client, a [Namespace] and a [Server] to everyone.
type EmitOption interface{ apply(*emission) }

// emission is one Emit or Call with its options.
type emission struct {
	ns         string
	rooms      []string
	targeted   bool // To was given, though perhaps without rooms
	broadcast  bool
	skipSelf   bool
	skip       []string
	except     []string
	ack        bound
	volatile   bool
	local      bool // for the broker
	noCompress bool
	err        error
}

type emitOption func(*emission)

func (f emitOption) apply(e *emission) { f(e) }

// To selects everyone in at least one of the rooms, each once; a room may be a
// session id. Several To add up. The sender is included if it is in one of
// them, see [SkipSelf]. No room, or the room "", is nobody. Flask-SocketIO: to, room.
func To(rooms ...string) EmitOption {
	return emitOption(func(e *emission) {
		e.targeted = true
		if e.rooms == nil {
			e.rooms = rooms
			return
		}
		e.rooms = append(e.rooms[:len(e.rooms):len(e.rooms)], rooms...)
	})
}

// Broadcast selects everyone in the namespace, the sender included, see
// [SkipSelf]. With [To] it adds nothing. Flask-SocketIO: broadcast=True.
func Broadcast() EmitOption { return broadcastOption }

// SkipSelf leaves out the client of the socket that emits, and nobody else.
// Flask-SocketIO: include_self=False.
func SkipSelf() EmitOption { return skipSelfOption }

// Volatile sends the event only to clients that can take it now: it is dropped
// where the connection is busy, rather than queued. Such events may be lost.
func Volatile() EmitOption { return volatileOption }

// Local sends the event to clients of this server only, even where a broker
// connects it with others. Flask-SocketIO: ignore_queue.
func Local() EmitOption { return localOption }

var (
	broadcastOption  = emitOption(func(e *emission) { e.broadcast = true })
	skipSelfOption   = emitOption(func(e *emission) { e.skipSelf = true })
	volatileOption   = emitOption(func(e *emission) { e.volatile = true })
	localOption      = emitOption(func(e *emission) { e.local = true })
	noCompressOption = emitOption(func(e *emission) { e.noCompress = true })
	compressOption   = emitOption(func(e *emission) { e.noCompress = false })
)

// Skip leaves out the sockets with these session ids. Flask-SocketIO: skip_sid.
func Skip(sids ...string) EmitOption {
	return emitOption(func(e *emission) { e.skip = append(e.skip, sids...) })
}

// Except leaves out everyone in at least one of these rooms.
func Except(rooms ...string) EmitOption {
	return emitOption(func(e *emission) { e.except = append(e.except, rooms...) })
}

// InNamespace emits in another namespace. The client of a socket is then the
// same connection's socket there, if there is one: otherwise the error is
// [ErrUnknownSocket]. Flask-SocketIO: namespace.
func InNamespace(name string) EmitOption {
	return emitOption(func(e *emission) {
		var err error
		if e.ns, err = namespaceName(name); err != nil {
			e.err = fmt.Errorf("socketio: InNamespace: %w", err)
		}
	})
}

// OnAck asks for an acknowledgement and has the handler called with it, for
// each client that answers:
//
//	func(*Context[, args...]) [error]
//
// with the arguments of the acknowledgement, decoded as for [Namespace.On]; the
// Context is on the socket of the client that answered. The callbacks of one
// socket run one after another, beside its events, so that a handler may wait
// for them; what they return goes to the error handler. A client that leaves
// without an answer does not call it. OnAck panics if the handler has another
// shape. Flask-SocketIO: callback.
func OnAck(handler any) EmitOption {
	call := mustCompile(kindAck, "OnAck", caller(1), handler)
	return emitOption(func(e *emission) { e.ack = call })
}

// Compress says whether the packet may be compressed, where the connection can;
// without this option it may. Already compressed data is best sent with
// Compress(false).
func Compress(on bool) EmitOption {
	if on {
		return compressOption
	}
	return noCompressOption
}

// newEmission puts the options together.
func newEmission(from *Socket, ns string, opts []EmitOption) (*emission, error) {
	e := &emission{ns: ns}
	for _, opt := range opts {
		if opt != nil {
			opt.apply(e)
		}
	}
	switch {
	case e.err != nil:
		return nil, e.err
	case e.ns == anyName:
		return nil, errors.New(`socketio: Namespace("*") is for handlers; emit in a namespace by its name`)
	case from == nil && e.skipSelf:
		return nil, errors.New("socketio: SkipSelf needs a sender; emit on a Socket or a Context, or use Skip(sid)")
	}
	return e, nil
}
