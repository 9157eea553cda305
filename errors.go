package socketio

import (
	"errors"
	"fmt"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/parser"
)

// Errors that callers compare with [errors.Is].
var (
	// ErrClosed: the socket has left its namespace, or its connection is
	// gone. The error found is a [*DisconnectError], which says why.
	ErrClosed = errors.New("socketio: the client has left the namespace")
	// ErrSendQueueFull: so much waits to be sent to the client already that
	// the packet would exceed [Options].Limits.SendQueueLimit. Nothing has been queued,
	// and the client stays. [Socket.Flush] waits until there is room.
	ErrSendQueueFull = errors.New("socketio: the client's send queue is full")
	// ErrUnknownSocket: no socket of this namespace has this session id.
	ErrUnknownSocket = errors.New("socketio: no socket with this sid in the namespace")
	// ErrNoHandler: a client asked for the acknowledgement of an event that
	// has no handler. Only error handlers and middleware see it.
	ErrNoHandler = errors.New("socketio: no handler for the event")
	// ErrArgCount: an event has fewer or more arguments than its handler takes,
	// see [Options].StrictArgs. The error found is an [*ArgError].
	ErrArgCount = errors.New("socketio: wrong number of arguments")
	// ErrRoomName: no room can have this name. An empty one is refused wherever a
	// room is named, so that an empty variable never selects everyone; what
	// is for everyone has methods of its own. A room to be joined can, besides,
	// not have more than 1,024 bytes, nor be the session id of another socket, on
	// whichever server, whose private messages would be read.
	ErrRoomName = errors.New("socketio: this cannot be a room's name")
)

// Reason says why a socket left. The strings are those of Flask-SocketIO,
// with three more.
type Reason = engineio.Reason

// The reasons a disconnect handler sees.
const (
	// ReasonClientDisconnect: the client left the namespace or closed the connection.
	ReasonClientDisconnect Reason = engineio.ReasonClientDisconnect
	// ReasonServerDisconnect: [Socket.Disconnect] was called.
	ReasonServerDisconnect Reason = engineio.ReasonServerDisconnect
	// ReasonPingTimeout: the client stopped answering pings.
	ReasonPingTimeout Reason = engineio.ReasonPingTimeout
	// ReasonTransportClose: the network connection ended without a goodbye.
	ReasonTransportClose Reason = engineio.ReasonTransportClose
	// ReasonTransportError: the transport failed, or no handler of the
	// connection returned while many events waited ([Options].Limits.ReceiveQueueLimit).
	ReasonTransportError Reason = engineio.ReasonTransportError
	// ReasonParseError: the client broke the protocol.
	ReasonParseError Reason = engineio.ReasonParseError
	// ReasonSlowClient: the client took nothing for [Options].WriteTimeout, or
	// more waited for it than [Options].Limits.SendQueueLimit and [Options].Limits.SendBudget allow.
	ReasonSlowClient Reason = engineio.ReasonSlowClient
	// ReasonServerShutdown: [Server.Shutdown] was called.
	ReasonServerShutdown Reason = engineio.ReasonServerShutdown
)

// Error is the one error whose text travels to clients. Returned by a connect
// handler it refuses the client, whose connect_error carries Message and Data.
// Returned by an event handler it is acknowledged, if the client asked for an
// acknowledgement and no error handler decides otherwise, with one argument:
//
//	{"error": {"message": Message, "data": Data}}
//
// Any other error is logged and told to nobody.
type Error struct {
	// Message is what the client reads. Empty, in a refusal: "Connection
	// rejected by server", as in Flask-SocketIO.
	Message string `json:"message"`
	// Data is anything that can be encoded; nil is left out.
	Data any `json:"data,omitempty"`
}

// Error returns the message.
func (e *Error) Error() string {
	if e == nil || e.Message == "" {
		return "socketio: rejected"
	}
	return e.Message
}

// DisconnectError says that a socket has left, and why. It is what [Socket.Emit]
// and [Socket.Call] return for a socket that left, and the cause
// ([context.Cause]) of [Socket.Context]. errors.Is(err, ErrClosed) is true.
type DisconnectError struct {
	Reason Reason
	Err    error // the failure behind the reason; may be nil
}

// Error returns the reason and, if there is one, the failure behind it.
func (e *DisconnectError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%v: %s: %v", ErrClosed, e.Reason, e.Err)
	}
	return fmt.Sprintf("%v: %s", ErrClosed, e.Reason)
}

// Is reports whether target is [ErrClosed].
func (e *DisconnectError) Is(target error) bool { return target == ErrClosed }

// Unwrap returns the failure behind the reason.
func (e *DisconnectError) Unwrap() error { return e.Err }

// ArgError says that a client sent an argument that the handler's parameter
// cannot hold, or with [Options].StrictArgs too few or too many of them. The
// handler was not called.
type ArgError struct {
	Event string // the event's name
	Index int    // which argument of the event, from 0; the first missing or superfluous one
	Type  string // the Go type it should have become; "" for a superfluous one
	Err   error  // what the decoder said, or ErrArgCount in its chain
}

// Error names the event, the argument and the type.
func (e *ArgError) Error() string {
	err := e.Err
	if errors.Is(err, ErrArgCount) {
		return fmt.Sprintf("%v: event %.100q", err, e.Event)
	}
	if b, ok := errors.AsType[*parser.BindError](err); ok {
		err = b.Err // the rest of it has been said
	}
	return fmt.Sprintf("socketio: argument %d of event %.100q does not fit %s: %.300v", e.Index, e.Event, e.Type, err)
}

// Unwrap returns the decoder's error.
func (e *ArgError) Unwrap() error { return e.Err }

// PanicError is what an error handler gets when a handler panicked, and what
// [Socket.Emit] returns when encoding the data did. The panic ends the event,
// not the program, and has been logged with its stack.
type PanicError struct {
	Value any    // the panic's value
	Stack []byte // the goroutine's stack, as [runtime/debug.Stack] prints it

	where string // "handler" and the like
}

// Error prints the panic's value.
func (e *PanicError) Error() string {
	return fmt.Sprintf("socketio: %s panicked: %v", e.where, e.Value)
}

// Unwrap returns the panic's value when that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// CallError is the error of [Namespace.Call] when some of the clients asked
// did not answer. The answers that did arrive are returned beside it. It is also
// what an Emit with [OnAck] returns if some of its clients owe too many answers
// to be asked and the callback does not hear of it.
type CallError struct {
	Missing []string // session ids of the clients that did not answer
	// Err is the context's error, or the first client's failure; a
	// [*ClusterError] is in its chain if servers did not say whom they have.
	Err error
}

// Error counts the clients that did not answer and says why.
func (e *CallError) Error() string {
	if len(e.Missing) == 0 {
		return fmt.Sprintf("socketio: not all clients were asked: %v", e.Err)
	}
	return fmt.Sprintf("socketio: %d clients did not answer: %v", len(e.Missing), e.Err)
}

// Unwrap returns the context's error, or the first client's failure.
func (e *CallError) Unwrap() error { return e.Err }

// clientError returns the *Error in err's chain, or nil.
func clientError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok && e != nil {
		return e
	}
	return nil
}

// sendError translates what the engine said about a packet for one client.
func (s *Socket) sendError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, engineio.ErrSendQueueFull):
		return ErrSendQueueFull
	case errors.Is(err, engineio.ErrClosed):
		return s.leftError()
	default:
		return fmt.Errorf("socketio: send: %w", err)
	}
}
