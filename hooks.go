package socketio

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/seed-d124fa34/socketio/internal/goargs"
	"github.com/seed-d124fa34/socketio/parser"
)

// Hooks are functions that watch a server, for metrics, traces and live views: they get
// the single events that [Server.Stats] counts. See [Server.AddHooks]. Any of them may
// be nil.
//
// Hooks are called concurrently. Each one runs on the goroutine that its comment names,
// which waits for it, so it must return soon. No lock is held: a hook may call any
// method. A hook that emits causes further calls of hooks. A panic is logged and counted
// like that of a handler, and has no other effect.
//
// The calls about one socket come in order, except for what several goroutines do to it
// at the same time.
type Hooks struct {
	// ConnectionOpened is called for each new connection, before its client is
	// answered, by the goroutine that serves the handshake.
	ConnectionOpened func(c Connection)
	// ConnectionUpgraded is called when a connection has been upgraded from polling
	// to WebSocket, by the goroutine that serves the upgrade.
	ConnectionUpgraded func(c Connection)
	// ConnectionClosed is called at the end of each connection that was opened, in a
	// goroutine of its own. The reason of slow clients is [ReasonSlowClient]. The
	// disconnect handlers of the sockets run later. err is a detail and may be nil.
	ConnectionClosed func(c Connection, reason Reason, err error)

	// Refused is called when a namespace refuses a client: there is no such
	// namespace, a limit is reached, or its connect handler failed. e is what the
	// client gets. It is called by the connection's reader or by the goroutine of the
	// connect handler. With Options.AlwaysConnect, a connect handler that fails
	// disconnects the client, and Refused is not called.
	Refused func(c Connection, namespace string, e *Error)
	// SocketConnected is called when a socket has been accepted, after the CONNECT packet
	// has been sent to its client, by the goroutine of its handlers. It comes before the
	// first event of the socket is handled, and also if the client has left meanwhile. Joined follows for the rooms that
	// its connect handler joined.
	SocketConnected func(s *Socket)
	// SocketDisconnected is called once for each socket that was accepted, when
	// its disconnect handler has returned, by the goroutine of its handlers.
	// Left precedes it for each of its rooms. err is a detail and may be nil. With
	// Options.Recovery it is called for each connection that is lost; if Socket.Away is
	// true, the socket stays in its rooms, and SocketConnected or Expired follows.
	SocketDisconnected func(s *Socket, reason Reason, err error)
	// Expired is called when a session has ended while its client was away
	// ([Options].Recovery), after the handler of OnExpired has returned, by the goroutine of
	// the socket's handlers. Left precedes it for each of its rooms.
	Expired func(s *Socket, why Expiry)
	// Moved is called instead of Expired, by the same goroutine, when the session has gone to another
	// server, or to the broker's store. SocketConnected is called there. This Socket is of no more use.
	Moved func(s *Socket)

	// Joined is called when a socket has joined a room and was not in it before, by
	// the goroutine that calls Join, or by that of SocketConnected. It is not called for
	// the room of a socket's own session id.
	Joined func(s *Socket, room string)
	// Left is called when a socket has left a room, by the goroutine that calls
	// Leave or CloseRoom, or by that of SocketDisconnected.
	Left func(s *Socket, room string)

	// Handler is called before each event is handled, including "connect" and
	// "disconnect", by the goroutine of its handlers. It comes before middleware, and
	// also for events without a handler. c.Event and c.Namespace name the event.
	//
	// The context that Handler returns, usually ctx with further values, is
	// [Context.Context] for the handler. ended, unless it is nil, is called after the
	// handler has returned, with the values of the acknowledgement or with the error:
	// that of the handler, a [*PanicError], an [*ArgError], [ErrNoHandler], or a
	// [*LimitError] for an event above Options.Limits.EventRate. If there are several
	// Hooks, the one added last gets the context of those before it, and its ended is
	// called first.
	Handler func(ctx context.Context, c *Context) (handling context.Context, ended func(ack Args, err error))
	// Callback is Handler for the functions given to [OnAck]. c.Event is the event
	// that was answered.
	Callback func(ctx context.Context, c *Context) (handling context.Context, ended func(ack Args, err error))
	// Acked is called for each acknowledgement that OnAck or Call waited for, with the
	// time since the event was emitted, by the connection's reader. It is called for
	// clients of this server only.
	Acked func(s *Socket, event string, after time.Duration)
	// Unacked is called for each acknowledgement that OnAck or Call waited for in
	// vain, by the goroutine that ends the wait. err is a [*DisconnectError] if the
	// client has left, and [context.DeadlineExceeded] or the error of the Call's context
	// if it did not answer in time. It is called for clients of this server only.
	Unacked func(s *Socket, event string, err error)

	// Emitted is called for each event that this program emits or that comes from
	// another server, by the goroutine that emits, when the event has been queued for
	// all its recipients on this server. It is not called for an emit that fails because
	// of its data or its options.
	Emitted func(e *Emission)
	// Sent is called for each single recipient of an event, before Emitted.
	Sent func(s *Socket, e *Emission)
}

