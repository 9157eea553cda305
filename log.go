package socketio

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"
	"unicode"

	"github.com/seed-d124fa34/socketio/internal/notice"
	"github.com/seed-d124fa34/socketio/internal/similar"
)

// logUnknown logs that a client used a name that nobody has registered. kind is
// what it is for internal/notice, similar finds a registered name like it.
func (srv *Server) logUnknown(ctx context.Context, kind, msg, ns, event string, similar func() string, attrs ...any) {
	if !srv.log.Enabled(ctx, slog.LevelWarn) {
		return
	}
	novelty := srv.unknown.Look(printable(ns), printable(event))
	if novelty == notice.OldName && !srv.log.Enabled(ctx, slog.LevelDebug) || novelty == notice.TooManyNames && !srv.notices.Enabled(ctx, kind) {
		return
	}
	attrs = append([]any{"namespace", printable(ns)}, attrs...)
	if event != "" {
		attrs = append(attrs, "event", printable(event))
	}
	if name := similar(); name != "" {
		attrs = append(attrs, "did_you_mean", name)
	}
	switch novelty {
	case notice.NewName:
		srv.log.WarnContext(ctx, msg, attrs...)
	case notice.OldName:
		srv.log.DebugContext(ctx, msg, attrs...)
	case notice.TooManyNames:
		srv.notices.Warn(ctx, kind, msg, attrs...)
	}
}

// logNoHandler logs an event that nothing handles.
func (c *Context) logNoHandler() {
	c.srv().logUnknown(c.client.context(), "unknown event",
		"socketio: no handler for the event: register one, or a catch-all (On(\"*\", ...)) to end this",
		c.name, c.event, c.similarEvent, "sid", short(c.sid), "acknowledgement", c.hasID)
}

func (c *Context) similarEvent() string {
	r := c.srv().registry.Load()
	var names []string
	for _, sp := range [2]*space{r.spaces[c.name], r.star} {
		if sp != nil {
			for name := range sp.events {
				names = append(names, name)
			}
			for name := range sp.class {
				names = append(names, name)
			}
		}
	}
	return similar.Name(c.event, names)
}

// logNoNamespace logs a CONNECT for a namespace that does not exist.
func (cl *client) logNoNamespace(ns string) {
	cl.srv.logUnknown(cl.context(), "unknown namespace",
		"socketio: a client asks for a namespace that does not exist: register a handler in it, or add it to Options.Namespaces",
		ns, "", func() string { return similar.Name(ns, cl.srv.Namespaces()) }, "connection", short(cl.conn.ID()))
}

// logMisfit logs an argument that does not fit: for each handler now and then,
// since one small frame is enough to provoke it.
func (c *Context) logMisfit(err error) {
	srv, ctx := c.srv(), c.client.context()
	ns, event := c.Pattern() // of which there are as many as the app has
	if c.kind == kindAck {
		event = "answers" // to events whose names the app may make up
	}
	kind := "misfit " + ns + " " + event
	if srv.notices.Enabled(ctx, kind) {
		srv.notices.Warn(ctx, kind, "socketio: an argument does not fit its parameter: a client and a handler disagree",
			"namespace", printable(c.name), "event", printable(c.event), "sid", short(c.sid), "error", err)
	}
}

// printable is what a client chose, as it stands in a log: of bounded length, and
// in quotes if it holds what a terminal or a reader of lines would obey.
func printable(s string) string {
	const limit = 100
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// short is enough of a session id to recognise it in a log, and too little to use it.
func short(sid string) string { return sid[:min(6, len(sid))] + "…" }

// logFailure logs what no error handler has taken care of.
func (c *Context) logFailure(err error) {
	if _, ok := errors.AsType[*PanicError](err); ok {
		return // logged when recovered
	}
	if errors.Is(err, ErrNoHandler) {
		c.logNoHandler()
		return
	}
	if _, misfit := errors.AsType[*ArgError](err); misfit {
		c.logMisfit(err)
		return
	}
	c.log(slog.LevelWarn, "socketio: handler failed", err)
}

// recovered counts and logs the panic of a function of the app. It is called
// by the deferred function that recovered it, so that the stack is that of the panic.
func (srv *Server) recovered(where string, v any, attrs ...any) *PanicError {
	srv.stats.panics.Add(1)
	err := &PanicError{v, debug.Stack(), where}
	srv.log.Error("socketio: "+where+" panicked", append(attrs, "error", err, "stack", string(err.Stack))...)
	return err
}

// recovered is Server.recovered while an event is handled.
func (c *Context) recovered(where string, v any) *PanicError {
	return c.srv().recovered(where, v, "namespace", printable(c.name), "event", printable(c.event), "sid", short(c.sid))
}

func (c *Context) log(level slog.Level, msg string, err error, attrs ...any) {
	log, ctx := c.srv().log, c.client.context()
	if log.Enabled(ctx, level) {
		attrs = append([]any{"namespace", printable(c.name), "event", printable(c.event), "sid", short(c.sid), "error", err}, attrs...)
		log.Log(ctx, level, msg, attrs...)
	}
}

// debugs reports whether what is logged at debug is written: what such a line says
// of each client costs more than to ask.
func (srv *Server) debugs() bool { return srv.log.Enabled(context.Background(), slog.LevelDebug) }
