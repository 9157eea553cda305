package socketio

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"

	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/internal/shape"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/parser"
)

// Namespace is one of the channels that share the connections of a server:
// where handlers are registered, and everyone in it can be reached. It is a
// light handle: any number of them may be made for one name. All methods may
// be called from any goroutine, at any time.
type Namespace struct{ namespace }

// namespace is what a Namespace and a Server, which is "/", have in common: the
// methods of both.
type namespace struct {
	srv  *Server
	name string
	err  error // the name cannot be one
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
// Its arguments are decoded from the event's: strings, numbers, structs, maps,
// slices, any; []byte for binary data (anywhere, also in structs, maps and
// slices); [encoding/json.RawMessage] to decode later. The last may be
// variadic. Arguments the client left out are zero and extra ones are ignored, see
// [Context.NumArgs] and [Options].StrictArgs; one that does not fit is an [*ArgError] for the error handler. A catch-all
// gets the name of the event as its first argument.
//
// What it returns besides the error is acknowledged, if the client asked:
// nothing or a nil any is an empty acknowledgement, one result is one value,
// several results or [Args] are several values. If it returns an error instead,
// see [Namespace.OnError]. [Context.DeferAck] acknowledges later, and
// [Context.NoAck] not at all.
//
//   - "connect": func(*Context[, auth]) [error]. What a client sends as auth is an
//     object: a struct, a map, any or [Raw] holds it. An error refuses the client,
//     see [Error]; so does calling Disconnect in it. Until it returns nil the
//     client is not in the namespace: nothing reaches it but what the handler
//     itself emits, after the client has been told that it is connected.
//   - "disconnect": func(*Context[, Reason]) [error]. It runs once for each
//     client that was accepted, after its other events; the socket is still in
//     its rooms, but nothing can be sent to it.
//   - [Func], [FuncAck], those for more arguments and [HandlerFunc] are handlers too.
//
// Handlers of "*" namespaces, and of classes, come after these: see
// [Server.Namespace] and [Server.Register].
//
// On panics if the handler has another shape, or if the protocol reserves the
// event's name; the message says where it was registered.
func (n *namespace) On(event string, handler any) {
	what, where := fmt.Sprintf("On(%q)", event), caller(1)
	n.mustBeValid(what, where)
	h := n.srv.mustCompile(handlerKind(event, what, where), what, where, handler)
	if event == "connection" {
		n.srv.log.Warn("socketio: a handler is called when clients emit an event of its name, not when they come: that is \"connect\"", "event", event, "at", where)
	}
	n.srv.register(n.name, func(sp *space) {
		sp.events = with(sp.events, event, h)
	})
}

func (n *namespace) mustBeValid(what, where string) {
	if n.err != nil {
		panic(fmt.Sprintf("socketio: %s at %s: %v", what, where, n.err))
	}
}

// handlerKind says what a handler of the event has to look like.
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

// OnError registers what is called when a handler of the namespace returns an
// error or panics ([*PanicError]), when an argument does not fit ([*ArgError]),
// when a client waits for the acknowledgement of an event without handler
// ([ErrNoHandler]), and when what a handler returned cannot be encoded. Without
// one, the server's is called, see [Server.OnError].
//
// What it returns is acknowledged in place of the handler's results: nil is an
// empty acknowledgement, [Args] are several values, an error with an [*Error]
// in its chain is {"error": ...}, as without error handler; any other error,
// which is for the log and not for clients, sends no acknowledgement. An event without handler stays unanswered. A
// failed connect handler refuses the client in any case, with the *Error
// returned, if it is one. It is not called for an *Error that a connect handler
// returns, which is a plain refusal, nor when a handler returns [ErrClosed]
// because its client has left.
//
// Without any error handler an *Error is acknowledged, and every other error is
// logged and leaves the client without an acknowledgement.
func (n *namespace) OnError(handler func(c *Context, err error) any) {
	n.mustBeValid("OnError", caller(1))
	n.srv.register(n.name, func(sp *space) { sp.onError = handler })
}

// Use adds middleware around the handlers of the namespace, "connect" and
// "disconnect" included, which pass through it even without a handler. The
// middleware is called once, now, and returns the handler that is called for
// each event: it may call next, or not, and change what it returns. Context.Event
// tells events apart. The first one added is the outermost; middleware of
// Namespace("*") is around that of all others.
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
	l := &link{}
	l.next.Store(&end)
	first := middleware(l.call)
	if first == nil {
		panic("socketio: Use at " + where + ": the middleware returned nil")
	}
	n.srv.register(n.name, func(sp *space) { sp.chain = sp.chain.with(first, l) })
}

// Emit sends an event to everyone in the namespace, or to whom the options
// say. See [Socket.Emit] for data, options and errors; [SkipSelf] is refused,
// because there is no self. That nobody is there is no error, and neither is a
// client that cannot be reached: it is about to leave.
func (n *namespace) Emit(event string, data any, opts ...EmitOption) error {
	if n.err != nil {
		return n.err
	}
	return n.srv.emit(nil, n.name, event, data, opts)
}

// Send is Emit with the event name "message".
func (n *namespace) Send(data any, opts ...EmitOption) error {
	return n.Emit("message", data, opts...)
}

