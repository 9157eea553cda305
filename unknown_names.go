package socketio

import (
	"context"
	"log/slog"

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
