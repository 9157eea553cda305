package engineio

import (
	"errors"
)

// Reason says why a connection ended. The strings are those of Flask-SocketIO and
// three more: parse error, slow client and server shutdown.
type Reason string

const (
	// ReasonClientDisconnect: the client sent a CLOSE packet.
	ReasonClientDisconnect Reason = "client disconnect"
	// ReasonServerDisconnect: the application closed the connection.
	ReasonServerDisconnect Reason = "server disconnect"
	// ReasonPingTimeout: no PONG came within Options.PingTimeout of a PING.
	ReasonPingTimeout Reason = "ping timeout"
	// ReasonTransportClose: the WebSocket ended. The client closed it, it was lost,
	// or the server closed it because a message was larger than Options.Limits.MaxPayload.
	ReasonTransportClose Reason = "transport close"
	// ReasonTransportError: a polling request was aborted, overlapped another of
	// its kind, was too large or broke the protocol. Over WebSocket, the client broke
	// that protocol or sent text that is not UTF-8.
	ReasonTransportError Reason = "transport error"
	// ReasonParseError: the client sent something that is not a packet.
	ReasonParseError Reason = "parse error"
	// ReasonSlowClient: the client took nothing for Options.WriteTimeout, or it
	// was furthest behind when Options.Limits.SendBudget was used up, or the
	// application closed the connection because of ErrSendQueueFull.
	ReasonSlowClient Reason = "slow client"
	// ReasonServerShutdown: Server.Shutdown was called.
	ReasonServerShutdown Reason = "server shutdown"
)

var (
	// ErrClosed is returned for a connection that has ended or is ending.
	ErrClosed = errors.New("engineio: connection closed")
	// ErrSendQueueFull is returned by Conn.Send if too much already waits to be sent
	// to the client (Options.Limits.SendQueueLimit). Nothing has been queued, and the
	// connection stays open.
	ErrSendQueueFull = errors.New("engineio: the send queue is full")
	// ErrServerClosed is the error of connections that Shutdown ends, and of
	// handshakes after it.
	ErrServerClosed = errors.New("engineio: server closed")
)

// CloseError says why a connection ended. It is the cause of the context of a closed
// Conn, and errors.Is(err, ErrClosed) holds for it.
type CloseError struct {
	Reason Reason
	Err    error // detail; may be nil
}

// Error returns the reason and the detail.
func (e *CloseError) Error() string {
	s := ErrClosed.Error() + ": " + string(e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns ErrClosed and the detail.
func (e *CloseError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrClosed}
	}
	return []error{ErrClosed, e.Err}
}
