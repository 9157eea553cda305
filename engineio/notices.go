package engineio

import (
	"context"
	"errors"
	"net/http"

	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

// limitError is the end of a connection, or the refusal of a request, at a limit
// that an option sets. Each option is a kind of notice of its own.
type limitError struct {
	option string // name of the field of Options
	what   string // what the client did
}

func (e *limitError) Error() string {
	return "engineio: " + e.what + " (Options.Limits." + e.option + ")"
}

// noteEnd logs why the server has cut a connection: at level warn the first of a
// kind and then one each minute with a count. The Receiver knows of ordinary ends. Conn.end
// calls it for every connection, once, with the error that it was given; a new kind
// of cut needs a limitError, or a case in cutNotice.
func (s *Server) noteEnd(remote string, reason Reason, err error) {
	ctx := context.Background()
	kind, msg := cutNotice(reason, err)
	if kind != "" && s.notices.Enabled(ctx, kind) {
		s.notices.Warn(ctx, kind, msg, "reason", string(reason), "error", err, "remote", remote)
	}
}

// cutNotice returns the kind of an end and what an operator should know of it, or
// "" for the ends that are part of every day: clients that leave, vanish or
// abort a request, and what the application ends.
func cutNotice(reason Reason, err error) (kind, msg string) {
	var limit *limitError
	var frames *wsframe.Error
	switch {
	case errors.As(err, &limit):
		return "end: " + limit.option,
			"engineio: a connection was closed at a limit: raise Options.Limits." + limit.option + " if clients need more"
	case errors.Is(err, ErrSendQueueFull):
		return "end: SendQueueLimit", "engineio: a connection was closed because more waited to be sent to its client than it may: " +
			"raise Options.Limits.SendQueueLimit if bursts are larger, or have what sends them wait with Flush"
	case reason == ReasonSlowClient:
		return "end: slow client", "engineio: a connection was closed because its client did not take what was sent to it: " +
			"raise Options.WriteTimeout if networks stall for longer"
	case reason == ReasonParseError:
		return "end: parse error", "engineio: a connection was closed because its client broke the protocol: " +
			"is it a Socket.IO client, and does nothing on the way change what it sends?"
	case errors.As(err, &frames):
		return "end: WebSocket", "engineio: a connection was closed because its client broke the WebSocket protocol or sent text that is not UTF-8: " +
			"is it up to date, and does nothing on the way change what it sends?"
	case errors.Is(err, errPollOverlap) || errors.Is(err, errPostOverlap):
		return "end: overlap", "engineio: a connection was closed because two requests of it came at one time: " +
			"does a proxy repeat requests, or do two clients share a session?"
	case errors.Is(err, errGoexit):
		return "end: Goexit", "engineio: a connection was closed because the application's code called runtime.Goexit: return instead"
	}
	return "", ""
}

// noteControl warns of a client that is slowed down.
func (s *Server) noteControl() {
	const kind = "control rate"
	if ctx := context.Background(); s.notices.Enabled(ctx, kind) {
		s.notices.Warn(ctx, kind, "engineio: a client is read from more slowly because it sends packets that mean nothing faster than "+
			"Options.Limits.ControlRate: pings, pongs, NOOPs", "rate", s.opts.Limits.ControlRate)
	}
}

// noteDeadline warns if an error of http.ResponseController says that a deadline
// could not be set: writes to and reads from such a client may then wait for ever.
func (s *Server) noteDeadline(err error) {
	if errors.Is(err, http.ErrNotSupported) {
		s.notices.Warn(context.Background(), "deadline", "engineio: deadlines cannot be set, so that a client which stops reading or sending "+
			"holds its request: have the middleware around this server pass on SetReadDeadline and SetWriteDeadline, "+
			"or give its http.ResponseWriter an Unwrap method", "error", err)
	}
}
