// Package shape says which Go functions can be handlers. It finds what is wrong with a
// function by its type alone, when the function is registered. It calls none, and knows
// nothing of sockets: a program says in [Rules] which of its types have a meaning.
package shape

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
)

// Kind is what a function handles.
type Kind uint8

// The kinds of handlers.
const (
	Event      Kind = iota // an event; its results are acknowledged
	Connect                // a client that connects, with its auth payload
	Disconnect             // a client that has left, with the reason
	CatchAll               // any event; its name is the first argument
)

// Rules are the types with a meaning. The functions of a Rules may be called from any
// goroutine.
type Rules struct {
	Context reflect.Type // the first parameter of every handler
	Socket  reflect.Type // is no other parameter, and neither is Context
	Reason  reflect.Type // what a Disconnect handler gets
}

var (
	errorType   = reflect.TypeFor[error]()
	requestType = reflect.TypeFor[*http.Request]()
	stdContext  = reflect.TypeFor[context.Context]()

	rawMessageType  = reflect.TypeFor[json.RawMessage]()
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
)

// Check says what is wrong with a handler of type t, nil if nothing is.
func (r *Rules) Check(kind Kind, t reflect.Type) error {
	if err := r.checkFirst(t); err != nil {
		return err
	}
	for i, in := range parameters(t) {
		if err := r.checkParam(in); err != nil {
			return fmt.Errorf("parameter %d: %w", i+2, err)
		}
	}
	values, err := checkResults(t)
	switch {
	case err != nil:
		return err
	case values > 0 && kind != Event && kind != CatchAll:
		return errResults
	}
	return r.checkArguments(kind, t)
}

// errResults is about results other than an error.
var errResults = errors.New("its results are not sent to the client; only an error may be returned")

// CheckCallback says what is wrong with a function of type t that is called with the
// acknowledgement of an event, and whether it takes an error in its place.
func (r *Rules) CheckCallback(t reflect.Type) (takesError bool, err error) {
	if err := r.checkFirst(t); err != nil {
		return false, err
	}
	ins := parameters(t)
	number := 2 // of the parameter
	if len(ins) > 0 && t.In(1) == errorType {
		takesError, ins, number = true, ins[1:], 3
	}
	for i, in := range ins {
		if in == errorType {
			return false, fmt.Errorf("parameter %d: the error comes once, right after the Context", i+number)
		}
		if err := r.checkParam(in); err != nil {
			return false, fmt.Errorf("parameter %d: %w", i+number, err)
		}
	}
	if t.NumOut() > 1 || t.NumOut() == 1 && t.Out(0) != errorType {
		return false, errResults
	}
	return takesError, nil
}

// CheckReceiver says why a value of type t, nil for no value, cannot describe an event
// that is sent, as a function that receives it.
func (r *Rules) CheckReceiver(t reflect.Type) error {
	if t == nil || t.Kind() != reflect.Func {
		return errors.New("it is not a function")
	}
	for i := range t.NumIn() {
		if in := t.In(i); in == r.Context || in == errorType || !isData(in) {
			return fmt.Errorf("parameter %d: a %s cannot be sent", i+1, in)
		}
	}
	for i := range t.NumOut() {
		if out := t.Out(i); out == errorType || !isData(out) {
			return fmt.Errorf("result %d: a client does not acknowledge with a %s", i+1, out)
		}
	}
	return nil
}

func (r *Rules) checkFirst(t reflect.Type) error {
	if t.NumIn() == 0 || t.In(0) != r.Context {
		return fmt.Errorf("its first parameter must be a %s", r.Context)
	}
	return nil
}

