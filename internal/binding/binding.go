// Package binding gets the arguments of events and acknowledgements into the parameters
// of Go functions, and calls them: functions of common types without reflection, the
// others with it. It knows nothing of sockets. It is generic over the first parameter of
// every function (C), which it passes on, and over the type of several values (A).
package binding

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/seed-d124fa34/socketio/internal/goargs"
	"github.com/seed-d124fa34/socketio/internal/shape"
	"github.com/seed-d124fa34/socketio/parser"
)

// ErrCount is in the chain of a misfit if there are more or fewer arguments than
// parameters.
var ErrCount = errors.New("socketio: wrong number of arguments")

// Input is what a function is called with.
type Input struct {
	Event string // the event's name
	Args  parser.Args
	Named bool // the name comes before the arguments
}

// Call calls a function with the arguments in an Input. The result is what the function
// returned.
type Call[C any, A ~[]any] func(c C, in Input) (A, error)

// Binder makes the Calls of functions. Its fields must be set before it is used, and its
// methods may be called from any goroutine then.
type Binder[C any, A ~[]any] struct {
	// Rules say which functions it accepts.
	Rules shape.Rules
	// Misfit returns the error of an argument that does not fit a parameter of type typ.
	// The index is -1 for the event's name. err is the reason.
	Misfit func(event string, index int, typ string, err error) error
	// Values returns what the single result of a function stands for.
	Values func(result any) A

	// callbacks has a *Callback for each reflect.Type of the functions that Callback was
	// called with, and for each ofCall. A program has a fixed number of these.
	callbacks sync.Map
}

// Compile returns the Call of a function and its type, or says why it cannot be a
// handler of this kind.
func (b *Binder[C, A]) Compile(kind shape.Kind, fn any) (Call[C, A], reflect.Type, error) {
	v, err := function(fn)
	if err != nil {
		return nil, nil, err
	}
	if err := b.Rules.Check(kind, v.Type()); err != nil {
		return nil, nil, err
	}
	call := b.direct(fn)
	if call == nil {
		call = b.reflected(v)
	}
	return call, v.Type(), nil
}

// function returns the value of fn, or says why it is no function.
func function(fn any) (reflect.Value, error) {
	v := reflect.ValueOf(fn)
	switch {
	case fn == nil:
		return v, errors.New("it is nil")
	case v.Kind() != reflect.Func:
		return v, errors.New("it is not a function")
	case v.IsNil():
		return v, errors.New("the function is nil")
	}
	return v, nil
}

// parameters returns how many parameters can be filled.
func (in *Input) parameters() int {
	n := in.Args.Len()
	if in.Named {
		n++
	}
	return n
}

// parameter decodes parameter i of a function into v, a pointer. If there is no such
// argument, *v stays as it is.
func (b *Binder[C, A]) parameter(in *Input, i int, v any) error {
	if in.Named {
		if i == 0 {
			return b.name(in, v)
		}
		i--
	}
	return b.Argument(in, i, v)
}

// Argument decodes argument i into v, a pointer. If there is no such argument, *v stays
// as it is.
func (b *Binder[C, A]) Argument(in *Input, i int, v any) error {
	if i >= in.Args.Len() {
		return nil
	}
	if err := in.Args.Bind(i, v); err != nil {
		return b.Misfit(in.Event, i, Target(v), err)
	}
	return nil
}

// name stores the event's name.
func (b *Binder[C, A]) name(in *Input, v any) error {
	if err := goargs.Assign(v, in.Event); err != nil {
		return b.Misfit(in.Event, -1, Target(v), err)
	}
	return nil
}

// Target describes the type of the variable that v points to.
func Target(v any) string {
	if t := reflect.TypeOf(v); t != nil && t.Kind() == reflect.Pointer {
		return t.Elem().String()
	}
	return fmt.Sprintf("%T", v)
}
