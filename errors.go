package socketio

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/binding"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/plural"
	"github.com/seed-d124fa34/socketio/parser"
)

// Errors that callers compare with [errors.Is].
var (
	// ErrClosed: the socket has left its namespace, or its connection has ended. The
	// error in the chain is a [*DisconnectError], which says why.
	ErrClosed = errors.New("socketio: the client has left the namespace")
	// ErrSendQueueFull: with this packet, more than [Options].Limits.SendQueueLimit
	// would wait to be sent to the client. Nothing has been queued, and the client
	// stays. [Socket.Flush] waits until there is room.
	ErrSendQueueFull = errors.New("socketio: the client's send queue is full")
	// ErrUnknownSocket: no socket of this namespace has this session id.
	ErrUnknownSocket = errors.New("socketio: no socket with this sid in the namespace")
	// ErrNoHandler: a client asked for the acknowledgement of an event that
	// has no handler. Only error handlers and middleware see it.
	ErrNoHandler = errors.New("socketio: no handler for the event")
	// ErrArgCount: an event has fewer or more arguments than its handler takes,
	// see [Options].StrictArgs. The error in the chain is an [*ArgError].
	ErrArgCount = binding.ErrCount
	// ErrRoomName: no room can have this name. An empty name is refused wherever a
	// room is named, so that an empty variable never selects everyone; there are other
	// methods for everyone. Besides, a socket cannot join a room whose name has more
	// than 1,024 bytes or is the session id of another socket, on whatever server:
	// it would get that socket's private messages.
	ErrRoomName = errors.New("socketio: this cannot be a room's name")
	// ErrAcked: the event has been acknowledged before, see [Context.DeferAck].
	ErrAcked = errors.New("socketio: the event has been acknowledged already")
	// ErrBrokerUnavailable: the [Broker] cannot be reached, or is too slow, and the message
	// was dropped; see [Options].Cluster.ReplayLimit.
	ErrBrokerUnavailable = cluster.ErrUnavailable
)

// Reason says why a socket left. The strings are those of Flask-SocketIO and three
// more.
type Reason = engineio.Reason

// The reasons a disconnect handler sees.
const (
	// ReasonClientDisconnect: the client left the namespace or closed the connection.
	ReasonClientDisconnect Reason = engineio.ReasonClientDisconnect
	// ReasonServerDisconnect: [Socket.Disconnect] was called.
	ReasonServerDisconnect Reason = engineio.ReasonServerDisconnect
	// ReasonPingTimeout: the client stopped answering pings.
	ReasonPingTimeout Reason = engineio.ReasonPingTimeout
	// ReasonTransportClose: the network connection ended, and the client had not left.
	ReasonTransportClose Reason = engineio.ReasonTransportClose
	// ReasonTransportError: the transport failed, or no handler of the connection
	// returned while more than [Options].Limits.ReceiveQueueLimit waited.
	ReasonTransportError Reason = engineio.ReasonTransportError
	// ReasonParseError: the client broke the protocol.
	ReasonParseError Reason = engineio.ReasonParseError
	// ReasonSlowClient: the client took nothing for [Options].WriteTimeout, or more
	// waited for it than [Options].Limits.SendQueueLimit or SendBudget allows.
	ReasonSlowClient Reason = engineio.ReasonSlowClient
	// ReasonServerShutdown: [Server.Shutdown] was called.
	ReasonServerShutdown Reason = engineio.ReasonServerShutdown
)

// Error is the only error whose text is sent to clients. If a connect handler returns
// it, the client is refused, and its connect_error has Message and Data. If an event
// handler returns it and the client asked for an acknowledgement, the acknowledgement has
// one argument, unless an error handler decides otherwise:
//
//	{"error": {"message": Message, "data": Data}}
//
// Any other error is logged and not sent.
type Error struct {
	// Message is what the client gets. If it is empty, a refusal has "Connection
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

// DisconnectError says that a socket has left, and why. [Socket.Emit] and [Socket.Call]
// return it for a socket that has left, and it is the cause ([context.Cause]) of
// [Socket.Context]. errors.Is(err, ErrClosed) is true.
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
	Index int    // of the argument, from 0; with StrictArgs, of the first missing or superfluous one
	Type  string // the Go type of the parameter; "" for a superfluous argument
	Err   error  // the decoder's error, or one with ErrArgCount in its chain
}

