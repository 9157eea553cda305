package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
)

var (
	contextType = reflect.TypeFor[*Context]()
	socketType  = reflect.TypeFor[*Socket]()
	errorType   = reflect.TypeFor[error]()
	reasonType  = reflect.TypeFor[Reason]()
	argsType    = reflect.TypeFor[Args]()
	requestType = reflect.TypeFor[*http.Request]()
	stdContext  = reflect.TypeFor[context.Context]()

	rawMessageType  = reflect.TypeFor[json.RawMessage]()
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
)

// checkShape says what is wrong with a handler of type t, nil if nothing is.
func checkShape(kind handlerKind, t reflect.Type) error {
	if t.NumIn() == 0 || t.In(0) != contextType {
		return errors.New("its first parameter must be a *socketio.Context")
	}
	for i := 1; i < t.NumIn(); i++ {
		in := t.In(i)
		if t.IsVariadic() && i == t.NumIn()-1 {
			in = in.Elem()
		}
		if err := checkParam(in); err != nil {
			return fmt.Errorf("parameter %d: %w", i+1, err)
		}
	}
	values := t.NumOut() // without the error
	if values > 0 && t.Out(values-1) == errorType {
		values--
	}
	for i := range values {
		switch out := t.Out(i); {
		case out == errorType:
			return fmt.Errorf("result %d is an error but not the last", i+1)
		case !isData(out):
			return fmt.Errorf("result %d: a %s cannot be sent", i+1, out)
		case isSealed(out):
			return fmt.Errorf("result %d: nothing of a %s is sent: it has no exported field", i+1, out)
		}
	}
	if kind != kindEvent && kind != kindCatchAll && values > 0 {
		return errors.New("nobody receives its results; only an error may be returned")
	}
	switch kind {
	case kindConnect:
		if t.NumIn() > 2 || t.IsVariadic() {
			return errors.New("the only argument of connect is the client's auth payload")
		}
		if t.NumIn() == 2 && !holdsObject(t.In(1)) {
			return fmt.Errorf("parameter 2: the auth payload is an object, which never fits a %s; take a struct with its fields, or map[string]any", t.In(1))
		}
	case kindCatchAll:
		if in := parameters(t); len(in) > 0 && !holdsName(in[0]) {
			return fmt.Errorf("parameter 2: a catch-all gets the event's name first, which is a string and never fits a %s", in[0])
		}
	case kindDisconnect:
		if t.NumIn() > 2 || t.NumIn() == 2 && t.In(1) != reasonType {
			return errors.New("the only argument of disconnect is a socketio.Reason")
		}
	}
	return nil
}

// checkParam says why an argument cannot become a t, nil if it can.
func checkParam(t reflect.Type) error {
	switch {
	case t == contextType, t == socketType:
		return fmt.Errorf("a %s comes first and once", contextType)
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

// parameters returns the types of the parameters after the Context, for a variadic
// one that of its elements.
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

// holdsName reports whether the name of an event can be stored in a t, see assign.
func holdsName(t reflect.Type) bool {
	return t.Kind() == reflect.String || t == rawMessageType || t.Kind() == reflect.Interface && t.NumMethod() == 0
}

// holdsObject reports whether a JSON object can be decoded into a t, as far as the
// type tells: one with methods of its own may.
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

// isSealed reports whether t is a struct, or a pointer to one, whose fields are
// all unexported. One with methods may encode itself.
func isSealed(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.NumField() == 0 || reflect.PointerTo(t).NumMethod() > 0 {
		return false
	}
	return !slices.ContainsFunc(reflect.VisibleFields(t), reflect.StructField.IsExported)
}

// isData reports whether values of type t can be encoded at all, as far as the
// type tells: what is in structs and interfaces shows when it is encoded.
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

// reflected returns the call of a function of any accepted shape. What depends
// on the type only is computed here, once.
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
