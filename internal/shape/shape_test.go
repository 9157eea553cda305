package shape

import (
	"context"
	"encoding/json"
	"math/big"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type (
	call   struct{ Socket int }
	socket struct{}
	reason string
	ctx    = *call
)

var rules = Rules{Context: reflect.TypeFor[*call](), Socket: reflect.TypeFor[*socket](), Reason: reflect.TypeFor[reason]()}

// sealed is a struct into which nothing gets.
//
//lint:ignore U1000 its fields are what is refused
type sealed struct{ room, text string }

type object struct{ Room string }

// list is a type that contains itself.
type list []list

func TestHandlers(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		fn   any
		want string // "": it is fine
	}{
		{Event, func() {}, "its first parameter must be a *shape.call"},
		{Event, func(string) {}, "first parameter"},
		{Event, func(ctx, ctx) {}, "parameter 2: a *shape.call comes first and once"},
		{Event, func(ctx, int, *socket) {}, "parameter 3: a *shape.call comes first and once"},
		{Event, func(ctx, *http.Request) {}, "Context.Request"},
		{Event, func(ctx, context.Context) {}, "Context.Context"},
		{Event, func(ctx, error) {}, "a client sends no error values"},
		{Event, func(ctx, http.Handler) {}, "concrete type"},
		{Event, func(ctx, func(string)) {}, "what the handler returns is the acknowledgement"},
		{Event, func(ctx, ...func()) {}, "parameter 2"},
		{Event, func(ctx, chan int) {}, "nothing a client sends becomes a chan int"},
		{Event, func(ctx, []*chan int) {}, "nothing a client sends becomes"},
		{Event, func(ctx, sealed) {}, "it has no exported field"},
		{Event, func(ctx, *sealed) {}, "it has no exported field"},
		//lint:ignore ST1008 this is what is refused
		{Event, func(ctx) (error, int) { return nil, 0 }, "result 1 is an error but not the last"},
		{Event, func(ctx) chan int { return nil }, "result 1: a chan int cannot be sent"},
		{Event, func(ctx) (int, sealed) { return 0, sealed{} }, "result 2: nothing of a shape.sealed is sent"},
		{Event, func(ctx) {}, ""},
		{Event, func(ctx, int, ...object) (string, int, error) { return "", 0, nil }, ""},
		{Event, func(ctx, struct{}, time.Time, *big.Int, list, any) {}, ""},
		{Connect, func(ctx, object) error { return nil }, ""},
		{Connect, func(ctx, *object) {}, ""},
		{Connect, func(ctx, map[string]int) {}, ""},
		{Connect, func(ctx, any) {}, ""},
		{Connect, func(ctx, json.RawMessage) {}, ""},
		{Connect, func(ctx, object, int) {}, "auth payload"},
		{Connect, func(ctx, ...object) {}, "auth payload"},
		{Connect, func(ctx, string) {}, "the auth payload is an object"},
		{Connect, func(ctx, **int) {}, "the auth payload is an object"},
		{Connect, func(ctx) int { return 0 }, "only an error may be returned"},
		{Disconnect, func(ctx, reason) error { return nil }, ""},
		{Disconnect, func(ctx, string) {}, "socketio.Reason"},
		{Disconnect, func(ctx, reason, int) {}, "socketio.Reason"},
		{Disconnect, func(ctx) bool { return true }, "only an error may be returned"},
		{CatchAll, func(ctx, string, int) int { return 0 }, ""},
		{CatchAll, func(ctx, reason) {}, ""},
		{CatchAll, func(ctx, ...any) {}, ""},
		{CatchAll, func(ctx, int) {}, "a catch-all gets the event's name first"},
		{CatchAll, func(ctx, ...int) {}, "a catch-all gets the event's name first"},
	} {
		want(t, rules.Check(c.kind, reflect.TypeOf(c.fn)), c.want, c.fn)
	}
}

func TestCallbacks(t *testing.T) {
	for _, c := range []struct {
		fn         any
		takesError bool
		want       string
	}{
		{func(string) {}, false, "first parameter"},
		{func(ctx) {}, false, ""},
		{func(ctx, int, ...string) error { return nil }, false, ""},
		{func(ctx, error) {}, true, ""},
		{func(ctx, error, int, ...string) error { return nil }, true, ""},
		{func(ctx, int, error) {}, false, "parameter 3: the error comes once"},
		{func(ctx, error, error) {}, false, "parameter 3: the error comes once"},
		{func(ctx, ...error) {}, false, "parameter 2: the error comes once"},
		{func(ctx, error, chan int) {}, false, "parameter 3: nothing a client sends becomes a chan int"},
		{func(ctx) int { return 0 }, false, "only an error may be returned"},
		{func(ctx) (int, error) { return 0, nil }, false, "only an error may be returned"},
	} {
		takesError, err := rules.CheckCallback(reflect.TypeOf(c.fn))
		want(t, err, c.want, c.fn)
		require.Equal(t, c.takesError, takesError, "%T", c.fn)
	}
}

func TestReceivers(t *testing.T) {
	for _, c := range []struct {
		fn   any
		want string
	}{
		{nil, "it is not a function"},
		{7, "it is not a function"},
		{func() {}, ""},
		{func(object, ...string) (int, bool) { return 0, false }, ""},
		{func(ctx) {}, "parameter 1: a *shape.call cannot be sent"},
		{func(int, chan int) {}, "parameter 2: a chan int cannot be sent"},
		{func() error { return nil }, "result 1: a client does not acknowledge with a error"},
	} {
		want(t, rules.CheckReceiver(reflect.TypeOf(c.fn)), c.want, c.fn)
	}
}

func want(t *testing.T, err error, text string, fn any) {
	t.Helper()
	if text == "" {
		require.NoError(t, err, "%T", fn)
		return
	}
	require.ErrorContains(t, err, text, "%T", fn)
}
