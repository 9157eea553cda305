package engineio

import (
	"context"
	"errors"

	"github.com/seed-d124fa34/socketio/internal/wsframe"
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

// limitError says that a connection ended, or a request was refused, at a limit that an
// option sets. The log treats each option as a kind of its own.
type limitError struct {
	option string // name of the field of Options
	what   string // what the client did
}

func (e *limitError) Error() string {
	return "engineio: " + e.what + " (Options.Limits." + e.option + ")"
}

// noteEnd logs why the server has cut a connection: at level warn the first of a
// kind, and then one each minute with a count. It logs no ordinary ends, of which the
// Receiver hears. Conn.end calls it once for every connection, with its error. A new
// kind of cut needs a limitError or a case in cutNotice.
func (s *Server) noteEnd(remote string, reason Reason, err error) {
	ctx := context.Background()
	kind, msg := cutNotice(reason, err)
	if kind != "" && s.notices.Enabled(ctx, kind) {
		s.notices.Warn(ctx, kind, msg, "reason", string(reason), "error", err, "remote", remote)
	}
}

// cutNotice returns the kind of an end and what the log says of it. Both are "" for
// ordinary ends: the client leaves, vanishes or aborts a request, or the application
// closes the connection.
func cutNotice(reason Reason, err error) (kind, msg string) {
	if limit, ok := errors.AsType[*limitError](err); ok {
		return "end: " + limit.option,
			"engineio: a connection was closed at a limit: raise Options.Limits." + limit.option + " if clients need more"
	}
	switch {
	case errors.Is(err, ErrSendQueueFull):
		return "end: SendQueueLimit", "engineio: a connection was closed because more waited to be sent to its client than it may: " +
			"raise Options.Limits.SendQueueLimit if bursts are larger, or make the sender wait with Flush"
	case reason == ReasonSlowClient:
		return "end: slow client", "engineio: a connection was closed because its client did not take what was sent to it: " +
			"raise Options.WriteTimeout if networks stall for longer"
	case reason == ReasonParseError:
		return "end: parse error", "engineio: a connection was closed because its client broke the protocol: " +
			"check that it is a Socket.IO client, and that no proxy changes what it sends"
	case isFrameError(err):
		return "end: WebSocket", "engineio: a connection was closed because its client broke the WebSocket protocol or sent text that is not UTF-8: " +
			"check that it is up to date, and that no proxy changes what it sends"
	case errors.Is(err, errPollOverlap) || errors.Is(err, errPostOverlap):
		return "end: overlap", "engineio: a connection was closed because two of its requests came at the same time: " +
			"check that no proxy repeats requests, and that no two clients share a session"
	case errors.Is(err, errGoexit):
		return "end: Goexit", "engineio: a connection was closed because the application's code called runtime.Goexit: return instead"
	}
	return "", ""
}

func isFrameError(err error) bool {
	_, ok := errors.AsType[*wsframe.Error](err)
	return ok
}
