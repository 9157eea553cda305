package engineio

import (
	"context"
	"errors"
	"net/http"

	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

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
	var limit *limitError
	var frames *wsframe.Error
	switch {
	case errors.As(err, &limit):
		return "end: " + limit.option,
			"engineio: a connection was closed at a limit: raise Options.Limits." + limit.option + " if clients need more"
	case errors.Is(err, ErrSendQueueFull):
		return "end: SendQueueLimit", "engineio: a connection was closed because more waited to be sent to its client than it may: " +
			"raise Options.Limits.SendQueueLimit if bursts are larger, or make the sender wait with Flush"
	case reason == ReasonSlowClient:
		return "end: slow client", "engineio: a connection was closed because its client did not take what was sent to it: " +
			"raise Options.WriteTimeout if networks stall for longer"
	case reason == ReasonParseError:
		return "end: parse error", "engineio: a connection was closed because its client broke the protocol: " +
			"check that it is a Socket.IO client, and that no proxy changes what it sends"
	case errors.As(err, &frames):
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

// noteControl warns that a client is slowed down.
func (s *Server) noteControl() {
	const kind = "control rate"
	if ctx := context.Background(); s.notices.Enabled(ctx, kind) {
		s.notices.Warn(ctx, kind, "engineio: the server reads more slowly from a client because it sends more control packets (pings, pongs, NOOPs) than "+
			"Options.Limits.ControlRate allows", "rate", s.opts.Limits.ControlRate)
	}
}

// noteDeadline warns if err, from http.ResponseController, says that a deadline could
// not be set. Writes to such a client and reads from it may then wait for ever.
func (s *Server) noteDeadline(err error) {
	if errors.Is(err, http.ErrNotSupported) {
		s.notices.Warn(context.Background(), "deadline", "engineio: deadlines cannot be set, so a client that stops reading or sending "+
			"keeps its request for ever: make the middleware around this server pass on SetReadDeadline and SetWriteDeadline, "+
			"or give its http.ResponseWriter an Unwrap method", "error", err)
	}
}
