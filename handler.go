package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"

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

// bound calls a handler with the arguments of the event in c. named is set for
// a catch-all handler, whose first argument is the event's name.
type bound func(c *Context, named bool) (Args, error)

// handlerRules are the types of this package that internal/shape needs to know.
var handlerRules = shape.Rules{
	Context: contextType, Socket: reflect.TypeFor[*Socket](), Reason: reflect.TypeFor[Reason](),
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

var (
	contextType = reflect.TypeFor[*Context]()
	errorType   = reflect.TypeFor[error]()
	argsType    = reflect.TypeFor[Args]()
)

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
		h = strict(h)
	}
	return h
}

// compile checks fn against the shapes of its kind, and returns a Handler that calls
// it: functions of common shapes without reflection, the others with it.
func compile(kind shape.Kind, fn any) (Handler, error) {
	if fn == nil {
		return Handler{}, errors.New("it is nil")
	}
	if h, ok := fn.(Handler); ok {
		if h.call == nil {
			return h, errors.New("the Handler was not made by Func or FuncAck")
		}
		return h, handlerRules.Check(kind, h.typ)
	}
	v := reflect.ValueOf(fn)
	if v.Kind() != reflect.Func {
		return Handler{}, errors.New("it is not a function")
	}
	if v.IsNil() {
		return Handler{}, errors.New("the function is nil")
	}
	if err := handlerRules.Check(kind, v.Type()); err != nil {
		return Handler{}, err
	}
	h := Handler{call: direct(fn), typ: v.Type()}
	if h.call == nil {
		h.call = reflected(v)
	}
	return h, nil
}

// direct returns the call of a function of a common shape, nil for any other.
func direct(fn any) bound {
	switch fn := fn.(type) {
	case HandlerFunc:
		return func(c *Context, _ bool) (Args, error) { return fn(c) }
	case func(*Context) (Args, error):
		return func(c *Context, _ bool) (Args, error) { return fn(c) }
	case func(*Context):
		return func(c *Context, _ bool) (Args, error) { fn(c); return nil, nil }
	case func(*Context) error:
		return func(c *Context, _ bool) (Args, error) { return nil, fn(c) }
	case func(*Context) (any, error):
		return func(c *Context, _ bool) (Args, error) { return answer(fn(c)) }
	case func(*Context, Reason):
		return one(fn)
	}
	for _, of := range []func(any) bound{
		directOf[string], directOf[[]byte], directOf[json.RawMessage], directOf[any], directOf[map[string]any],
		directOf[int], directOf[float64], directOf[bool], directOf[Raw],
		directOfTwo[string, string], directOfTwo[string, any], directOfTwo[string, []byte], directOfTwo[int, int],
	} {
		if call := of(fn); call != nil {
			return call
		}
	}
	return nil
}

// directOf is direct for functions with one argument of type T.
func directOf[T any](fn any) bound {
	switch fn := fn.(type) {
	case func(*Context, T):
		return one(fn)
	case func(*Context, T) error:
		return oneErr(fn)
	case func(*Context, T) T:
		return oneAck(func(c *Context, v T) (T, error) { return fn(c, v), nil })
	case func(*Context, T) (T, error):
		return oneAck(fn)
	case func(*Context, T) any:
		return oneAck(func(c *Context, v T) (any, error) { return fn(c, v), nil })
	case func(*Context, T) (any, error):
		return oneAck(fn)
	case func(*Context, T) (string, error):
		return oneAck(fn)
	}
	return nil
}

// directOfTwo is direct for functions with two arguments.
func directOfTwo[T, U any](fn any) bound {
	switch fn := fn.(type) {
	case func(*Context, T, U):
		return two(func(c *Context, t T, u U) (any, error) { fn(c, t, u); return nil, nil })
	case func(*Context, T, U) error:
		return two(func(c *Context, t T, u U) (any, error) { return nil, fn(c, t, u) })
	case func(*Context, T, U) (T, error):
		return two(func(c *Context, t T, u U) (any, error) { return fn(c, t, u) })
	case func(*Context, T, U) (any, error):
		return two(fn)
	}
	return nil
}

