package socketio

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"

	"github.com/seed-d124fa34/socketio/internal/binding"
	"github.com/seed-d124fa34/socketio/internal/handlers"
	"github.com/seed-d124fa34/socketio/internal/shape"
	"github.com/seed-d124fa34/socketio/parser"
)

// HandlerFunc is a handler that decodes its arguments itself ([Context.Bind],
// [Context.Args]). Middleware wraps handlers in this form, see [Namespace.Use]. It
// returns the values of the acknowledgement.
type HandlerFunc func(c *Context) (Args, error)

// Handler is a handler whose shape the compiler has checked. [Func], [FuncAck] and those
// for more arguments make it, for [Namespace.On] and [OnAck].
type Handler struct { // also the form in which every registered handler is kept
	call bound
	typ  reflect.Type // of the function
}

// Args are the arguments of an event or of an acknowledgement. Emit sends them as
// several arguments, and if a handler returns them, they are acknowledged as several
// values.
type Args []any

// argsOf returns the arguments that the value given to Emit, or returned by a handler,
// stands for: none for nil, several for Args, one for anything else.
func argsOf(data any) Args {
	switch d := data.(type) {
	case nil:
		return nil
	case Args:
		return d
	}
	return Args{data}
}

// Raw is an argument, or a part of one, in the form in which it came, with its
// attachments. It is for relays, which pass on arguments that they need not understand:
// nothing is decoded, numbers keep all their digits, and when it is emitted it goes out
// as it came in. A handler may have a parameter of type Raw, or of a type with a Raw
// field, element or map value. [Context.RawArgs] returns all arguments of an event in
// this form, and [parser.Raw.Bind] decodes one. Marshalled as JSON for another program,
// its attachments are base64 strings.
type Raw = parser.Raw

// bound calls a handler.
type bound = binding.Call[*Context, Args]

// binder has what internal/binding needs to know of this package.
var binder = &binding.Binder[*Context, Args]{
	Rules: shape.Rules{
		Context: reflect.TypeFor[*Context](), Socket: reflect.TypeFor[*Socket](), Reason: reflect.TypeFor[Reason](),
	},
	Misfit: func(event string, index int, typ string, err error) error { return &ArgError{event, index, typ, err} },
	Values: argsOf,
}

// input returns what a handler of the event is called with. named is set for a catch-all
// handler, whose first argument is the event's name.
func (c *Context) input(named bool) binding.Input {
	return binding.Input{Event: c.event, Args: c.args, Named: named}
}

// shapes are descriptions, for error messages, of the functions that each kind accepts.
var shapes = [...]string{
	shape.Event:      "func(*socketio.Context[, args...]) [(results...,)] [error]",
	shape.Connect:    "func(*socketio.Context[, auth]) [error]",
	shape.Disconnect: "func(*socketio.Context[, socketio.Reason]) [error]",
	shape.CatchAll:   "func(*socketio.Context[, event string[, args...]]) [(results...,)] [error]",
}

// callbackShape describes the functions that OnAck accepts.
const callbackShape = "func(*socketio.Context[, error][, args...]) [error]"