// Error names the event, the argument and the type.
func (e *ArgError) Error() string {
	err := e.Err
	if errors.Is(err, ErrArgCount) {
		return fmt.Sprintf("%v: event %.100q", err, e.Event)
	}
	if b, ok := errors.AsType[*parser.BindError](err); ok {
		err = b.Err // the rest of b is in this error, too
	}
	return fmt.Sprintf("socketio: argument %d of event %.100q does not fit %s: %.300v", e.Index, e.Event, e.Type, err)
}

// Unwrap returns the decoder's error.
func (e *ArgError) Unwrap() error { return e.Err }

// PanicError says that a function of the app panicked. An error handler gets it for a
// handler, and [Socket.Emit] returns it if the encoding of data panicked. The panic ends
// the event, not the program, and has been logged with its stack.
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

// LimitError says that one of [Limits] was reached. [Socket.Join] returns it beyond
// MaxRooms, Call and an Emit with [OnAck] beyond MaxPendingAcks; a callback of OnAck that
// takes an error gets it instead. An error handler gets it for an event that was dropped
// because of EventRate.
type LimitError struct {
	Limit string // the field of Limits: "MaxRooms", "MaxPendingAcks" or "EventRate"
	Max   int    // its value
}

// Error names the limit, its value and the option that sets it.
func (e *LimitError) Error() string {
	thing, most := "room", "the most a socket may be in"
	switch e.Limit {
	case limitPendingAcks:
		thing, most = "acknowledgement", "the most a socket may owe"
	case limitEventRate:
		thing, most = "event", "the most a client may send in a second"
	}
	return fmt.Sprintf("socketio: %s is %s (Options.Limits.%s)", plural.Of(e.Max, thing), most, e.Limit)
}

// CallError is the error of [Namespace.Call] if some of the clients asked did not
// answer. The answers that arrived are returned beside it. An Emit with [OnAck] returns
// it, too, if some clients owe too many answers to be asked and the callback takes no
// error.
type CallError struct {
	Missing []string // session ids of the clients that did not answer
	// Err is the context's error, or that of the first client that did not answer. A
	// [*ClusterError] is in its chain if servers did not say which clients they have.
	Err error
}

// Error counts the clients that did not answer and says why.
func (e *CallError) Error() string {
	if len(e.Missing) == 0 {
		return fmt.Sprintf("socketio: not all clients were asked: %v", e.Err)
	}
	return fmt.Sprintf("socketio: %s did not answer: %v", plural.Of(len(e.Missing), "client"), e.Err)
}

// Unwrap returns Err.
func (e *CallError) Unwrap() error { return e.Err }

// ClusterError says that an answer is not complete.
type ClusterError struct {
	// Missing names the servers that did not answer, or could not carry out the
	// request, as [Cluster.Servers] does. It may be empty: while the broker is not
	// available, this server does not know the others.
	Missing []string
	Err     error // the context's error, [ErrBrokerUnavailable] or another
}

// Error names the servers and says why.
func (e *ClusterError) Error() string {
	if len(e.Missing) == 0 {
		return fmt.Sprintf("socketio: not all servers were asked: %v", e.Err)
	}
	return "socketio: " + (&fleet.Error{Missing: e.Missing, Err: e.Err}).Error()
}

// Unwrap returns why.
func (e *ClusterError) Unwrap() error { return e.Err }

// join returns an error that combines both; either may be nil.
func (e *ClusterError) join(other *ClusterError) *ClusterError {
	switch {
	case e == nil:
		return other
	case other == nil:
		return e
	}
	return &ClusterError{slices.Concat(e.Missing, other.Missing), errors.Join(e.Err, other.Err)}
}

// clientError returns the *Error in err's chain, or nil.
func clientError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok && e != nil {
		return e
	}
	return nil
}

// sendError translates the engine's error about a packet for one client.
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