// checkArguments checks the parameters of a kind that narrows them.
func (r *Rules) checkArguments(kind Kind, t reflect.Type) error {
	switch kind {
	case Connect:
		if t.NumIn() > 2 || t.IsVariadic() {
			return errors.New("the only argument of connect is the client's auth payload")
		}
		if t.NumIn() == 2 && !holdsObject(t.In(1)) {
			return fmt.Errorf("parameter 2: the auth payload is an object, which never fits a %s; take a struct with its fields, or map[string]any", t.In(1))
		}
	case CatchAll:
		if in := parameters(t); len(in) > 0 && !holdsName(in[0]) {
			return fmt.Errorf("parameter 2: a catch-all gets the event's name first, which is a string and never fits a %s", in[0])
		}
	case Disconnect:
		if t.NumIn() > 2 || t.NumIn() == 2 && t.In(1) != r.Reason {
			return errors.New("the only argument of disconnect is a socketio.Reason")
		}
	}
	return nil
}

// checkResults checks what a handler returns, and counts it without the error.
func checkResults(t reflect.Type) (values int, err error) {
	values = t.NumOut()
	if values > 0 && t.Out(values-1) == errorType {
		values--
	}
	for i := range values {
		switch out := t.Out(i); {
		case out == errorType:
			return 0, fmt.Errorf("result %d is an error but not the last", i+1)
		case !isData(out):
			return 0, fmt.Errorf("result %d: a %s cannot be sent", i+1, out)
		case isSealed(out):
			return 0, fmt.Errorf("result %d: nothing of a %s is sent: it has no exported field", i+1, out)
		}
	}
	return values, nil
}

// checkParam says why an argument cannot become a t, nil if it can.
func (r *Rules) checkParam(t reflect.Type) error {
	switch {
	case t == r.Context, t == r.Socket:
		return fmt.Errorf("a %s comes first and once", r.Context)
	case t == requestType, t == requestType.Elem():
		return errors.New("take the handshake request from Context.Request")
	case t == stdContext:
		return errors.New("take the context from Context.Context")
	case t == errorType:
		return errors.New("a client sends no error values")
	case t.Kind() == reflect.Interface && t.NumMethod() > 0:
		return fmt.Errorf("nothing a client sends is a %s; use a concrete type, or any", t)
	case t.Kind() == reflect.Func:
		return fmt.Errorf("nothing a client sends becomes a %s: what the handler returns is the acknowledgement", t)
	case !isData(t):
		return fmt.Errorf("nothing a client sends becomes a %s", t)
	case isSealed(t):
		return fmt.Errorf("nothing gets into a %s: it has no exported field", t)
	}
	return nil
}

// parameters returns the types of the parameters after the first, for a variadic one
// that of its elements.
func parameters(t reflect.Type) []reflect.Type {
	var all []reflect.Type
	for i := 1; i < t.NumIn(); i++ {
		in := t.In(i)
		if t.IsVariadic() && i == t.NumIn()-1 {
			in = in.Elem()
		}
		all = append(all, in)
	}
	return all
}

// holdsName reports whether the name of an event can be stored in a t.
func holdsName(t reflect.Type) bool {
	return t.Kind() == reflect.String || t == rawMessageType || t.Kind() == reflect.Interface && t.NumMethod() == 0
}

// holdsObject reports whether a JSON object can be decoded into a t, as far as the type
// tells: one with methods of its own may.
func holdsObject(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer && !t.Implements(unmarshalerType) {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return true
	case reflect.Interface:
		return t.NumMethod() == 0
	}
	return reflect.PointerTo(t).Implements(unmarshalerType)
}

// isSealed reports whether t is a struct, or a pointer to one, whose fields are all
// unexported. One with methods may encode itself.
func isSealed(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.NumField() == 0 || reflect.PointerTo(t).NumMethod() > 0 {
		return false
	}
	return !slices.ContainsFunc(reflect.VisibleFields(t), reflect.StructField.IsExported)
}

// isData reports whether values of type t can be encoded at all, as far as the type
// tells: what is in structs and interfaces shows when it is encoded.
func isData(t reflect.Type) bool { return isDataAt(t, 0) }

func isDataAt(t reflect.Type, depth int) bool {
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return false
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return depth > 9 || isDataAt(t.Elem(), depth+1) // the depth ends type T []T
	}
	return true
}