// caller returns the file and line of the code that is skip levels above its caller.
func caller(skip int) string {
	_, file, line, ok := runtime.Caller(skip + 1)
	if !ok {
		return "unknown place"
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// mustCompile is compile, but panics with a message that names the registration.
func mustCompile(kind shape.Kind, what, where string, fn any) Handler {
	h, err := compile(kind, fn)
	if err != nil {
		panic(fmt.Sprintf("socketio: %s at %s: cannot use %T as a handler: %v; want %s", what, where, fn, err, shapes[kind]))
	}
	return h
}

// mustCompile is mustCompile with the server's options about handlers.
func (srv *Server) mustCompile(kind shape.Kind, what, where string, fn any) Handler {
	h := mustCompile(kind, what, where, fn)
	if srv.opts.StrictArgs && (kind == shape.Event || kind == shape.CatchAll) {
		h.call = binder.Strict(h.typ, h.call)
	}
	return h
}

// errNotMade is about the zero value of Handler.
var errNotMade = errors.New("the Handler was not made by Func or FuncAck")

// compile checks fn against the shapes of its kind, and returns a Handler that calls it.
func compile(kind shape.Kind, fn any) (h Handler, err error) {
	switch fn := fn.(type) {
	case Handler:
		if fn.call == nil {
			return fn, errNotMade
		}
		return fn, binder.Rules.Check(kind, fn.typ)
	case HandlerFunc:
		h.call, _, err = binder.Compile(kind, (func(*Context) (Args, error))(fn))
		h.typ = reflect.TypeOf(fn)
		return h, err
	case func(*Context, Reason):
		if h.call, h.typ, err = binder.Compile(kind, fn); err == nil {
			h.call = binding.One(binder, fn) // without reflection
		}
		return h, err
	}
	h.call, h.typ, err = binder.Compile(kind, fn)
	return h, err
}

// newAckOption is compile for the functions that OnAck accepts.
func newAckOption(fn any) (*ackOption, error) {
	h, ok := fn.(Handler)
	if !ok {
		callback, err := binder.Callback(fn)
		return &ackOption{callback, fn}, err
	}
	if h.call == nil {
		return nil, errNotMade
	}
	callback, err := binder.CallbackOf(h.typ)
	return &ackOption{callback, h.call}, err
}

// Func makes a [Handler] of a function with one argument of any type. The compiler
// checks the shape of the function, and it is called without reflection.
func Func[T any](fn func(c *Context, arg T) error) Handler {
	if fn == nil {
		panic("socketio: Func at " + caller(1) + ": the function is nil")
	}
	return Handler{binding.OneError(binder, fn), reflect.TypeOf(fn)}
}

// FuncAck is [Func] for a function whose result is the acknowledgement.
func FuncAck[T, R any](fn func(c *Context, arg T) (R, error)) Handler {
	if fn == nil {
		panic("socketio: FuncAck at " + caller(1) + ": the function is nil")
	}
	return Handler{binding.OneAnswer(binder, fn), reflect.TypeOf(fn)}
}

// Func2 is [Func] for two arguments.
func Func2[T, U any](fn func(c *Context, arg1 T, arg2 U) error) Handler {
	if fn == nil {
		panic("socketio: Func2 at " + caller(1) + ": the function is nil")
	}
	return Handler{binding.Two(binder, func(c *Context, t T, u U) (any, error) { return nil, fn(c, t, u) }), reflect.TypeOf(fn)}
}

// FuncAck2 is [FuncAck] for two arguments.
func FuncAck2[T, U, R any](fn func(c *Context, arg1 T, arg2 U) (R, error)) Handler {
	if fn == nil {
		panic("socketio: FuncAck2 at " + caller(1) + ": the function is nil")
	}
	return Handler{binding.Two(binder, func(c *Context, t T, u U) (any, error) { return fn(c, t, u) }), reflect.TypeOf(fn)}
}

// Func3 is [Func] for three arguments.
func Func3[T, U, V any](fn func(c *Context, arg1 T, arg2 U, arg3 V) error) Handler {
	if fn == nil {
		panic("socketio: Func3 at " + caller(1) + ": the function is nil")
	}
	return Handler{binding.Three(binder, func(c *Context, t T, u U, v V) (any, error) { return nil, fn(c, t, u, v) }), reflect.TypeOf(fn)}
}

// FuncAck3 is [FuncAck] for three arguments.
func FuncAck3[T, U, V, R any](fn func(c *Context, arg1 T, arg2 U, arg3 V) (R, error)) Handler {
	if fn == nil {
		panic("socketio: FuncAck3 at " + caller(1) + ": the function is nil")
	}
	return Handler{binding.Three(binder, func(c *Context, t T, u U, v V) (any, error) { return fn(c, t, u, v) }), reflect.TypeOf(fn)}
}

// anyName is the event name and the namespace that stand for all others.
const anyName = handlers.Any

// errorHandler is what OnError takes, see [Namespace.OnError].
type errorHandler = func(c *Context, err error) any

// registry is everything that is registered on a server. It is immutable: a registration
// publishes a changed copy, so that dispatch takes no lock.
type registry struct {
	handlers.Table[space]
	onError errorHandler // for namespaces without their own
}

// space is what is registered for one namespace.
type space struct {
	handlers.Set[Handler]
	onError   errorHandler
	onExpired func(*Socket, Expiry)
	chain     *handlers.Chain[HandlerFunc] // middleware; nil if there is none
	emits     map[string]reflect.Type      // the functions given to Declare, by event
}

// set returns the handlers of a namespace, nil if nothing is registered for it.
func (sp *space) set() *handlers.Set[Handler] {
	if sp == nil {
		return nil
	}
	return &sp.Set
}

// register publishes a copy of the registry in which the namespace's space, new if there
// was none, has been changed by f.
func (srv *Server) register(ns string, f func(*space)) {
	srv.regMu.Lock()
	defer srv.regMu.Unlock()
	old := srv.registry.Load()
	srv.registry.Store(&registry{old.With(ns, f), old.onError})
}

// accepts reports whether clients may connect to a namespace.
func (srv *Server) accepts(ns string) bool {
	return srv.opts.acceptAll || srv.knows(srv.registry.Load(), ns)
}

// find returns the handler of an event in the namespace with the space own, nil if there
// is none, see [handlers.Find].
func (r *registry) find(own *space, event string, lifecycle bool) (h bound, named bool) {
	found, named, _ := handlers.Find(own.set(), r.Any.set(), event, lifecycle)
	return found.call, named
}

// errorHandler returns the error handler of a namespace, nil if there is none.
func (r *registry) errorHandler(ns string) errorHandler {
	for _, sp := range r.Layers(ns) {
		if sp != nil && sp.onError != nil {
			return sp.onError
		}
	}
	return r.onError
}

// expiredHandler returns what a namespace gave to OnExpired, nil if there is nothing.
func (r *registry) expiredHandler(ns string) func(*Socket, Expiry) {
	for _, sp := range r.Layers(ns) {
		if sp != nil && sp.onExpired != nil {
			return sp.onExpired
		}
	}
	return nil
}

// run calls the handler of the event in c through the middleware of "*" and
// then that of the namespace.
func (r *registry) run(c *Context) (Args, error) {
	if r.Any != nil && r.Any.chain != nil {
		return r.Any.chain.First(c)
	}
	return r.runOwn(c)
}

// runOwn calls what the middleware of "*" is around.
func runOwn(c *Context) (Args, error) { return c.srv().registry.Load().runOwn(c) }

func (r *registry) runOwn(c *Context) (Args, error) {
	own := r.Namespaces[c.name]
	if own != nil && own.chain != nil {
		return own.chain.First(c)
	}
	return r.handle(c, own)
}

// runHandler calls the handler that all middleware is around.
func runHandler(c *Context) (Args, error) {
	r := c.srv().registry.Load()
	return r.handle(c, r.Namespaces[c.name])
}

func (r *registry) handle(c *Context, own *space) (Args, error) {
	lifecycle := c.kind != kindEvent
	h, named := r.find(own, c.event, lifecycle)
	if h == nil {
		if lifecycle {
			return nil, nil // "connect" and "disconnect" need no handler
		}
		return nil, fmt.Errorf("%w: %.100q in namespace %.100q", ErrNoHandler, c.event, c.name)
	}
	return h(c, c.input(named))
}

// Register registers the methods of a value as the handlers of a namespace, like
// Flask-SocketIO's class-based namespaces. Every exported method whose name is On
// followed by an upper-case letter handles an event; the rest of the name in snake case
// is the event's name. OnMyEvent handles "my_event", OnConnect "connect", OnDisconnect
// "disconnect"; OnError, func(*Context, error) any, is the namespace's error handler.
// The methods have the shapes of [Namespace.On].
//
// Functions registered with On come before methods, even those of "*". The value serves
// all clients at once, so it must guard its fields. A second Register for a namespace
// replaces the first. Register panics if a method has another shape, if two methods
// handle the same event, or if no method handles one.
func (srv *Server) Register(namespace string, v any) {
	where := caller(1)
	n := srv.Namespace(namespace)
	what := fmt.Sprintf("Register(%q, %T)", namespace, v)
	n.mustBeValid(what, where)
	class, onError := srv.methodHandlers(v, what, where)
	srv.register(n.name, func(sp *space) {
		sp.Class = class
		if onError != nil {
			sp.onError = onError
		}
	})
}

// methodHandlers returns the handlers of a class by event. Clients can reach no other
// methods.
func (srv *Server) methodHandlers(v any, what, where string) (map[string]Handler, errorHandler) {
	class := make(map[string]Handler)
	method := make(map[string]string) // the method behind each event
	var onError errorHandler
	value := reflect.ValueOf(v)
	if !value.IsValid() {
		panic(fmt.Sprintf("socketio: %s at %s: the value is nil", what, where))
	}
	for m, event := range handlers.Methods(value) {
		name, fn := m.Name, value.Method(m.Index).Interface()
		at := fmt.Sprintf("%s: method %s", what, name)
		if name == "OnError" {
			ok := false
			if onError, ok = fn.(errorHandler); !ok {
				panic(fmt.Sprintf("socketio: %s at %s: it is a %T; want func(*socketio.Context, error) any", at, where, fn))
			}
			continue
		}
		if method[event] != "" {
			panic(fmt.Sprintf("socketio: %s at %s: method %s already handles event %q", at, where, method[event], event))
		}
		class[event] = srv.mustCompile(handlerKind(event, at, where), at, where, fn)
		method[event] = name
	}
	if len(class) == 0 {
		panic(fmt.Sprintf("socketio: %s at %s: it has no exported method whose name is On followed by an event; pass a pointer if the methods have pointer receivers", what, where))
	}
	return class, onError
}
