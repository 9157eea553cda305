package socketio

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"unicode"

	"github.com/seed-d124fa34/socketio/internal/mailbox"
	"github.com/seed-d124fa34/socketio/internal/notice"
	"github.com/seed-d124fa34/socketio/internal/similar"
)

// task is a Context in the form of a mailbox.Task.
type task Context

// box is the mailbox of a socket: its events are handled one after another.
type box = mailbox.Box[*task]

// queue puts an event into a box. It never waits.
func (srv *Server) queue(b *box, c *Context) { b.Put(srv.workers, (*task)(c)) }

// largeEvent is the size of an event, as enqueue counts it, above which runEvent grows
// the stack first. Decoding a large event needs a deep stack.
const largeEvent = 2 * eventOverhead

// Link returns the field in which the mailbox keeps the next event.
func (t *task) Link() *mailbox.Link[*task] { return &t.link }

// Slot returns that of the connection: all its events share a goroutine.
func (t *task) Slot() uint16 {
	if cl := t.details.client; cl != nil {
		return cl.slot
	}
	if cl := t.client(); cl != nil {
		return cl.slot
	}
	return 0 // of a client of another server
}

// Large reports whether runEvent grows the stack.
func (t *task) Large() bool { return t.size > largeEvent }

// Aborted is called if Run panicked or called runtime.Goexit.
func (t *task) Aborted(v any) { (*Context)(t).aborted(v) }

// Run handles the event.
func (t *task) Run() {
	c, s := (*Context)(t), t.Socket
	switch c.kind {
	case kindConnect:
		s.runConnect(c)
	case kindDisconnect:
		s.runDisconnect(c)
	case kindLost:
		s.runLost(c)
	case kindExpired:
		s.runExpired()
	case kindAck:
		c.runAck()
	default:
		if async := c.from().async; async != nil {
			async <- struct{}{}     // at Options.Limits.AsyncLimit, the events behind this one wait, too
			s.events.Go(c.runAlone) // runDisconnect waits for it
			return
		}
		c.runEvent()
	}
}

// dropEvents removes the events that wait in a box and are unwanted, and returns their
// number. Connect and disconnect events stay in the box.
func (srv *Server) dropEvents(b *box, unwanted func(*task) bool) int {
	return b.Drop(func(t *task) bool {
		return (t.kind == kindEvent || t.kind == kindDropped) && unwanted(t)
	}, func(t *task) { t.details.client.handled((*Context)(t)) })
}

// runAlone is runEvent in a goroutine of its own, with Options.AsyncHandlers.
func (c *Context) runAlone() {
	ended := false
	defer func() {
		<-c.from().async
		if !ended {
			c.aborted(recover())
		}
	}()
	c.runEvent()
	ended = true
}

// runEvent calls the handler of an event and acknowledges it.
func (c *Context) runEvent() {
	defer c.from().handled(c)
	if !c.wanted() {
		return
	}
	if c.size > largeEvent {
		mailbox.GrowStack()
	}
	c.settle(c.invoke())
}

// wanted reports whether the event must still be handled. That is not so if the client
// was refused, or if the server has made it leave, or is about to and could not
// acknowledge the event any more.
func (c *Context) wanted() bool {
	if cl := c.from(); cl.draining.Load() == drainOver && c.recovery == nil || !c.hearsFrom(cl) {
		return false
	}
	switch c.state.Load() {
	case stateJoined, stateAway:
		return true
	case stateLeaving:
		c.mu.Lock()
		defer c.mu.Unlock()
		return !c.drop
	}
	return false
}

// invoke calls the middleware and the handler, and the hooks around them. A
// panic becomes an error.
func (c *Context) invoke() (ack Args, err error) {
	if hs := c.srv().hooks.Load(); hs != nil {
		return hs.run(c, false, c.handle)
	}
	return c.handle()
}

// handle calls the middleware and the handler.
func (c *Context) handle() (ack Args, err error) {
	if c.kind == kindDropped {
		return nil, c.srv().errTooFast()
	}
	defer func() {
		if v := recover(); v != nil {
			ack, err = nil, c.recovered("handler", v)
		}
	}()
	return c.srv().registry.Load().run(c)
}

// errorAck is the acknowledgement that an *Error makes.
type errorAck struct {
	Error *Error `json:"error"`
}

// fail passes the error of a handler to the error handler, or to the log. It returns the
// acknowledgement; answer is false if there is none.
func (c *Context) fail(err error) (ack Args, answer bool) {
	unknown := errors.Is(err, ErrNoHandler)
	switch {
	case errors.Is(err, ErrClosed) && c.state.Load() != stateJoined:
		c.log(slog.LevelDebug, "socketio: the client left while its event was handled", err)
		return nil, false
	case unknown && !c.hasID:
		c.logNoHandler()
		return nil, false
	}
	c.countFailure(err)
	h := c.srv().registry.Load().errorHandler(c.name)
	if h == nil {
		if e := clientError(err); e != nil {
			return Args{errorAck{e}}, true
		}
		c.logFailure(err)
		return nil, false
	}
	result, err := c.callErrorHandler(h, err)
	if err != nil {
		c.logFailure(err)
		return nil, false
	}
	if failure, failed := result.(error); failed {
		if e := clientError(failure); e != nil {
			return Args{errorAck{e}}, !unknown
		}
		c.logFailure(failure)
		return nil, false
	}
	return argsOf(result), !unknown
}

// callErrorHandler calls the error handler. If that panics, it returns a PanicError.
func (c *Context) callErrorHandler(h errorHandler, failure error) (result any, err error) {
	defer func() {
		if v := recover(); v != nil {
			result, err = nil, c.recovered("error handler", v)
		}
	}()
	return h(c, failure), nil
}

