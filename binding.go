package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/seed-d124fa34/socketio/internal/goargs"
)

// How the arguments of events and acknowledgements get into the parameters of handlers.

// strict returns a handler that checks the number of arguments and then calls h, see
// [Options].StrictArgs.
func strict(h Handler) Handler {
	a := newArity(h.typ, 1)
	if a.params == 0 && !a.variadic && h.typ.NumOut() == 2 && h.typ.Out(0) == argsType {
		return h // a HandlerFunc gets the arguments undecoded
	}
	call := h.call
	h.call = func(c *Context, named bool) (Args, error) {
		if err := a.check(c, named); err != nil {
			return nil, err
		}
		return call(c, named)
	}
	return h
}

// arity is the number of arguments that a function takes.
type arity struct {
	typ      reflect.Type
	first    int // index of the first parameter for an argument
	params   int // without the variadic one
	variadic bool
}

func newArity(t reflect.Type, first int) arity {
	a := arity{typ: t, first: first, params: t.NumIn() - first, variadic: t.IsVariadic()}
	if a.variadic {
		a.params--
	}
	return a
}

// check returns an ArgError if the event in c has another number of arguments. With
// named, the name of the event is the first argument.
func (a *arity) check(c *Context, named bool) error {
	n := c.params(named)
	if n == a.params || n > a.params && a.variadic || named && a.params == 0 {
		return nil
	}
	e := &ArgError{Event: c.event, Index: min(n, a.params)}
	if n < a.params {
		e.Type = a.typ.In(n + a.first).String()
	}
	want := a.params
	if named {
		e.Index--
		want--
	}
	atLeast := ""
	if a.variadic {
		atLeast = "at least "
	}
	e.Err = fmt.Errorf("%w: %d, and the handler takes %s%d", ErrArgCount, c.args.Len(), atLeast, want)
	return e
}

// answer returns the acknowledgement for the single result of a handler.
func answer(result any, err error) (Args, error) { return argsOf(result), err }

// params returns how many parameters the event in c can fill.
func (c *Context) params(named bool) int {
	n := c.args.Len()
	if named {
		n++
	}
	return n
}

// param decodes parameter i of a handler into v, a pointer. If the event has no such
// argument, *v stays as it is.
func (c *Context) param(i int, named bool, v any) error {
	if named {
		if i == 0 {
			return c.bindName(v)
		}
		i--
	}
	return c.bindArg(i, v)
}

func (c *Context) bindArg(i int, v any) error {
	if i >= c.args.Len() {
		return nil
	}
	if err := c.args.Bind(i, v); err != nil {
		return &ArgError{c.event, i, targetType(v), err}
	}
	return nil
}

// bindName stores the event's name as the first parameter of a catch-all handler.
func (c *Context) bindName(v any) error {
	if err := goargs.Assign(v, c.event); err != nil {
		return &ArgError{c.event, -1, targetType(v), err}
	}
	return nil
}

func targetType(v any) string {
	if t := reflect.TypeOf(v); t != nil && t.Kind() == reflect.Pointer {
		return t.Elem().String()
	}
	return fmt.Sprintf("%T", v)
}

// reflected returns the call of a function of any accepted shape. It computes once what
// depends on the type only.
func reflected(fn reflect.Value) bound {
	t := fn.Type()
	fixed := t.NumIn() - 1 // parameters after the Context, without the variadic one
	var rest reflect.Type  // element of the variadic one
	if t.IsVariadic() {
		fixed--
		rest = t.In(t.NumIn() - 1).Elem()
	}
	in := make([]reflect.Type, fixed)
	for i := range in {
		in[i] = t.In(i + 1)
	}
	values := t.NumOut()
	fails := values > 0 && t.Out(values-1) == errorType
	if fails {
		values--
	}
	spread := values == 1 && t.Out(0) == argsType
	return func(c *Context, named bool) (Args, error) {
		n := 1 + fixed
		if rest != nil {
			n += max(0, c.params(named)-fixed)
		}
		call := make([]reflect.Value, n)
		call[0] = reflect.ValueOf(c)
		for i := range n - 1 {
			typ := rest
			if i < fixed {
				typ = in[i]
			}
			v := reflect.New(typ)
			if err := c.param(i, named, v.Interface()); err != nil {
				return nil, err
			}
			call[i+1] = v.Elem()
		}
		out := fn.Call(call)
		var err error
		if fails {
			err, _ = out[values].Interface().(error)
		}
		switch {
		case values == 0:
			return nil, err
		case spread:
			return out[0].Interface().(Args), err
		case values == 1:
			return answer(out[0].Interface(), err)
		}
		ack := make(Args, values)
		for i := range ack {
			ack[i] = out[i].Interface()
		}
		return ack, err
	}
}

// ackShape is what all handlers for OnAck of one type have in common.
type ackShape struct {
	err        error // why the type cannot be a handler; nil if it can
	takesError bool  // the handler takes an error
	arity      arity
	call       ackCall
}

// ackCall calls fn with the acknowledgement in c, or with the failure if there is none.
type ackCall func(fn any, c *Context, failure error) error

// ackShapes holds an *ackShape for each reflect.Type of a function that OnAck has been
// given, and for each ofHandler. A program has a fixed number of these.
var ackShapes sync.Map

// strict checks the number of arguments of the acknowledgement in c. A callback without
// parameters for arguments takes any: it decodes them itself.
func (sh *ackShape) strict(c *Context) error {
	if sh.arity.params == 0 && !sh.arity.variadic {
		return nil
	}
	return sh.arity.check(c, false)
}

