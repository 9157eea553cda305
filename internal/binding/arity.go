package binding

import (
	"fmt"
	"reflect"
)

// Strict returns a Call that checks the number of arguments, and then calls a function of
// type t. A function that decodes its arguments itself takes any number.
func (b *Binder[C, A]) Strict(t reflect.Type, call Call[C, A]) Call[C, A] {
	a := newArity(t, 1)
	if a.any() && t.NumOut() == 2 && t.Out(0) == reflect.TypeFor[A]() {
		return call
	}
	return func(c C, in Input) (A, error) {
		if err := b.checkArity(&a, &in); err != nil {
			return nil, err
		}
		return call(c, in)
	}
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

// any reports whether the function has no parameters for arguments.
func (a *arity) any() bool { return a.params == 0 && !a.variadic }

// checkArity returns a misfit if there is another number of arguments. With a name, that
// is the first of them.
func (b *Binder[C, A]) checkArity(a *arity, in *Input) error {
	n := in.parameters()
	if n == a.params || n > a.params && a.variadic || in.Named && a.params == 0 {
		return nil
	}
	index, typ := min(n, a.params), ""
	if n < a.params {
		typ = a.typ.In(n + a.first).String()
	}
	want := a.params
	if in.Named {
		index--
		want--
	}
	atLeast := ""
	if a.variadic {
		atLeast = "at least "
	}
	return b.Misfit(in.Event, index, typ, fmt.Errorf("%w: %d, and the handler takes %s%d", ErrCount, in.Args.Len(), atLeast, want))
}
