package socketio

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
)

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
func (n *Namespace) Declare(event string, receiver any) { n.declare(event, receiver, caller(1)) }

// Declare declares an event that the server emits in "/", see [Namespace.Declare].
func (srv *Server) Declare(event string, receiver any) {
	srv.root().declare(event, receiver, caller(1))
}

func (n *Namespace) declare(event string, receiver any, where string) {
	what := fmt.Sprintf("Declare(%q)", event)
	n.mustBeValid(what, where)
	if kind := eventKind(event, what, where); kind != kindEvent {
		panic(fmt.Sprintf("socketio: %s at %s: a server cannot emit an event of this name", what, where))
	}
	t := reflect.TypeOf(receiver)
	if err := checkReceiver(t); err != nil {
		panic(fmt.Sprintf("socketio: %s at %s: cannot use %T to describe what is sent: %v; want func([args...]) [results...]", what, where, receiver, err))
	}
	n.srv.register(n.name, func(sp *space) {
		sp.emits = with(sp.emits, event, t)
	})
}

// checkReceiver says why t cannot describe an event that is sent.
func checkReceiver(t reflect.Type) error {
	if t == nil || t.Kind() != reflect.Func {
		return fmt.Errorf("it is not a function")
	}
	for i := range t.NumIn() {
		if in := t.In(i); in == contextType || in == errorType || !isData(in) {
			return fmt.Errorf("parameter %d: a %s cannot be sent", i+1, in)
		}
	}
	for i := range t.NumOut() {
		if out := t.Out(i); out == errorType || !isData(out) {
			return fmt.Errorf("result %d: a client does not acknowledge with a %s", i+1, out)
		}
	}
	return nil
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
