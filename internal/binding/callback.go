package binding

import (
	"encoding/json"
	"reflect"
)

// Callback is what all callbacks of one type have in common. A callback is a function that gets
// acknowledgements.
type Callback[C any, A ~[]any] struct {
	// TakesError: the functions take an error after the C.
	TakesError bool

	binder *Binder[C, A]
	err    error // why the type cannot be a callback; nil if it can
	arity  arity
	call   callbackCall[C]
}

// callbackCall calls fn with an acknowledgement, or with the failure if there is none.
type callbackCall[C any] func(fn any, c C, in Input, failure error) error

// ofCall is the key in Binder.callbacks for Calls of functions of a type.
type ofCall struct{ typ reflect.Type }

// Callback returns what is common to functions of the type of fn, or says why fn cannot
// be a callback. It examines each type once.
func (b *Binder[C, A]) Callback(fn any) (*Callback[C, A], error) {
	v, err := function(fn)
	if err != nil {
		return nil, err
	}
	known, ok := b.callbacks.Load(v.Type())
	if !ok {
		known, _ = b.callbacks.LoadOrStore(v.Type(), b.newCallback(v.Type(), fn))
	}
	cb := known.(*Callback[C, A])
	return cb, cb.err
}

// CallbackOf is Callback for Calls of functions of type t. Its Call takes the Call as fn.
func (b *Binder[C, A]) CallbackOf(t reflect.Type) (*Callback[C, A], error) {
	known, ok := b.callbacks.Load(ofCall{t})
	if !ok {
		_, err := b.Rules.CheckCallback(t)
		cb := &Callback[C, A]{binder: b, err: err, arity: newArity(t, 1), call: func(fn any, c C, in Input, _ error) error {
			_, err := fn.(Call[C, A])(c, in)
			return err
		}}
		known, _ = b.callbacks.LoadOrStore(ofCall{t}, cb)
	}
	cb := known.(*Callback[C, A])
	return cb, cb.err
}

// Call calls fn with an acknowledgement, or with the failure if there is none. Without
// TakesError there must be no failure.
func (cb *Callback[C, A]) Call(fn any, c C, in Input, failure error) error {
	return cb.call(fn, c, in, failure)
}

// CheckCount returns a misfit if the acknowledgement has another number of arguments than
// the function takes. A function without parameters for arguments takes any: it decodes
// them itself.
func (cb *Callback[C, A]) CheckCount(in Input) error {
	if cb.arity.any() {
		return nil
	}
	return cb.binder.checkArity(&cb.arity, &in)
}

func (b *Binder[C, A]) newCallback(t reflect.Type, fn any) *Callback[C, A] {
	cb := &Callback[C, A]{binder: b}
	if cb.TakesError, cb.err = b.Rules.CheckCallback(t); cb.err != nil {
		return cb
	}
	cb.arity = newArity(t, firstArgument(cb.TakesError))
	if cb.call = b.directCallback(fn); cb.call == nil {
		cb.call = b.reflectedCallback(t, cb.TakesError)
	}
	return cb
}

// firstArgument returns the index of the first parameter for an argument.
func firstArgument(takesError bool) int {
	if takesError {
		return 2
	}
	return 1
}

// directCallback returns the call of a function of a common type, nil for any other.
func (b *Binder[C, A]) directCallback(fn any) callbackCall[C] {
	switch fn.(type) {
	case func(C):
		return func(fn any, c C, _ Input, _ error) error { fn.(func(C))(c); return nil }
	case func(C) error:
		return func(fn any, c C, _ Input, _ error) error { return fn.(func(C) error)(c) }
	case func(C, error):
		return func(fn any, c C, _ Input, failure error) error { fn.(func(C, error))(c, failure); return nil }
	case func(C, error) error:
		return func(fn any, c C, _ Input, failure error) error { return fn.(func(C, error) error)(c, failure) }
	}
	for _, of := range []func(*Binder[C, A], any) callbackCall[C]{
		directCallbackOf[C, A, string], directCallbackOf[C, A, []byte], directCallbackOf[C, A, json.RawMessage], directCallbackOf[C, A, any],
		directCallbackOf[C, A, map[string]any], directCallbackOf[C, A, int], directCallbackOf[C, A, float64], directCallbackOf[C, A, bool],
	} {
		if call := of(b, fn); call != nil {
			return call
		}
	}
	return nil
}

// directCallbackOf is directCallback for one argument of type T.
func directCallbackOf[C any, A ~[]any, T any](b *Binder[C, A], fn any) callbackCall[C] {
	switch fn.(type) {
	case func(C, T):
		return func(fn any, c C, in Input, _ error) error {
			v, err := bindOne[C, A, T](b, &in, nil)
			if err == nil {
				fn.(func(C, T))(c, v)
			}
			return err
		}
	case func(C, T) error:
		return func(fn any, c C, in Input, _ error) error {
			v, err := bindOne[C, A, T](b, &in, nil)
			if err != nil {
				return err
			}
			return fn.(func(C, T) error)(c, v)
		}
	case func(C, error, T):
		return func(fn any, c C, in Input, failure error) error {
			v, err := bindOne[C, A, T](b, &in, failure)
			fn.(func(C, error, T))(c, err, v)
			return nil
		}
	case func(C, error, T) error:
		return func(fn any, c C, in Input, failure error) error {
			v, err := bindOne[C, A, T](b, &in, failure)
			return fn.(func(C, error, T) error)(c, err, v)
		}
	}
	return nil
}

// bindOne decodes the one argument of an acknowledgement. With an error, v is zero.
func bindOne[C any, A ~[]any, T any](b *Binder[C, A], in *Input, failure error) (v T, err error) {
	if failure != nil {
		return v, failure
	}
	if err := b.Argument(in, 0, &v); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// reflectedCallback returns the call of functions of type t, which is any accepted one.
func (b *Binder[C, A]) reflectedCallback(t reflect.Type, takesError bool) callbackCall[C] {
	first := firstArgument(takesError)
	fixed, rest := parametersOf(t, first)
	return func(fn any, c C, in Input, failure error) error {
		n := len(fixed)
		if rest != nil {
			n = max(n, in.Args.Len())
		}
		call := make([]reflect.Value, first, first+n)
		call[0] = reflect.ValueOf(c)
		for i := 0; i < n && failure == nil; i++ {
			typ := rest
			if i < len(fixed) {
				typ = fixed[i]
			}
			v := reflect.New(typ)
			failure = b.Argument(&in, i, v.Interface())
			call = append(call, v.Elem())
		}
		switch {
		case failure != nil && !takesError:
			return failure
		case failure != nil: // the arguments are zero
			call = call[:first]
			for _, typ := range fixed {
				call = append(call, reflect.Zero(typ))
			}
		}
		if takesError {
			call[1] = reflect.ValueOf(&failure).Elem()
		}
		out := reflect.ValueOf(fn).Call(call)
		if len(out) == 0 {
			return nil
		}
		err, _ := out[0].Interface().(error)
		return err
	}
}