// Func makes a [Handler] of a function with one argument of any type. The compiler
// checks the shape of the function, and it is called without reflection.
func Func[T any](fn func(c *Context, arg T) error) Handler {
	if fn == nil {
		panic("socketio: Func at " + caller(1) + ": the function is nil")
	}
	return Handler{oneErr(fn), reflect.TypeOf(fn)}
}

// FuncAck is [Func] for a function whose result is the acknowledgement.
func FuncAck[T, R any](fn func(c *Context, arg T) (R, error)) Handler {
	if fn == nil {
		panic("socketio: FuncAck at " + caller(1) + ": the function is nil")
	}
	return Handler{oneAck(fn), reflect.TypeOf(fn)}
}

// Func2 is [Func] for two arguments.
func Func2[T, U any](fn func(c *Context, arg1 T, arg2 U) error) Handler {
	if fn == nil {
		panic("socketio: Func2 at " + caller(1) + ": the function is nil")
	}
	return Handler{two(func(c *Context, t T, u U) (any, error) { return nil, fn(c, t, u) }), reflect.TypeOf(fn)}
}

// FuncAck2 is [FuncAck] for two arguments.
func FuncAck2[T, U, R any](fn func(c *Context, arg1 T, arg2 U) (R, error)) Handler {
	if fn == nil {
		panic("socketio: FuncAck2 at " + caller(1) + ": the function is nil")
	}
	return Handler{two(func(c *Context, t T, u U) (any, error) { return fn(c, t, u) }), reflect.TypeOf(fn)}
}

// Func3 is [Func] for three arguments.
func Func3[T, U, V any](fn func(c *Context, arg1 T, arg2 U, arg3 V) error) Handler {
	if fn == nil {
		panic("socketio: Func3 at " + caller(1) + ": the function is nil")
	}
	return Handler{three(func(c *Context, t T, u U, v V) (any, error) { return nil, fn(c, t, u, v) }), reflect.TypeOf(fn)}
}

// FuncAck3 is [FuncAck] for three arguments.
func FuncAck3[T, U, V, R any](fn func(c *Context, arg1 T, arg2 U, arg3 V) (R, error)) Handler {
	if fn == nil {
		panic("socketio: FuncAck3 at " + caller(1) + ": the function is nil")
	}
	return Handler{three(func(c *Context, t T, u U, v V) (any, error) { return fn(c, t, u, v) }), reflect.TypeOf(fn)}
}

func one[T any](fn func(*Context, T)) bound {
	return func(c *Context, named bool) (Args, error) {
		var v T
		if err := c.param(0, named, &v); err != nil {
			return nil, err
		}
		fn(c, v)
		return nil, nil
	}
}

func oneErr[T any](fn func(*Context, T) error) bound {
	return func(c *Context, named bool) (Args, error) {
		var v T
		if err := c.param(0, named, &v); err != nil {
			return nil, err
		}
		return nil, fn(c, v)
	}
}

func oneAck[T, R any](fn func(*Context, T) (R, error)) bound {
	return func(c *Context, named bool) (Args, error) {
		var v T
		if err := c.param(0, named, &v); err != nil {
			return nil, err
		}
		r, err := fn(c, v)
		return answer(any(r), err)
	}
}

func two[T, U any](fn func(*Context, T, U) (any, error)) bound {
	return func(c *Context, named bool) (Args, error) {
		var v struct {
			t T
			u U
		}
		if err := c.param(0, named, &v.t); err != nil {
			return nil, err
		}
		if err := c.param(1, named, &v.u); err != nil {
			return nil, err
		}
		return answer(fn(c, v.t, v.u))
	}
}

func three[T, U, V any](fn func(*Context, T, U, V) (any, error)) bound {
	return func(c *Context, named bool) (Args, error) {
		var v struct {
			t T
			u U
			v V
		}
		for i, target := range [...]any{&v.t, &v.u, &v.v} {
			if err := c.param(i, named, target); err != nil {
				return nil, err
			}
		}
		return answer(fn(c, v.t, v.u, v.v))
	}
}
