package socketio_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
)

// Server.Socket(sid) is nil when the client has left: whatever is called on it
// returns ErrUnknownSocket, nothing, or what is empty. A method that is added later
// is tried as well.
func TestNilSocketNeverPanics(t *testing.T) {
	var nobody *socketio.Socket
	unknown := tryMethods(t, reflect.ValueOf(nobody))
	require.NotEmpty(t, unknown)
	for _, name := range []string{"Emit", "Send", "Call", "Join"} {
		require.Contains(t, unknown, name)
	}
	ctx := nobody.Context()
	require.ErrorIs(t, context.Cause(ctx), socketio.ErrUnknownSocket)
	require.Error(t, ctx.Err())
	_, err := socketio.Call[string](t.Context(), nobody, "e", nil)
	require.ErrorIs(t, err, socketio.ErrUnknownSocket)

	// What it returns is as harmless.
	tryMethods(t, reflect.ValueOf(nobody.Namespace()))
	tryMethods(t, reflect.ValueOf(nobody.Namespace().Cluster()))
	tryMethods(t, reflect.ValueOf(nobody.Session()))
	tryMethods(t, reflect.ValueOf(nobody.Connection()))
	require.Empty(t, nobody.Request().Header)
}

// tryMethods calls every method with arguments that are harmless, and returns the
// names of those that return ErrUnknownSocket.
func tryMethods(t *testing.T, v reflect.Value) (unknown []string) {
	t.Helper()
	forTests, err := os.ReadFile("export_test.go") // has methods that only tests see
	require.NoError(t, err)
	for i := range v.NumMethod() {
		m, name := v.Method(i), v.Type().Method(i).Name
		if registering(m.Type()) { // a mistake in the program: it panics, and says so
			continue
		}
		if bytes.Contains(forTests, []byte(") "+name+"(")) {
			continue
		}
		var args []reflect.Value
		for j := range m.Type().NumIn() {
			switch in := m.Type().In(j); {
			case m.Type().IsVariadic() && j == m.Type().NumIn()-1: // none
			case in == reflect.TypeFor[context.Context]():
				args = append(args, reflect.ValueOf(t.Context()))
			case in.Kind() == reflect.String:
				args = append(args, reflect.ValueOf("text"))
			case in.Kind() == reflect.Func: // one that does nothing
				args = append(args, reflect.MakeFunc(in, func([]reflect.Value) (out []reflect.Value) {
					for k := range in.NumOut() {
						out = append(out, reflect.Zero(in.Out(k)))
					}
					return out
				}))
			default:
				args = append(args, reflect.Zero(in))
			}
		}
		var out []reflect.Value
		require.NotPanics(t, func() { out = m.Call(args) }, "%v.%s", v.Type(), name)
		for _, o := range out {
			if o.Type().Kind() == reflect.Func && o.Type().CanSeq() {
				require.NotPanics(t, func() {
					for range o.Seq() {
						t.Errorf("%v.%s has somebody", v.Type(), name)
					}
				})
			}
			switch r := o.Interface().(type) {
			case error:
				require.True(t, errors.Is(r, socketio.ErrUnknownSocket), "%v.%s: %v", v.Type(), name, r)
				unknown = append(unknown, name)
			case context.Context, *http.Request, *socketio.Namespace, *socketio.Session, *socketio.Cluster: // see above
			case int, bool, string, socketio.Reply, socketio.Connection:
				require.Zero(t, r, "%v.%s", v.Type(), name)
			}
		}
	}
	return unknown
}

// registering reports whether a method registers something: it has no result.
func registering(t reflect.Type) bool {
	for i := range t.NumIn() {
		if in := t.In(i); in.Kind() == reflect.Func && t.NumOut() == 0 {
			return true
		}
		if t.NumOut() == 0 && t.NumIn() == 2 && t.In(1) == reflect.TypeFor[any]() {
			return true // On, Declare
		}
	}
	return false
}
