// Package goargs has arguments of events that the program itself has made, such as the
// reason of a disconnect. All others come from a client.
package goargs

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/seed-d124fa34/socketio/parser"
)

// Args are arguments that the program has made.
type Args []any

var _ parser.Args = Args(nil)

// Len returns how many arguments there are.
func (a Args) Len() int { return len(a) }

// Bind stores argument i in the variable that v points to, see Assign.
func (a Args) Bind(i int, v any) error { return Assign(v, a[i]) }

// Decode returns the values of arguments, each decoded into a variable of type any. A value that cannot
// be decoded is nil.
func Decode(args parser.Args) []any {
	all := make([]any, args.Len())
	for i := range all {
		if err := args.Bind(i, &all[i]); err != nil {
			all[i] = nil
		}
	}
	return all
}

var rawMessageType = reflect.TypeFor[json.RawMessage]()

// Assign stores value in the variable that dst points to. Go must allow the assignment,
// or both must be strings. A string may also go into a json.RawMessage, as JSON.
func Assign(dst, value any) error {
	d := reflect.ValueOf(dst)
	if d.Kind() != reflect.Pointer || d.IsNil() {
		return fmt.Errorf("%T is not a pointer to store in", dst)
	}
	d = d.Elem()
	v := reflect.ValueOf(value)
	switch {
	case !v.IsValid():
		d.SetZero()
	case v.Type().AssignableTo(d.Type()):
		d.Set(v)
	case v.Kind() == reflect.String && d.Kind() == reflect.String:
		d.SetString(v.String())
	case v.Kind() == reflect.String && d.Type() == rawMessageType:
		raw, err := json.Marshal(v.String())
		if err != nil {
			return err
		}
		d.SetBytes(raw)
	default:
		return fmt.Errorf("a %s does not go into a %s", v.Type(), d.Type())
	}
	return nil
}