// Emission is an event that has been emitted, as hooks see it. It must not be
// changed.
type Emission struct {
	Namespace string
	Event     string
	// From is the socket that emitted. It is nil if a server or a namespace did.
	From *Socket
	// Rooms are those of [To]. Without To they are nil, and the event is for
	// From alone, or for everyone if Broadcast is set.
	Rooms     []string
	Broadcast bool
	// Elsewhere is set if another server emitted the event.
	Elsewhere bool
	// Recipients is the number of clients of this server for which the event was
	// queued. The hook Sent gets the number so far.
	Recipients int
	// Size is the size of the encoded event with its attachments, in bytes.
	Size int

	data any         // unless Elsewhere
	args parser.Args // if Elsewhere
}

// Args returns the arguments of the event. They are those given to Emit: they must not be
// changed, nor used after the hook has returned.
func (e *Emission) Args() Args {
	if e.args != nil {
		return goargs.Decode(e.args)
	}
	if args := argsOf(e.data); args != nil {
		return args
	}
	return Args{}
}

// Connection is a client's connection, which all its sockets share. It may be kept and
// compared.
type Connection struct{ cl *client }

// local reports whether the connection is one of this server. It is false for that of a
// nil *Socket and for that of a client of another server.
func (c Connection) local() bool { return c.cl != nil }

// Connection returns the connection that the socket is on.
func (s *Socket) Connection() Connection {
	if s == nil {
		return Connection{}
	}
	return Connection{s.client()}
}

// ID returns the session id of the transport layer, "" if the client is on another
// server. Do not show it: anyone who knows it can send in the client's name.
func (c Connection) ID() string {
	if !c.local() {
		return ""
	}
	return c.cl.conn.ID()
}

// Revision returns the revision of the Engine.IO protocol that the client speaks: 4, or 3
// for clients of Socket.IO 1 and 2 ([Options].AllowEIO3). It is 0 if the client is on
// another server.
func (c Connection) Revision() int {
	if !c.local() {
		return 0
	}
	return c.cl.conn.Revision()
}

// Transport returns how the client is connected at the moment, see
// [Socket.Transport].
func (c Connection) Transport() string {
	if !c.local() {
		return ""
	}
	return c.cl.conn.Transport()
}

// Request returns the HTTP request of the handshake, see [Socket.Request].
func (c Connection) Request() *http.Request {
	if !c.local() {
		return noRequest()
	}
	return c.cl.conn.Request()
}

// Sockets returns the sockets of the connection that have been accepted and have not
// left. It is nil if the client is on another server.
func (c Connection) Sockets() []*Socket {
	if !c.local() {
		return nil
	}
	c.cl.mu.Lock()
	defer c.cl.mu.Unlock()
	var all []*Socket
	for _, st := range c.cl.seats {
		if st.sock.Connected() {
			all = append(all, st.sock)
		}
	}
	return all
}

// hooks are the Hooks that have been added to a server. A value never changes: AddHooks
// publishes a new one. Server.hooks is nil if there are none, so that a server without
// hooks only loads one pointer.
type hooks struct {
	srv  *Server
	all  []*Hooks
	sent bool // one of them has Sent
}

// AddHooks makes the server call the functions, until remove is called; calls that are
// under way may end after that. h is copied. AddHooks and remove may be called any
// number of times, from any goroutine.
func (srv *Server) AddHooks(h Hooks) (remove func()) {
	added := &h
	srv.changeHooks(func(all []*Hooks) []*Hooks { return append(slices.Clip(all), added) })
	return func() {
		srv.changeHooks(func(all []*Hooks) []*Hooks {
			return slices.DeleteFunc(slices.Clone(all), func(h *Hooks) bool { return h == added })
		})
	}
}

