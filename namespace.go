package socketio

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"

	"github.com/seed-d124fa34/socketio/internal/handlers"
	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/internal/shape"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/parser"
)

// Namespace is one of the channels that share the connections of a server. Handlers are
// registered in a namespace, and events are emitted in it. A Namespace is a light
// handle: any number of them may be made for one name. All methods may be called from
// any goroutine, at any time. Socket.IO protocol: Connection to a namespace.
type Namespace struct{ namespace }

// namespace has the methods that a Namespace and a Server share; a Server has those of
// "/".
type namespace struct {
	srv  *Server
	name string
	err  error // why the name is not valid
}

// Name returns the namespace's name, such as "/" or "/chat".
func (n *Namespace) Name() string { return n.name }

// On registers the handler of an event, in place of an earlier one. Clients
// may connect to a namespace as soon as it has a handler. The event may be
// "connect", "disconnect", or "*" for all events but these two that have no
// handler of their own.
//
// A handler is a function
//
//	func(*Context[, args...]) [(results...,)] [error]
//
// Its arguments are decoded from those of the event: strings, numbers, structs, maps,
// slices, any; []byte for binary data, also inside structs, maps and slices;
// [encoding/json.RawMessage] to decode later. The last one may be variadic. Arguments
// that the client left out are zero, and superfluous ones are ignored, see
// [Context.NumArgs] and [Options].StrictArgs. An argument that does not fit is an
// [*ArgError] for the error handler. A handler of "*" gets the name of the event as its
// first argument.
//
// What the handler returns besides the error is acknowledged, if the client asked for
// that: nothing or a nil any is an empty acknowledgement, one result is one value,
// several results or [Args] are several values. For errors see [Namespace.OnError].
// [Context.DeferAck] acknowledges later, and [Context.NoAck] not at all.
//
//   - "connect": func(*Context[, auth]) [error]. The auth that a client sends is an
//     object: a struct, a map, any or [Raw] holds it. An error refuses the client,
//     see [Error], and so does a call of Disconnect in the handler. Until the handler
//     returns nil the client is not in the namespace, and gets nothing but what the
//     handler itself emits; that follows the CONNECT packet.
//   - "disconnect": func(*Context[, Reason]) [error]. It runs once for each
//     client that was accepted, after its other events. The socket is still in
//     its rooms, but nothing can be sent to it.
//   - [Func], [FuncAck], those for more arguments and [HandlerFunc] are handlers, too.
//
// Handlers of the namespace "*" and of classes are used only where there is none of
// these: see [Server.Namespace] and [Server.Register].
//
// On panics if the handler has another shape, or if the protocol reserves the
// event's name. The message says where the handler was registered. Flask-SocketIO: on,
// event.
func (n *namespace) On(event string, handler any) {
	what, where := fmt.Sprintf("On(%q)", event), caller(1)
	n.mustBeValid(what, where)
	h := n.srv.mustCompile(handlerKind(event, what, where), what, where, handler)
	if event == "connection" {
		n.srv.log.Warn("socketio: a handler of connection is called when a client emits an event of that name; the event of a new client is connect", "event", event, "at", where)
	}
	n.srv.register(n.name, func(sp *space) {
		sp.Events = handlers.With(sp.Events, event, h)
	})
}

func (n *namespace) mustBeValid(what, where string) {
	if n.err != nil {
		panic(fmt.Sprintf("socketio: %s at %s: %v", what, where, n.err))
	}
}

// handlerKind returns which shapes a handler of the event may have.
func handlerKind(event, what, where string) shape.Kind {
	switch {
	case event == "connect":
		return shape.Connect
	case event == "disconnect":
		return shape.Disconnect
	case parser.Reserved(event):
		panic(fmt.Sprintf("socketio: %s at %s: the protocol reserves this name; no client can send it", what, where))
	case event == anyName:
		return shape.CatchAll
	}
	return shape.Event
}

// OnError registers the error handler of the namespace. It is called when a handler
// returns an error or panics ([*PanicError]), when an argument does not fit
// ([*ArgError]), when a client waits for the acknowledgement of an event without a
// handler ([ErrNoHandler]), and when what a handler returned cannot be encoded. A
// namespace without an error handler uses the server's, see [Server.OnError].
//
// What the error handler returns is acknowledged in place of the handler's results: nil
// is an empty acknowledgement, [Args] are several values, and an error with an [*Error]
// in its chain is {"error": ...}. Any other error is logged, and there is no
// acknowledgement. An event without a handler stays unanswered in any case. After a
// failed connect handler the client is refused in any case, with the *Error that the
// error handler returns, if it returns one.
//
// The error handler is not called for an *Error that a connect handler returns, which is
// an ordinary refusal, nor if a handler returns [ErrClosed] because its client has left.
//
// Without any error handler an *Error is acknowledged. Every other error is logged, and
// there is no acknowledgement. Flask-SocketIO: on_error.
func (n *namespace) OnError(handler func(c *Context, err error) any) {
	n.mustBeValid("OnError", caller(1))
	n.srv.register(n.name, func(sp *space) { sp.onError = handler })
}

