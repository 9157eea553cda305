package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"
)

// OnAck asks for an acknowledgement and has the handler called with it, for
// each client that answers:
//
//	func(*Context[, error][, args...]) [error]
//
// with the arguments of the acknowledgement, decoded as for [Namespace.On]; the
// Context is on the socket of the client that answered. A handler with an error
// after the Context is called exactly once for each client that the event is
// for. The error is nil with an answer; without one the arguments are zero and
// the error says why:
//
//   - a [*DisconnectError] if the client left first, which is [ErrClosed];
//   - [context.DeadlineExceeded] if there is an [AckTimeout] and it is over;
//   - a [*LimitError] if the client owes [Options].Limits.MaxPendingAcks answers already,
//     so that the event was not sent to it;
//   - an [*ArgError] if the answer does not fit the parameters;
//   - another error if the event could not be sent to it, as a [Volatile] one may not.
//
// When an Emit that is for its own client alone returns an error, the event was
// not sent, and the handler is not called.
//
// A handler without an error parameter is called with answers only. A client
// that leaves, or is late, leaves a line at level debug, and is what the hook
// Unacked hears of. If clients in a room owe too many answers, the others are asked
// and Emit returns a [*CallError] that names those, with the [*LimitError] in it.
//
// The callbacks of one socket run one after another, beside its events, so that
// a handler may wait for them; what they return goes to the error handler.
//
// With [Options].Cluster.Broker the clients of other servers are asked as well. The
// Socket of their Context stands for them here, with an empty request and
// session, and reaches them through the broker. Answers count until
// [AckTimeout] or else [Options].Cluster.AckTimeout is over. Go servers tell when
// one of their clients leaves first; who is in a room elsewhere and does not answer in time
// is not known, so that the handler hears of a late client there only if the
// event was for its session id. The answer of a client in a room on a server
// of Flask-SocketIO does not say whose it is: its Context has an empty ID.
//
// OnAck panics if the handler has another shape. It may be called for each
// emit: what it finds out about a handler's type it keeps. Flask-SocketIO: callback.
func OnAck(handler any) EmitOption {
	option, err := newAckOption(handler)
	if err != nil {
		panic(fmt.Sprintf("socketio: OnAck at %s: cannot use %T as a handler: %v; want %s", caller(1), handler, err, shapes[kindAck]))
	}
	return option
}

// AckTimeout bounds how long [OnAck] waits for each client, from when the event
// has been emitted. A later answer is ignored. Without it the wait ends when the client leaves, and
// for clients of other servers after [Options].Cluster.AckTimeout. It must be
// positive, and there must be an OnAck: a Call is bounded by its context.
func AckTimeout(d time.Duration) EmitOption {
	return emitOption(func(e *emission) {
		e.ackTimeout = d
		if d <= 0 {
			e.err = fmt.Errorf("socketio: AckTimeout(%v): it must be positive; without the option the wait ends when the client leaves", d)
		}
	})
}

// ackOption is a handler given to OnAck.
type ackOption struct {
	shape *ackShape
	fn    any // a function of the shape's type, or what is in a Handler
}

func (o *ackOption) severalArgumentsGoIntoOneArgs(e *emission) { e.ack = o }

// ackShape is what all handlers of one type have in common.
type ackShape struct {
	err   error // why it cannot be one
	hears bool  // it takes an error
	call  ackCall
}

// ackCall calls fn with the acknowledgement in c, or with why there is none.
type ackCall func(fn any, c *Context, failure error) error

// ackShapes holds an *ackShape for each reflect.Type seen: as many as the
// program has types of handlers.
var ackShapes sync.Map

// handlerShape is that of a Handler, whose function's shape has been checked.
var handlerShape = &ackShape{call: func(fn any, c *Context, _ error) error {
	_, err := fn.(bound)(c, false)
	return err
}}

func newAckOption(fn any) (*ackOption, error) {
	if h, ok := fn.(Handler); ok {
		if h.call == nil {
			return nil, errors.New("the Handler was not made by Func or FuncAck")
		}
		_, err := checkAckShape(h.typ)
		return &ackOption{handlerShape, h.call}, err
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
	if sh.hears, sh.err = checkAckShape(t); sh.err != nil {
		return sh
	}
	if sh.call = directAck(fn); sh.call == nil {
		sh.call = reflectedAck(t, sh.hears)
	}
	return sh
}

// checkAckShape says what is wrong with a handler of type t, or whether it takes
// an error.
func checkAckShape(t reflect.Type) (hears bool, err error) {
	if t.NumIn() == 0 || t.In(0) != contextType {
		return false, errors.New("its first parameter must be a *socketio.Context")
	}
	first := 1
	if t.NumIn() > 1 && t.In(1) == errorType {
		hears, first = true, 2
	}
	for i := first; i < t.NumIn(); i++ {
		in := t.In(i)
		if t.IsVariadic() && i == t.NumIn()-1 {
			in = in.Elem()
		}
		if in == errorType {
			return false, fmt.Errorf("parameter %d: the error comes once, right after the Context", i+1)
		}
		if err := checkParam(in); err != nil {
			return false, fmt.Errorf("parameter %d: %w", i+1, err)
		}
	}
	if t.NumOut() > 1 || t.NumOut() == 1 && t.Out(0) != errorType {
		return false, errors.New("nobody receives its results; only an error may be returned")
	}
	return hears, nil
}

// directAck returns the call of the shapes in common use, nil for any other.
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

// reflectedAck returns the call of functions of type t, of any accepted shape.
func reflectedAck(t reflect.Type, hears bool) ackCall {
	first := 1 // of the arguments
	if hears {
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
		case failure != nil && !hears:
			return failure
		case failure != nil: // the arguments are zero
			in = in[:first]
			for i := range fixed {
				in = append(in, reflect.Zero(t.In(first+i)))
			}
		}
		if hears {
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