// ofHandler is the key in ackShapes of Handlers with functions of a type.
type ofHandler struct{ typ reflect.Type }

// callBound is the ackCall of a Handler.
func callBound(fn any, c *Context, _ error) error {
	_, err := fn.(bound)(c, false)
	return err
}

func newAckOption(fn any) (*ackOption, error) {
	if h, ok := fn.(Handler); ok {
		if h.call == nil {
			return nil, errors.New("the Handler was not made by Func or FuncAck")
		}
		known, ok := ackShapes.Load(ofHandler{h.typ})
		if !ok {
			_, err := handlerRules.CheckCallback(h.typ)
			known, _ = ackShapes.LoadOrStore(ofHandler{h.typ}, &ackShape{err: err, call: callBound, arity: newArity(h.typ, 1)})
		}
		shape := known.(*ackShape)
		return &ackOption{shape, h.call}, shape.err
	}
	t := reflect.TypeOf(fn)
	switch {
	case t == nil:
		return nil, errors.New("it is nil")
	case t.Kind() != reflect.Func:
		return nil, errors.New("it is not a function")
	case reflect.ValueOf(fn).IsNil():
		return nil, errors.New("the function is nil")
	}
	known, ok := ackShapes.Load(t)
	if !ok {
		known, _ = ackShapes.LoadOrStore(t, newAckShape(t, fn))
	}
	shape := known.(*ackShape)
	return &ackOption{shape, fn}, shape.err
}

func newAckShape(t reflect.Type, fn any) *ackShape {
	sh := new(ackShape)
	if sh.takesError, sh.err = handlerRules.CheckCallback(t); sh.err != nil {
		return sh
	}
	first := 1 // of the arguments
	if sh.takesError {
		first = 2
	}
	sh.arity = newArity(t, first)
	if sh.call = directAck(fn); sh.call == nil {
		sh.call = reflectedAck(t, sh.takesError)
	}
	return sh
}

// directAck returns the call of a function of a common shape, nil for any other.
func directAck(fn any) ackCall {
	switch fn.(type) {
	case func(*Context):
		return func(fn any, c *Context, _ error) error { fn.(func(*Context))(c); return nil }
	case func(*Context) error:
		return func(fn any, c *Context, _ error) error { return fn.(func(*Context) error)(c) }
	case func(*Context, error):
		return func(fn any, c *Context, failure error) error { fn.(func(*Context, error))(c, failure); return nil }
	case func(*Context, error) error:
		return func(fn any, c *Context, failure error) error { return fn.(func(*Context, error) error)(c, failure) }
	}
	for _, of := range []func(any) ackCall{
		directAckOf[string], directAckOf[[]byte], directAckOf[json.RawMessage], directAckOf[any], directAckOf[map[string]any],
		directAckOf[int], directAckOf[float64], directAckOf[bool],
	} {
		if call := of(fn); call != nil {
			return call
		}
	}
	return nil
}

// directAckOf is directAck for one argument of type T.
func directAckOf[T any](fn any) ackCall {
	switch fn.(type) {
	case func(*Context, T):
		return func(fn any, c *Context, _ error) error {
			var v T
			err := c.bindArg(0, &v)
			if err == nil {
				fn.(func(*Context, T))(c, v)
			}
			return err
		}
	case func(*Context, T) error:
		return func(fn any, c *Context, _ error) error {
			var v T
			if err := c.bindArg(0, &v); err != nil {
				return err
			}
			return fn.(func(*Context, T) error)(c, v)
		}
	case func(*Context, error, T):
		return func(fn any, c *Context, failure error) error {
			v, err := bindAck[T](c, failure)
			fn.(func(*Context, error, T))(c, err, v)
			return nil
		}
	case func(*Context, error, T) error:
		return func(fn any, c *Context, failure error) error {
			v, err := bindAck[T](c, failure)
			return fn.(func(*Context, error, T) error)(c, err, v)
		}
	}
	return nil
}

// bindAck decodes the one argument of an acknowledgement. With an error, v is zero.
func bindAck[T any](c *Context, failure error) (v T, err error) {
	if failure != nil {
		return v, failure
	}
	if err := c.bindArg(0, &v); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// reflectedAck returns the call of functions of type t, which has any accepted shape.
func reflectedAck(t reflect.Type, takesError bool) ackCall {
	first := 1 // of the arguments
	if takesError {
		first = 2
	}
	fixed := t.NumIn() - first
	var rest reflect.Type // element of the variadic parameter
	if t.IsVariadic() {
		fixed--
		rest = t.In(t.NumIn() - 1).Elem()
	}
	return func(fn any, c *Context, failure error) error {
		n := fixed
		if rest != nil {
			n = max(n, c.args.Len())
		}
		in := make([]reflect.Value, first, first+n)
		in[0] = reflect.ValueOf(c)
		for i := 0; i < n && failure == nil; i++ {
			typ := rest
			if i < fixed {
				typ = t.In(first + i)
			}
			v := reflect.New(typ)
			failure = c.bindArg(i, v.Interface())
			in = append(in, v.Elem())
		}
		switch {
		case failure != nil && !takesError:
			return failure
		case failure != nil: // the arguments are zero
			in = in[:first]
			for i := range fixed {
				in = append(in, reflect.Zero(t.In(first+i)))
			}
		}
		if takesError {
			in[1] = reflect.ValueOf(&failure).Elem()
		}
		out := reflect.ValueOf(fn).Call(in)
		if len(out) == 0 {
			return nil
		}
		err, _ := out[0].Interface().(error)
		return err
	}
}