// Use adds middleware around the handlers of the namespace. Every event passes through
// it, including "connect" and "disconnect", even if there is no handler. Use calls
// middleware once. The handler that this returns is called for each event; it may call
// next or not, and change what next returns. Context.Event is the event's name. The
// middleware added first is the outermost, and that of Namespace("*") is around that of
// all others.
func (n *namespace) Use(middleware func(next HandlerFunc) HandlerFunc) {
	where := caller(1)
	n.mustBeValid("Use", where)
	if middleware == nil {
		panic("socketio: Use at " + where + ": the middleware is nil")
	}
	end := HandlerFunc(runHandler)
	if n.name == anyName {
		end = runOwn
	}
	l := handlers.NewLink(end)
	first := middleware(func(c *Context) (Args, error) { return l.Next()(c) })
	if first == nil {
		panic("socketio: Use at " + where + ": the middleware returned nil")
	}
	n.srv.register(n.name, func(sp *space) { sp.chain = sp.chain.With(first, l) })
}

// Emit sends an event to everyone in the namespace, or to the clients that the options
// select. See [Socket.Emit] for data, options and errors. [SkipSelf] is refused, because
// there is no sender. It is no error if there is no client, nor if a client cannot be
// reached: that client is about to leave.
func (n *namespace) Emit(event string, data any, opts ...EmitOption) error {
	if n.err != nil {
		return n.err
	}
	return n.srv.emit(nil, n.name, event, data, opts)
}

// Send calls Emit with the event name "message".
func (n *namespace) Send(data any, opts ...EmitOption) error {
	return n.Emit("message", data, opts...)
}

// Call emits an event to everyone in the namespace, or to the clients that the options
// select. It waits until each of them has acknowledged the event or has left, or the
// context ends. The answers are in the order of arrival. If any is missing, the error is
// a [*CallError], and the answers that came are returned, too. If there is no client to
// ask, Call returns at once.
//
// With an [Options].Cluster.Broker, Call first asks the other Go servers which of their
// clients the event is for, see [Cluster], and then asks these clients as well; [Local]
// leaves them out. If a server does not answer the first question within five seconds,
// the error is a [*CallError] with a [*ClusterError] in its chain. Clients of
// Flask-SocketIO's servers are asked only if the options select one session id that no Go
// server has. Those servers do not report whether the client exists or leaves, so the
// context decides how long to wait.
//
// Call does not wait for answers that cannot come. Clients of another server are
// missing, and the error says why, if this server loses its connection with the broker
// ([ErrBrokerUnavailable]), if the other one does, if that shuts down, and if its
// heartbeat has not come for 15 seconds.
func (n *namespace) Call(ctx context.Context, event string, data any, opts ...EmitOption) ([]Reply, error) {
	if n.err != nil {
		return nil, n.err
	}
	return n.srv.callAll(ctx, n.name, event, data, opts)
}

// Socket returns the socket with a session id, nil if the namespace has none on
// this server. The methods of a nil *Socket may be called: they return
// [ErrUnknownSocket] or do nothing.
func (n *namespace) Socket(sid string) *Socket {
	if n.err != nil {
		return nil
	}
	s := n.srv.findSocket(sid)
	if s == nil || s.name != n.name {
		return nil
	}
	return s
}

// Disconnect makes a client leave the namespace, see [Socket.Disconnect]. The
// error is [ErrUnknownSocket], or that of the broker, see JoinRoom. Flask-SocketIO:
// disconnect with sid.
func (n *namespace) Disconnect(sid string) error {
	if s := n.Socket(sid); s != nil {
		s.Disconnect()
		return nil
	}
	err := n.elsewhere(wire.Disconnect, sid, "")
	if s := n.Socket(sid); s != nil && err == nil { // it has come meanwhile
		s.Disconnect()
	}
	return err
}

// elsewhere publishes a command for a socket that is not on this server.
func (n *namespace) elsewhere(do wire.Action, sid, room string) error {
	switch {
	case n.err != nil:
		return n.err
	case n.srv.cluster == nil || n.name == anyName:
		return fmt.Errorf("%w: %q in %.100s", ErrUnknownSocket, short(sid), n.name)
	}
	return doElsewhere(n.srv.cluster.Do, wire.Command{Do: do, Namespace: n.name, SID: sid, Room: room})
}

// doElsewhere checks a command for a socket and publishes it, unless it has no effect.
func doElsewhere(publish func(wire.Command) error, c wire.Command) error {
	switch {
	case c.SID == "":
		return fmt.Errorf("%w: %q in %s", ErrUnknownSocket, c.SID, c.Namespace)
	case c.Do == wire.Disconnect:
	case c.Room == "":
		return errEmptyRoom
	case c.Room == c.SID:
		return nil // every socket is always in its own room
	}
	return publish(c)
}

