package socketio

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"
	"unicode"

	"github.com/seed-d124fa34/socketio/internal/mailbox"
	"github.com/seed-d124fa34/socketio/internal/notice"
	"github.com/seed-d124fa34/socketio/internal/similar"
)

// task is a Context as its mailbox sees it.
type task Context

// box has the events of one socket handled one after another.
type box = mailbox.Box[*task]

// queue puts an event into a box. It never waits.
func (srv *Server) queue(b *box, c *Context) { b.Put(srv.workers, (*task)(c)) }

// largeEvent is what an event counts from which it is worth to make more room on the
// stack: what is decoded from it goes deeper.
const largeEvent = 2 * eventOverhead

// Link is where the mailbox keeps the event behind this one.
func (t *task) Link() *mailbox.Link[*task] { return &t.link }

// Slot is that of the connection: its events share a goroutine.
func (t *task) Slot() uint16 {
	if cl := t.details.client; cl != nil {
		return cl.slot
	}
	if cl := t.client(); cl != nil {
		return cl.slot
	}
	return 0 // of a client of another server
}

// Large reports whether runEvent makes room on the stack.
func (t *task) Large() bool { return t.size > largeEvent }

// Aborted is the end of an event whose handling did not return.
func (t *task) Aborted(v any) { (*Context)(t).aborted(v) }

// Run handles the event.
func (t *task) Run() {
	c, s := (*Context)(t), t.Socket
	switch c.kind {
	case kindConnect:
		s.runConnect(c)
	case kindDisconnect:
		s.runDisconnect(c)
	case kindAck:
		c.runAck()
	default:
		if async := c.from().async; async != nil {
			async <- struct{}{}     // those behind it wait, too: Options.Limits.AsyncLimit
			s.events.Go(c.runAlone) // runDisconnect waits for it
			return
		}
		c.runEvent()
	}
}

// dropEvents removes the events that wait in a box, of one socket or, for nil, of any,
// and returns how many there were. What decides about the life of a socket stays.
func (cl *client) dropEvents(b *box, s *Socket) int {
	return b.Drop(func(t *task) bool {
		return (t.kind == kindEvent || t.kind == kindDropped) && (s == nil || t.Socket == s)
	}, func(t *task) { cl.handled((*Context)(t)) })
}

// runAlone is runEvent in a goroutine that no mailbox looks after.
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

// wanted reports whether the event is still to be handled: it is not if the
// client was refused, or made to leave by the server.
func (c *Context) wanted() bool {
	switch c.state.Load() {
	case stateJoined:
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

// errorAck is how an *Error is acknowledged.
type errorAck struct {
	Error *Error `json:"error"`
}

// fail hands the error of a handler to the error handler, or to the log. It
// returns what is to be acknowledged, if anything is.
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

// callErrorHandler calls user code; the error is its panic.
func (c *Context) callErrorHandler(h errorHandler, failure error) (result any, err error) {
	defer func() {
		if v := recover(); v != nil {
			result, err = nil, c.recovered("error handler", v)
		}
	}()
	return h(c, failure), nil
}

// rejected is Flask-SocketIO's text for a refusal without one.
const rejected = "Connection rejected by server"

// refusal returns what a client reads whose connect handler failed.
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

// countFailure counts an error that is no panic, which recovered counts, and
// not that of a dropped event.
func (c *Context) countFailure(err error) {
	if _, ok := errors.AsType[*PanicError](err); !ok && c.kind != kindDropped {
		c.srv().stats.handlerErrors.Add(1)
	}
}

// aborted is called when the handling of an event ended otherwise than by
// returning: with a panic that nothing else has recovered (in a method of an
// error of the app's, say) or, if v is nil, with runtime.Goexit.
func (c *Context) aborted(v any) {
	if v != nil {
		_ = c.recovered("handler", v)
	} else {
		c.srv().stats.handlerErrors.Add(1)
		c.log(slog.LevelWarn, "socketio: handler failed", errGoexit)
	}
	if before := c.acking.Swap(ackSettled); before == ackDeferred && c.hasID {
		c.from().undeferred()
	}
}

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
	c.srv().logUnknown(c.connectionContext(), "unknown event",
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
	cl.srv.logUnknown(cl.conn.Context(), "unknown namespace",
		"socketio: a client asks for a namespace that does not exist: register a handler in it, or add it to Options.Namespaces",
		ns, "", func() string { return similar.Name(ns, cl.srv.Namespaces()) }, "connection", short(cl.conn.ID()))
}

// logMisfit logs an argument that does not fit: for each handler now and then,
// since one small frame is enough to provoke it.
func (c *Context) logMisfit(err error) {
	srv, ctx := c.srv(), c.connectionContext()
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
	log, ctx := c.srv().log, c.connectionContext()
	if log.Enabled(ctx, level) {
		attrs = append([]any{"namespace", printable(c.name), "event", printable(c.event), "sid", short(c.sid), "error", err}, attrs...)
		log.Log(ctx, level, msg, attrs...)
	}
}

// debugs reports whether what is logged at debug is written: what such a line says
// of each client costs more than to ask.
func (srv *Server) debugs() bool { return srv.log.Enabled(context.Background(), slog.LevelDebug) }