func (srv *Server) changeHooks(change func([]*Hooks) []*Hooks) {
	srv.regMu.Lock()
	defer srv.regMu.Unlock()
	var all []*Hooks
	if hs := srv.hooks.Load(); hs != nil {
		all = hs.all
	}
	hs := &hooks{srv: srv, all: change(all)}
	if len(hs.all) == 0 {
		srv.hooks.Store(nil)
		return
	}
	hs.sent = slices.ContainsFunc(hs.all, func(h *Hooks) bool { return h.Sent != nil })
	srv.hooks.Store(hs)
}

// call calls one hook, and recovers its panic.
func (hs *hooks) call(name string, f func()) {
	defer func() {
		if v := recover(); v != nil {
			hs.srv.recovered("hook "+name, v)
		}
	}()
	f()
}

func (hs *hooks) opened(cl *client) {
	for _, h := range hs.all {
		if f := h.ConnectionOpened; f != nil {
			hs.call("ConnectionOpened", func() { f(Connection{cl}) })
		}
	}
}

func (hs *hooks) upgraded(cl *client) {
	for _, h := range hs.all {
		if f := h.ConnectionUpgraded; f != nil {
			hs.call("ConnectionUpgraded", func() { f(Connection{cl}) })
		}
	}
}

func (hs *hooks) closed(cl *client, reason Reason, err error) {
	for _, h := range hs.all {
		if f := h.ConnectionClosed; f != nil {
			hs.call("ConnectionClosed", func() { f(Connection{cl}, reason, err) })
		}
	}
}

func (hs *hooks) refused(cl *client, ns string, e *Error) {
	for _, h := range hs.all {
		if f := h.Refused; f != nil {
			hs.call("Refused", func() { f(Connection{cl}, ns, e) })
		}
	}
}

func (hs *hooks) connected(s *Socket, rooms []string) {
	for _, h := range hs.all {
		if f := h.SocketConnected; f != nil {
			hs.call("SocketConnected", func() { f(s) })
		}
	}
	for _, room := range rooms {
		hs.joined(s, room)
	}
}

func (hs *hooks) disconnected(s *Socket, rooms []string, reason Reason, err error) {
	for _, room := range rooms {
		hs.left(s, room)
	}
	for _, h := range hs.all {
		if f := h.SocketDisconnected; f != nil {
			hs.call("SocketDisconnected", func() { f(s, reason, err) })
		}
	}
}

func (hs *hooks) joined(s *Socket, room string) {
	for _, h := range hs.all {
		if f := h.Joined; f != nil {
			hs.call("Joined", func() { f(s, room) })
		}
	}
}

func (hs *hooks) left(s *Socket, room string) {
	for _, h := range hs.all {
		if f := h.Left; f != nil {
			hs.call("Left", func() { f(s, room) })
		}
	}
}

func (hs *hooks) acked(s *Socket, event string, at time.Time) {
	after := time.Since(at)
	for _, h := range hs.all {
		if f := h.Acked; f != nil {
			hs.call("Acked", func() { f(s, event, after) })
		}
	}
}

func (hs *hooks) unacked(s *Socket, event string, err error) {
	for _, h := range hs.all {
		if f := h.Unacked; f != nil {
			hs.call("Unacked", func() { f(s, event, err) })
		}
	}
}

func (hs *hooks) emitted(e *Emission) {
	for _, h := range hs.all {
		if f := h.Emitted; f != nil {
			hs.call("Emitted", func() { f(e) })
		}
	}
}

// reached counts one more recipient of e, and calls Sent.
func (hs *hooks) reached(s *Socket, e *Emission) {
	e.Recipients++
	if !hs.sent {
		return
	}
	for _, h := range hs.all {
		if f := h.Sent; f != nil {
			hs.call("Sent", func() { f(s, e) })
		}
	}
}

// run calls handle, which handles the event in c, between the hooks Handler or Callback
// and their ended functions.
func (hs *hooks) run(c *Context, callback bool, handle func() (Args, error)) (ack Args, err error) {
	err = errGoexit
	var ends []func(Args, error)
	name := "Handler"
	if callback {
		name = "Callback"
	}
	defer func() { // also if the handler calls runtime.Goexit
		for _, ended := range slices.Backward(ends) {
			hs.call(name, func() { ended(ack, err) })
		}
	}()
	for _, h := range hs.all {
		begin := h.Handler
		if callback {
			begin = h.Callback
		}
		if begin == nil {
			continue
		}
		hs.call(name, func() {
			before := c.Context()
			ctx, ended := begin(before, c)
			if ctx != nil && ctx != before {
				details := new(contextDetails)
				*details = *c.details // others share it
				details.ctx = ctx
				c.details = details
			}
			if ended != nil {
				ends = append(ends, ended)
			}
		})
	}
	return handle()
}