// Call emits an event, to everyone in the namespace or to whom the options
// say, and waits until each of them has acknowledged it or has left, or the
// context ends. The answers come in the order of arrival. If any is missing
// the error is a [*CallError], and the answers that came are returned too.
// With nobody to ask it returns at once.
//
// With an [Options].Cluster.Broker the other Go servers are asked first whom of their
// clients the event is for, see [Cluster], and these are asked, too; [Local]
// leaves them out. If a server does not say that within five seconds, the error is
// a [*CallError] with a [*ClusterError] in its chain. Clients of Flask-SocketIO's
// servers are asked only if the options select one session id that no Go server
// has: nobody says then whether it exists or leaves, and the context decides how
// long to wait.
//
// Call does not wait for answers that cannot come. Clients of another server are
// missing, and the error says why, when this server loses its connection with the
// broker ([ErrBrokerUnavailable]), when the other one does, when that shuts down, and
// when it has given no sign of life for 15 seconds.
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
// error is [ErrUnknownSocket], or that of the broker, see JoinRoom.
func (n *namespace) Disconnect(sid string) error {
	if s := n.Socket(sid); s != nil {
		s.Disconnect()
		return nil
	}
	return n.elsewhere(wire.Disconnect, sid, "")
}

// Sockets returns everyone in the namespace on this server, in no particular
// order. Who comes while the loop runs is not in it; who leaves may be. Each loop
// over it begins with who is there then.
func (n *namespace) Sockets() iter.Seq[*Socket] {
	return func(yield func(*Socket) bool) {
		if n.err != nil {
			return
		}
		for p := range n.srv.index.Members(n.name, rooms.Everyone).All() {
			if !yield(p.Member()) {
				return
			}
		}
	}
}

// Count returns how many sockets are in the namespace on this server, at the cost
// of one look-up.
func (n *namespace) Count() int {
	if n.err != nil {
		return 0
	}
	return n.srv.index.Count(n.name, rooms.Everyone)
}

// Namespaces returns the namespaces that the server knows: "/", those with
// handlers or declared events, and those of Options.Namespaces, sorted. "*" is
// among them if it was registered or accepts every name; what names clients
// chose then is in Stats.Sockets.
func (srv *Server) Namespaces() []string {
	known := maps.Clone(srv.opts.accept)
	if srv.opts.acceptAll {
		known[anyName] = true
	}
	for name := range srv.registry.Load().spaces {
		known[name] = true
	}
	return slices.Sorted(maps.Keys(known))
}

// knows reports whether the name of a namespace is the server's.
func (srv *Server) knows(r *registry, ns string) bool {
	return srv.opts.accept[ns] || r.spaces[ns] != nil
}

// EventInfo describes an event of a namespace, see [Server.Events].
type EventInfo struct {
	// Namespace is the namespace's name; "*" stands for all that have no
	// handlers of their own.
	Namespace string
	// Event is the event's name: "connect", "disconnect" and "*", the
	// catch-all, are among them.
	Event string
	// Declared is set for an event that the server emits ([Namespace.Declare]),
	// and not for one that it handles.
	Declared bool
	// Func is the type of the handler as it was registered, in one of the
	// shapes of [Namespace.On]; or, if Declared, of the function given to
	// Declare. For [Func] and [FuncAck] it is that of the function inside.
	Func reflect.Type
}

// Declare says that the server emits an event to the clients of the namespace,
// and with what, so that [Server.Events] can tell others: package typescript
// writes the declarations of a TypeScript client from it. Clients may connect to
// the namespace from then on; nothing else changes.
//
// receiver is a function as a client would write it, were it in Go: its
// parameters are the event's arguments, its results what it acknowledges. It is
// never called and may be nil.
//
//	chat.Declare("said", func(Message) {})
//	chat.Declare("ask", func(question string) (answer string) { return "" })
//
// Declare panics if receiver is no such function, or has parameters or results
// that cannot be sent, with a message that says where.
func (n *namespace) Declare(event string, receiver any) {
	what, where := fmt.Sprintf("Declare(%q)", event), caller(1)
	n.mustBeValid(what, where)
	if kind := handlerKind(event, what, where); kind != shape.Event {
		panic(fmt.Sprintf("socketio: %s at %s: a server cannot emit an event of this name", what, where))
	}
	t := reflect.TypeOf(receiver)
	if err := handlerRules.CheckReceiver(t); err != nil {
		panic(fmt.Sprintf("socketio: %s at %s: cannot use %T to describe what is sent: %v; want func([args...]) [results...]", what, where, receiver, err))
	}
	n.srv.register(n.name, func(sp *space) {
		sp.emits = with(sp.emits, event, t)
	})
}

// Events describes what is registered at this moment: the handlers given to
// [Namespace.On] and [Server.Register], and the events given to
// [Namespace.Declare]. It is sorted by namespace, what the server handles before
// what it emits, and by event. It may be called from any goroutine.
func (srv *Server) Events() []EventInfo {
	var events []EventInfo
	for ns, sp := range srv.registry.Load().spaces {
		for event, h := range sp.class {
			if sp.events[event].call == nil { // functions come before classes
				events = append(events, EventInfo{ns, event, false, h.typ})
			}
		}
		for event, h := range sp.events {
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
