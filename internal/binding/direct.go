package binding

import (
	"encoding/json"

	"github.com/seed-d124fa34/socketio/parser"
)

// direct returns the Call of a function of a common type, nil for any other.
func (b *Binder[C, A]) direct(fn any) Call[C, A] {
	switch fn := fn.(type) {
	case func(C) (A, error):
		return func(c C, _ Input) (A, error) { return fn(c) }
	case func(C):
		return func(c C, _ Input) (A, error) { fn(c); return nil, nil }
	case func(C) error:
		return func(c C, _ Input) (A, error) { return nil, fn(c) }
	case func(C) (any, error):
		return func(c C, _ Input) (A, error) { return b.answer(fn(c)) }
	}
	for _, of := range []func(*Binder[C, A], any) Call[C, A]{
		directOne[C, A, string], directOne[C, A, []byte], directOne[C, A, json.RawMessage], directOne[C, A, any],
		directOne[C, A, map[string]any], directOne[C, A, int], directOne[C, A, float64], directOne[C, A, bool], directOne[C, A, parser.Raw],
		directTwo[C, A, string, string], directTwo[C, A, string, any], directTwo[C, A, string, []byte], directTwo[C, A, int, int],
	} {
		if call := of(b, fn); call != nil {
			return call
		}
	}
	return nil
}

// directOne is direct for functions with one argument of type T.
func directOne[C any, A ~[]any, T any](b *Binder[C, A], fn any) Call[C, A] {
	switch fn := fn.(type) {
	case func(C, T):
		return One(b, fn)
	case func(C, T) error:
		return OneError(b, fn)
	case func(C, T) T:
		return OneAnswer(b, func(c C, v T) (T, error) { return fn(c, v), nil })
	case func(C, T) (T, error):
		return OneAnswer(b, fn)
	case func(C, T) any:
		return OneAnswer(b, func(c C, v T) (any, error) { return fn(c, v), nil })
	case func(C, T) (any, error):
		return OneAnswer(b, fn)
	case func(C, T) (string, error):
		return OneAnswer(b, fn)
	}
	return nil
}

// directTwo is direct for functions with two arguments.
func directTwo[C any, A ~[]any, T, U any](b *Binder[C, A], fn any) Call[C, A] {
	switch fn := fn.(type) {
	case func(C, T, U):
		return Two(b, func(c C, t T, u U) (any, error) { fn(c, t, u); return nil, nil })
	case func(C, T, U) error:
		return Two(b, func(c C, t T, u U) (any, error) { return nil, fn(c, t, u) })
	case func(C, T, U) (T, error):
		return Two(b, func(c C, t T, u U) (any, error) { return fn(c, t, u) })
	case func(C, T, U) (any, error):
		return Two(b, fn)
	}
	return nil
}

// answer returns what the single result of a function stands for.
func (b *Binder[C, A]) answer(result any, err error) (A, error) { return b.Values(result), err }

// One returns the Call of a function with one argument of any type.
func One[C any, A ~[]any, T any](b *Binder[C, A], fn func(C, T)) Call[C, A] {
	return func(c C, in Input) (A, error) {
		var v T
		if err := b.parameter(&in, 0, &v); err != nil {
			return nil, err
		}
		fn(c, v)
		return nil, nil
	}
}

// OneError is One for a function that may fail.
func OneError[C any, A ~[]any, T any](b *Binder[C, A], fn func(C, T) error) Call[C, A] {
	return func(c C, in Input) (A, error) {
		var v T
		if err := b.parameter(&in, 0, &v); err != nil {
			return nil, err
		}
		return nil, fn(c, v)
	}
}

// OneAnswer is OneError for a function with a result.
func OneAnswer[C any, A ~[]any, T, R any](b *Binder[C, A], fn func(C, T) (R, error)) Call[C, A] {
	return func(c C, in Input) (A, error) {
		var v T
		if err := b.parameter(&in, 0, &v); err != nil {
			return nil, err
		}
		r, err := fn(c, v)
		return b.answer(any(r), err)
	}
}

// Two is OneAnswer for two arguments.
func Two[C any, A ~[]any, T, U any](b *Binder[C, A], fn func(C, T, U) (any, error)) Call[C, A] {
	return func(c C, in Input) (A, error) {
		var v struct {
			t T
			u U
		}
		if err := b.parameter(&in, 0, &v.t); err != nil {
			return nil, err
		}
		if err := b.parameter(&in, 1, &v.u); err != nil {
			return nil, err
		}
		return b.answer(fn(c, v.t, v.u))
	}
}

// Three is OneAnswer for three arguments.
func Three[C any, A ~[]any, T, U, V any](b *Binder[C, A], fn func(C, T, U, V) (any, error)) Call[C, A] {
	return func(c C, in Input) (A, error) {
		var v struct {
			t T
			u U
			v V
		}
		for i, target := range [...]any{&v.t, &v.u, &v.v} {
			if err := b.parameter(&in, i, target); err != nil {
				return nil, err
			}
		}
		return b.answer(fn(c, v.t, v.u, v.v))
	}
}
