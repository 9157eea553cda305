package binding

import "reflect"

var errorType = reflect.TypeFor[error]()

// reflected returns the Call of a function of any accepted type. What depends on the type
// alone is computed once.
func (b *Binder[C, A]) reflected(fn reflect.Value) Call[C, A] {
	t := fn.Type()
	fixed, rest := parametersOf(t, 1)
	values := t.NumOut()
	fails := values > 0 && t.Out(values-1) == errorType
	if fails {
		values--
	}
	spread := values == 1 && t.Out(0) == reflect.TypeFor[A]()
	return func(c C, in Input) (A, error) {
		n := 1 + len(fixed)
		if rest != nil {
			n += max(0, in.parameters()-len(fixed))
		}
		call := make([]reflect.Value, n)
		call[0] = reflect.ValueOf(c)
		for i := range n - 1 {
			typ := rest
			if i < len(fixed) {
				typ = fixed[i]
			}
			v := reflect.New(typ)
			if err := b.parameter(&in, i, v.Interface()); err != nil {
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
			return out[0].Interface().(A), err
		case values == 1:
			return b.answer(out[0].Interface(), err)
		}
		all := make(A, values)
		for i := range all {
			all[i] = out[i].Interface()
		}
		return all, err
	}
}

// parametersOf returns the types of the parameters from the first one on. It returns the
// element type of a variadic one separately, nil if there is none.
func parametersOf(t reflect.Type, first int) (fixed []reflect.Type, rest reflect.Type) {
	n := t.NumIn()
	if t.IsVariadic() {
		n--
		rest = t.In(n).Elem()
	}
	for i := first; i < n; i++ {
		fixed = append(fixed, t.In(i))
	}
	return fixed, rest
}