// rejected is Flask-SocketIO's message of a refusal that has none.
const rejected = "Connection rejected by server"

// refusal returns what the client gets after its connect handler has failed.
func (c *Context) refusal(err error) *Error {
	e := clientError(err)
	if e == nil && errors.Is(err, ErrClosed) && c.hasLeft() {
		c.log(slog.LevelDebug, "socketio: the client left while its connect handler ran", err)
	} else if e == nil {
		c.countFailure(err)
		if h := c.srv().registry.Load().errorHandler(c.name); h == nil {
			c.logFailure(err)
		} else if result, err := c.callErrorHandler(h, err); err != nil {
			c.logFailure(err)
		} else {
			e, _ = result.(*Error)
		}
	}
	if e == nil {
		e = new(Error)
	}
	if e.Message == "" {
		e = &Error{Message: rejected, Data: e.Data}
	}
	c.log(slog.LevelDebug, "socketio: refused", e)
	return e
}

// countFailure counts the error of a handler. It does not count panics, which recovered
// counts, nor the errors of dropped events.
func (c *Context) countFailure(err error) {
	if _, ok := errors.AsType[*PanicError](err); !ok && c.kind != kindDropped {
		c.srv().stats.handlerErrors.Add(1)
	}
}

// aborted ends an event whose handling did not return. v is the value of a panic that
// was not recovered elsewhere (such as one in the Error method of the app's error), or
// nil for runtime.Goexit.
func (c *Context) aborted(v any) {
	if v != nil {
		_ = c.recovered("handler", v)
	} else {
		c.srv().stats.handlerErrors.Add(1)
		c.log(slog.LevelWarn, "socketio: handler failed", errGoexit)
	}
	if before := c.acking.Swap(ackSettled); before == ackDeferred && c.hasID {
		c.from().deferEnded()
	}
}

// logUnknown logs that a client used a name that is not registered. kind is the key for
// internal/notice; similar returns a similar registered name, "" if there is none.
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

// logNoHandler logs an event that has no handler.
func (c *Context) logNoHandler() {
	c.srv().logUnknown(c.connectionContext(), "unknown event",
		"socketio: no handler for the event: register one, or a catch-all (On(\"*\", ...))",
		c.name, c.event, c.similarEvent, "sid", short(c.sid), "acknowledgement", c.hasID)
}

func (c *Context) similarEvent() string {
	r := c.srv().registry.Load()
	var names []string
	for _, sp := range r.Layers(c.name) {
		if sp != nil {
			names = append(names, sp.Names()...)
		}
	}
	return similar.Name(c.event, names)
}

// logNoNamespace logs a CONNECT for a namespace that does not exist.
func (cl *client) logNoNamespace(ns string) {
	cl.srv.logUnknown(cl.conn.Context(), "unknown namespace",
		"socketio: a client asks for a namespace that does not exist: register a handler in it, or add it to Options.Namespaces",
		ns, "", func() string { return similar.Name(ns, cl.srv.Namespaces()) }, "connection", short(cl.conn.ID()))
}

// logMisfit logs an argument that does not fit its parameter. It limits the rate for
// each handler: a client can cause this with one small frame.
func (c *Context) logMisfit(err error) {
	srv, ctx := c.srv(), c.connectionContext()
	ns, event := c.Pattern() // so that the number of kinds is bounded
	if c.kind == kindAck {
		event = "answers" // the app may emit any number of names
	}
	kind := "misfit " + ns + " " + event
	if srv.notices.Enabled(ctx, kind) {
		srv.notices.Warn(ctx, kind, "socketio: an argument does not fit its parameter: a client and a handler disagree",
			"namespace", printable(c.name), "event", printable(c.event), "sid", short(c.sid), "error", err)
	}
}

// printable returns a string that a client chose in a form fit for a log: of bounded
// length, and quoted if it contains characters that are not printable.
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

// short returns the beginning of a session id: enough to recognise it in a log, too
// little to use it.
func short(sid string) string { return sid[:min(6, len(sid))] + "…" }

// logFailure logs an error that no error handler has handled.
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

// recovered counts and logs the panic of a function of the app. The deferred function
// that recovered it must call this, so that the stack is that of the panic.
func (srv *Server) recovered(where string, v any, attrs ...any) *PanicError {
	srv.stats.panics.Add(1)
	err := &PanicError{v, debug.Stack(), where}
	srv.log.Error("socketio: "+where+" panicked", append(attrs, "error", err, "stack", string(err.Stack))...)
	return err
}

// seedSession calls Options.Session. If that panics, it returns an error.
func (srv *Server) seedSession(seed func(*http.Request) map[string]any, r *http.Request) (values map[string]any, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = srv.recovered("Options.Session", v)
		}
	}()
	return maps.Clone(seed(r)), nil
}

// recovered is Server.recovered for a panic during the handling of an event.
func (c *Context) recovered(where string, v any) *PanicError {
	return c.srv().recovered(where, v, "namespace", printable(c.name), "event", printable(c.event), "sid", short(c.sid))
}

func (c *Context) log(level slog.Level, msg string, err error, attrs ...any) {
	log, ctx := c.srv().log, c.connectionContext()
	if log.Enabled(ctx, level) {
		attrs = append([]any{"namespace", printable(c.name), "event", printable(c.event), "sid", short(c.sid), "error", err}, attrs...)
		log.Log(ctx, level, msg, attrs...)
	}
}

// debugs reports whether the log takes lines at level debug. Callers ask before they
// compute the attributes of a line.
func (srv *Server) debugs() bool { return srv.log.Enabled(context.Background(), slog.LevelDebug) }
