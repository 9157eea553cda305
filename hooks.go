package socketio

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/seed-d124fa34/socketio/parser"
)

// Hooks are functions that watch a server, for metrics, traces and live views:
// what [Server.Stats], which counts, cannot tell. See [Server.AddHooks]. Any of
// them may be nil.
//
// They are called where things happen, concurrently, and hold up what they are
// told of: each says by which goroutine, and all must return soon. No lock is
// held, so they may call any method; a hook that emits is told of that, too. A
// panic is logged and counted as one of a handler's, and has no other effect.
//
// What happens to one socket is told in order, except for what several
// goroutines do to it at the same time.
type Hooks struct {
	// ConnectionOpened is told of each new connection, before its client is
	// answered, by the goroutine that serves the handshake.
	ConnectionOpened func(c Connection)
	// ConnectionUpgraded is told when a connection goes on as WebSocket that
	// began with polling, by the goroutine that serves the upgrade.
	ConnectionUpgraded func(c Connection)
	// ConnectionClosed is told, in a goroutine of its own, of the end of each
	// connection that was opened. Slow clients have [ReasonSlowClient]. The
	// disconnect handlers of its sockets run later. err is a detail and may be nil.
	ConnectionClosed func(c Connection, reason Reason, err error)

	// Refused is told when a client is refused by a namespace, whether there is
	// no such namespace, a limit is reached, or its connect handler says no. e
	// is what the client reads. It is called by the connection's reader or by
	// the goroutine of the connect handler. With Options.AlwaysConnect connect
	// handlers do not refuse but disconnect.
	Refused func(c Connection, namespace string, e *Error)
	// SocketConnected is told when a socket has been accepted and its client
	// told (or has left meanwhile), before its first event is handled, by the goroutine of its handlers.
	// Joined follows for the rooms that its connect handler joined.
	SocketConnected func(s *Socket)
	// SocketDisconnected is told once for each socket that was accepted, when
	// its disconnect handler has returned, by the goroutine of its handlers.
	// Left precedes it for each of its rooms. err is a detail and may be nil.
	SocketDisconnected func(s *Socket, reason Reason, err error)

	// Joined is told when a socket is in a room and was not before, by the
	// goroutine that calls Join, or as SocketConnected. The room that every socket
	// has for itself is not told of.
	Joined func(s *Socket, room string)
	// Left is told when a socket has left a room, by the goroutine that calls
	// Leave or CloseRoom, or as SocketDisconnected.
	Left func(s *Socket, room string)

	// Handler is called before each event is handled, "connect" and
	// "disconnect" included, by the goroutine of its handlers: before middleware,
	// and also where there is no handler. ctx, which may carry values, is
	// [Context.Context] for the handler if it is returned with more of them; ended,
	// unless nil, is called after the handler has returned, with the values of the
	// acknowledgement, or with the error: of the handler, a [*PanicError],
	// an [*ArgError], [ErrNoHandler], or a [*LimitError] for an event above
	// Options.Limits.EventRate. c.Event and c.Namespace name the event. With several
	// hooks the one added last gets the context of those before it, and ends first.
	Handler func(ctx context.Context, c *Context) (handling context.Context, ended func(ack Args, err error))
	// Callback is Handler for the functions given to [OnAck]. c.Event is the event
	// that was answered.
	Callback func(ctx context.Context, c *Context) (handling context.Context, ended func(ack Args, err error))
	// Acked is told of each acknowledgement that was waited for, by OnAck or
	// Call, with the time since the event was emitted, by the connection's reader.
	Acked func(s *Socket, event string, after time.Duration)
	// Unacked is told of each acknowledgement that was waited for, by OnAck or
	// Call, and is not waited for any more: err is a [*DisconnectError] if the client
	// has left, and [context.DeadlineExceeded] or the error of the Call's context if it
	// did not answer in time. It is called by the goroutine that ends the wait and must return
	// soon. Like Acked it is about the clients of this server.
	Unacked func(s *Socket, event string, err error)

	// Emitted is told of each event emitted by this program, and of each that
	// came from another server, when it has been queued for all its recipients
	// here, by the goroutine that emits. What could not be encoded or was
	// contradictory is not told of.
	Emitted func(e *Emission)
	// Sent is Emitted for each single recipient, before it.
	Sent func(s *Socket, e *Emission)
}

// Emission is an event that has been emitted, as hooks see it. It must not be
// changed.
type Emission struct {
	Namespace string
	Event     string
	// From is the socket whose Emit or Call it was; nil if it was that of a
	// server or namespace.
	From *Socket
	// Rooms are those of [To]. Without it they are nil, and the event is for
	// From alone, or for everyone if Broadcast is set.
	Rooms     []string
	Broadcast bool
	// Elsewhere: another server emitted it, and it came through the broker.
	Elsewhere bool
	// Recipients counts the clients of this server for which it was queued;
	// for hook Sent, those so far.
	Recipients int
	// Size is the encoded event's, in bytes, with its attachments.
	Size int

	data any         // unless Elsewhere
	args parser.Args // if Elsewhere
}

// Args returns the arguments of the event: those given to Emit, which are the
// caller's again when the hook has returned and must not be changed.
func (e *Emission) Args() Args {
	if e.args != nil {
		return decodeAll(e.args)
	}
	if args := argsOf(e.data); args != nil {
		return args
	}
	return Args{}
}

// Connection is a client's connection: what all its sockets share. It may be
// kept and compared.
type Connection struct{ cl *client }

// local reports whether the connection is one of this server: that of a nil *Socket
// is none, and that of a client of another server is there.
func (c Connection) local() bool { return c.cl != nil }

// Connection returns the connection that the socket is on.
func (s *Socket) Connection() Connection {
	if s == nil {
		return Connection{}
	}
	return Connection{s.client()}
}

// ID returns the session id of the transport layer, "" if the client is on
// another server. Who knows it can send in the client's name: it is not to be shown.
func (c Connection) ID() string {
	if !c.local() {
		return ""
	}
	return c.cl.conn.ID()
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

// Sockets returns the sockets of the connection that have been accepted and not
// left, nil if the client is on another server.
func (c Connection) Sockets() []*Socket {
	if !c.local() {
		return nil
	}
	c.cl.mu.Lock()
	defer c.cl.mu.Unlock()
	var all []*Socket
	for _, st := range c.cl.seats {
		if st.sock != nil && st.sock.state.Load() == stateJoined {
			all = append(all, st.sock)
		}
	}
	return all
}

// hooks is what has been added to a server. It never changes: AddHooks
// publishes another one. A server without hooks has none, so that they cost it
// the reading of one pointer.
type hooks struct {
	srv  *Server
	all  []*Hooks
	sent bool // one of them has Sent
}

// AddHooks has the functions called from now on, until remove is called; calls
// that are under way may end after it. Hooks is copied. It may be called any
// number of times, from any goroutine, and so may remove.
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

// call calls one hook, whose panic has no effect.
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

// reached is told of one more recipient of e.
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

// run calls handle, which handles the event in c, between hooks.
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
