package socketio

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"

	"github.com/seed-d124fa34/socketio/internal/binding"
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
