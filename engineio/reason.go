package engineio

import (
	"errors"
)

// Reason says why a connection ended. The strings are those of
// Flask-SocketIO, plus three of our own: parse error, slow client and server
// shutdown.
type Reason string

const (
	// ReasonClientDisconnect: the client sent a CLOSE packet.
	ReasonClientDisconnect Reason = "client disconnect"
	// ReasonServerDisconnect: the application closed the connection.
	ReasonServerDisconnect Reason = "server disconnect"
	// ReasonPingTimeout: no PONG came within Options.PingTimeout of a PING.
	ReasonPingTimeout Reason = "ping timeout"
	// ReasonTransportClose: the WebSocket ended: closed by the client, lost,
	// or closed by the server because a message broke the size limit.
	ReasonTransportClose Reason = "transport close"
	// ReasonTransportError: a polling request was aborted, overlapped another
	// of its kind, was too large or broke the protocol; or the client broke the
	// WebSocket protocol or sent text over it that is not UTF-8.
	ReasonTransportError Reason = "transport error"
	// ReasonParseError: the client sent something that is not a packet.
	ReasonParseError Reason = "parse error"
	// ReasonSlowClient: the client took nothing for Options.WriteTimeout, or
	// was furthest behind when Options.Limits.SendBudget was used up, or the
	// application closed it because of ErrSendQueueFull.
	ReasonSlowClient Reason = "slow client"
	// ReasonServerShutdown: Server.Shutdown was called.
	ReasonServerShutdown Reason = "server shutdown"
)

var (
	// ErrClosed is returned for a connection that has ended or is ending.
	ErrClosed = errors.New("engineio: connection closed")
	// ErrSendQueueFull is returned by Conn.Send if too much waits to be sent to
	// the client already (Options.Limits.SendQueueLimit). Nothing has been queued, and
	// the connection goes on.
	ErrSendQueueFull = errors.New("engineio: the send queue is full")
	// ErrServerClosed is the refusal of a handshake after Shutdown.
	ErrServerClosed = errors.New("engineio: server closed")
)

// CloseError is why a connection ended: the cause of the context of a closed
// Conn. errors.Is(err, ErrClosed) holds for it.
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