// Sockets ranges over everyone in the namespace on this server, in no particular order.
// Each loop has those who are there when it begins. A socket that comes while the loop
// runs is not in it; one that leaves may be.
func (n *namespace) Sockets(opts ...QueryOption) iter.Seq[*Socket] {
	if n.err != nil {
		return func(func(*Socket) bool) {}
	}
	return n.srv.socketsIn(n.name, rooms.Everyone, includesAway(opts))
}

// Count returns how many sockets are in the namespace on this server, at the cost
// of one look-up.
func (n *namespace) Count(opts ...QueryOption) int {
	if n.err != nil {
		return 0
	}
	return n.srv.countIn(n.name, rooms.Everyone, includesAway(opts))
}

// QueryOption changes whom a query is about: [Namespace.Sockets], [Namespace.Members],
// [Namespace.Count] and [Namespace.CountRoom], and the same of [Cluster].
type QueryOption interface{ includesAway() bool }

type includeAway struct{}

func (includeAway) includesAway() bool { return true }

// IncludeAway has a query include the clients that are away and may come back,
// see [Recovery]. Without it a query is about those that are connected.
func IncludeAway() QueryOption { return includeAway{} }

// includesAway reports what options of a query say.
func includesAway(opts []QueryOption) bool {
	for _, o := range opts {
		if o != nil && o.includesAway() {
			return true
		}
	}
	return false
}

// Namespaces returns the namespaces that the server knows, sorted: "/", those with
// handlers or declared events, and those of Options.Namespaces. "*" is among them if it
// has handlers or if Options.Namespaces contains it; Stats.Sockets has the names that
// clients have chosen then.
func (srv *Server) Namespaces() []string {
	known := maps.Clone(srv.opts.accept)
	if srv.opts.acceptAll {
		known[anyName] = true
	}
	for name := range srv.registry.Load().Namespaces {
		known[name] = true
	}
	return slices.Sorted(maps.Keys(known))
}

// knows reports whether the app has registered or accepted the name of a namespace.
func (srv *Server) knows(r *registry, ns string) bool {
	return srv.opts.accept[ns] || r.Namespaces[ns] != nil
}

// EventInfo describes an event of a namespace, see [Server.Events].
type EventInfo struct {
	// Namespace is the namespace's name; "*" stands for all namespaces without
	// handlers of their own.
	Namespace string
	// Event is the event's name. It may be "connect", "disconnect" or "*".
	Event string
	// Declared is set for an event that the server emits ([Namespace.Declare]),
	// and not for one that it handles.
	Declared bool
	// Func is the type of the function that was registered, in one of the shapes of
	// [Namespace.On]; if Declared, of the function given to Declare. For [Func] and
	// [FuncAck] it is the type of the function given to them.
	Func reflect.Type
}

// Declare says that the server emits an event to the clients of the namespace, and with
// which arguments. [Server.Events] returns that; package typescript writes the
// declarations of a TypeScript client from it. Clients may connect to the namespace from
// then on. Declare has no other effect.
//
// receiver is a function that a client written in Go would register: its parameters are
// the event's arguments, its results what it acknowledges. It is never called and may be
// nil.
//
//	chat.Declare("said", func(Message) {})
//	chat.Declare("ask", func(question string) (answer string) { return "" })
//
// Declare panics if receiver is not such a function, or has parameters or results that
// cannot be sent. The message says where Declare was called.
func (n *namespace) Declare(event string, receiver any) {
	what, where := fmt.Sprintf("Declare(%q)", event), caller(1)
	n.mustBeValid(what, where)
	if kind := handlerKind(event, what, where); kind != shape.Event {
		panic(fmt.Sprintf("socketio: %s at %s: a server cannot emit an event of this name", what, where))
	}
	t := reflect.TypeOf(receiver)
	if err := binder.Rules.CheckReceiver(t); err != nil {
		panic(fmt.Sprintf("socketio: %s at %s: cannot use %T to describe what is sent: %v; want func([args...]) [results...]", what, where, receiver, err))
	}
	n.srv.register(n.name, func(sp *space) {
		sp.emits = handlers.With(sp.emits, event, t)
	})
}

// Events describes what is registered at this moment: the handlers given to
// [Namespace.On] and [Server.Register], and the events given to
// [Namespace.Declare]. They are sorted by namespace, then handled events before emitted
// ones, then by event. It may be called from any goroutine.
func (srv *Server) Events() []EventInfo {
	var events []EventInfo
	for ns, sp := range srv.registry.Load().Namespaces {
		for event, h := range sp.Class {
			if sp.Events[event].call == nil { // functions come before classes
				events = append(events, EventInfo{ns, event, false, h.typ})
			}
		}
		for event, h := range sp.Events {
			events = append(events, EventInfo{ns, event, false, h.typ})
		}
		for event, t := range sp.emits {
			events = append(events, EventInfo{ns, event, true, t})
		}
	}
	slices.SortFunc(events, func(a, b EventInfo) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), order(a.Declared, b.Declared), cmp.Compare(a.Event, b.Event))
	})
	return events
}

func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
