package binding

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/goargs"
	"github.com/seed-d124fa34/socketio/internal/shape"
	"github.com/seed-d124fa34/socketio/parser"
)

type (
	event  struct{ _ int } // not of size 0: each has an address of its own
	ctx    = *event
	values []any
	object struct{ N int }
)

var errApp = errors.New("of the app")

// misfit is what newBinder's binders return.
type misfit struct {
	event string
	index int
	typ   string
	err   error
}

func (m *misfit) Error() string { return fmt.Sprintf("%s %d %s: %v", m.event, m.index, m.typ, m.err) }
func (m *misfit) Unwrap() error { return m.err }

func newBinder() *Binder[ctx, values] {
	return &Binder[ctx, values]{
		Rules:  shape.Rules{Context: reflect.TypeFor[ctx]()},
		Misfit: func(event string, index int, typ string, err error) error { return &misfit{event, index, typ, err} },
		Values: func(result any) values {
			switch r := result.(type) {
			case nil:
				return nil
			case values:
				return r
			}
			return values{result}
		},
	}
}

// input is an event e with arguments from a client.
func input(t testing.TB, named bool, args string) Input {
	p, ok, err := parser.New(nil).NewDecoder(parser.Limits{}).Decode([]byte(`2["e"`+args+`]`), false)
	require.NoError(t, err)
	require.True(t, ok)
	return Input{p.Event, p.Args, named}
}

func TestHandlers(t *testing.T) {
	b := newBinder()
	for _, c := range []struct {
		fn    any
		named bool
		args  string
		want  string // the results and the error
	}{
		{func(ctx) {}, false, `,1`, `[] <nil>`},
		{func(ctx) error { return errApp }, false, ``, `[] of the app`},
		{func(ctx) (any, error) { return 1, errApp }, false, ``, `[1] of the app`},
		{func(ctx) (values, error) { return values{1, 2}, nil }, false, ``, `[1 2] <nil>`},
		{func(_ ctx, s string) string { return s }, false, `,"a","b"`, `[a] <nil>`},
		{func(_ ctx, s string) string { return s }, false, ``, `[] <nil>`},
		{func(_ ctx, n int) any { return nil }, false, `,1`, `[] <nil>`},
		{func(_ ctx, n int) error { return nil }, false, `,"a"`, `[] e 0 int: `},
		{func(_ ctx, f float64) (string, error) { return fmt.Sprint(f), nil }, false, `,1.5`, `[1.5] <nil>`},
		{func(_ ctx, a, b int) (int, error) { return a + b, nil }, false, `,1,2`, `[3] <nil>`},
		{func(_ ctx, a, b int) error { return errApp }, false, `,1,"2"`, `[] e 1 int: `},
		{func(_ ctx, name string, v any) (any, error) { return values{name, v}, nil }, true, `,1`, `[e 1] <nil>`},
		{func(_ ctx, name string) string { return name }, true, `,1`, `[e] <nil>`},
		{func(_ ctx, o object) (int, string, error) { return o.N, "b", nil }, false, `,{"N":7}`, `[7 b] <nil>`},
		{func(_ ctx, o object) values { return values{o.N, 2} }, false, `,{"N":7}`, `[7 2] <nil>`},
		{func(_ ctx, o object) int { return o.N }, false, `,7`, `[] e 0 binding.object: `},
		{func(_ ctx, n int8, all ...string) string { return fmt.Sprint(n, all) }, false, `,1,"a","b"`, `[1 [a b]] <nil>`},
		{func(_ ctx, n int8, all ...string) string { return fmt.Sprint(n, all) }, false, ``, `[0 []] <nil>`},
		{func(_ ctx, name string, all ...int) string { return fmt.Sprint(name, all) }, true, `,1,2`, `[e[1 2]] <nil>`},
	} {
		kind := shape.Event
		if c.named {
			kind = shape.CatchAll
		}
		call, typ, err := b.Compile(kind, c.fn)
		require.NoError(t, err)
		require.Equal(t, reflect.TypeOf(c.fn), typ)
		got, err := call(new(event), input(t, c.named, c.args))
		require.Contains(t, fmt.Sprint([]any(got), err), c.want, "%T", c.fn)
	}
}

// The name is checked as an argument is.
func TestName(t *testing.T) {
	b := newBinder()
	var n int
	in := input(t, true, ``)
	require.ErrorContains(t, b.parameter(&in, 0, &n), "e -1 int: a string does not go into a int")
}

func TestNoFunctions(t *testing.T) {
	b := newBinder()
	for want, fn := range map[string]any{
		"it is nil": nil, "it is not a function": 7, "the function is nil": (func(ctx))(nil),
		"its first parameter must be a *binding.event": func() {},
	} {
		_, _, err := b.Compile(shape.Event, fn)
		require.EqualError(t, err, want)
		_, err = b.Callback(fn)
		require.EqualError(t, err, want)
	}
}

func TestGenericCalls(t *testing.T) {
	b := newBinder()
	sum := 0
	two := Two(b, func(_ ctx, o, p object) (any, error) { return o.N + p.N, nil })
	three := Three(b, func(_ ctx, o, p object, n int) (any, error) { return o.N + p.N + n, nil })
	for _, c := range []struct {
		call       Call[ctx, values]
		args, want string
	}{
		{One(b, func(_ ctx, o object) { sum += o.N }), `,{"N":1}`, `[] <nil>`},
		{One(b, func(_ ctx, o object) { sum += o.N }), `,1`, `[] e 0 binding.object`},
		{OneError(b, func(_ ctx, o object) error { return errApp }), `,{}`, `[] of the app`},
		{OneError(b, func(_ ctx, o object) error { return nil }), `,1`, `[] e 0 binding.object`},
		{OneAnswer(b, func(_ ctx, o object) (int, error) { return o.N, errApp }), `,{"N":1}`, `[1] of the app`},
		{OneAnswer(b, func(_ ctx, o object) (int, error) { return o.N, nil }), `,1`, `[] e 0 binding.object`},
		{two, `,{"N":1},{"N":2}`, `[3] <nil>`},
		{two, `,1`, `[] e 0 binding.object`},
		{two, `,{},1`, `[] e 1 binding.object`},
		{three, `,{"N":1},{"N":2},3`, `[6] <nil>`},
		{three, `,{},{},"a"`, `[] e 2 int`},
	} {
		got, err := c.call(new(event), input(t, false, c.args))
		require.Contains(t, fmt.Sprint([]any(got), err), c.want)
	}
	require.Equal(t, 1, sum)
}

func TestStrict(t *testing.T) {
	b := newBinder()
	for _, c := range []struct {
		fn    any
		named bool
		args  string
		want  string // of the misfit; "": there is none
	}{
		{func(_ ctx, a, b int) {}, false, `,1,2`, ""},
		{func(_ ctx, a, b int) {}, false, `,1`, "e 1 int: socketio: wrong number of arguments: 1, and the handler takes 2"},
		{func(_ ctx, a, b int) {}, false, `,1,2,3`, "e 2 : socketio: wrong number of arguments: 3, and the handler takes 2"},
		{func(_ ctx, a int, more ...int) {}, false, `,1,2,3`, ""},
		{func(_ ctx, a int, more ...int) {}, false, ``, "e 0 int: socketio: wrong number of arguments: 0, and the handler takes at least 1"},
		{func(_ ctx, name string, a int) {}, true, ``, "e 0 int: socketio: wrong number of arguments: 0, and the handler takes 1"},
		{func(ctx) {}, true, `,1`, ""},
		{func(ctx) {}, false, `,1`, "e 0 : socketio: wrong number of arguments: 1, and the handler takes 0"},
		{func(ctx) (values, error) { return nil, nil }, false, `,1`, ""}, // it decodes them itself
	} {
		kind := shape.Event
		if c.named {
			kind = shape.CatchAll
		}
		call, typ, err := b.Compile(kind, c.fn)
		require.NoError(t, err)
		_, err = b.Strict(typ, call)(new(event), input(t, c.named, c.args))
		if c.want == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, c.want)
		require.ErrorIs(t, err, ErrCount)
	}
}

func TestCallbacks(t *testing.T) {
	b := newBinder()
	got := ""
	note := func(vs ...any) { got = fmt.Sprint(vs...) }
	for _, c := range []struct {
		fn      any
		args    string
		failure error
		want    string // what the function was called with
		fails   string // what Call returns
	}{
		{func(ctx) { note("called") }, ``, nil, "called", ""},
		{func(ctx) error { return errApp }, ``, nil, "", "of the app"},
		{func(_ ctx, err error) { note(err) }, ``, errApp, "of the app", ""},
		{func(_ ctx, err error) error { return err }, ``, errApp, "", "of the app"},
		{func(_ ctx, s string) { note(s) }, `,"a"`, nil, "a", ""},
		{func(_ ctx, s string) { note(s) }, `,1`, nil, "", "e 0 string"},
		{func(_ ctx, s string) error { note(s); return errApp }, `,"a"`, nil, "a", "of the app"},
		{func(_ ctx, s string) error { note(s); return errApp }, `,1`, nil, "", "e 0 string"},
		{func(_ ctx, err error, n int) { note(err, n) }, `,1`, nil, "<nil> 1", ""},
		{func(_ ctx, err error, n int) { note(err, n) }, `,1`, errApp, "of the app 0", ""},
		{func(_ ctx, err error, n int) error { return err }, `,"a"`, nil, "", "e 0 int"},
		{func(_ ctx, o object, more ...int) { note(o, more) }, `,{"N":1},2,3`, nil, "{1} [2 3]", ""},
		{func(_ ctx, o object, more ...int) { note(o, more) }, `,1`, nil, "", "e 0 binding.object"},
		{func(_ ctx, err error, o object, more ...int) error { note(err, o, more); return errApp }, `,{"N":1},2`, errApp, "of the app {0} []", "of the app"},
		{func(_ ctx, err error, o object) error { note(o); return err }, `,1`, nil, "{0}", "e 0 binding.object"},
	} {
		got = ""
		cb, err := b.Callback(c.fn)
		require.NoError(t, err)
		err = cb.Call(c.fn, new(event), input(t, false, c.args), c.failure)
		require.Equal(t, c.want, got, "%T", c.fn)
		if c.fails == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, c.fails)
		}
		again, err := b.Callback(c.fn)
		require.NoError(t, err)
		require.Same(t, cb, again)
	}
}

func TestCallbackOfACall(t *testing.T) {
	b := newBinder()
	fn := func(_ ctx, o object) error { return fmt.Errorf("got %d", o.N) }
	call := OneError(b, fn)
	cb, err := b.CallbackOf(reflect.TypeOf(fn))
	require.NoError(t, err)
	require.EqualError(t, cb.Call(call, new(event), input(t, false, `,{"N":7}`), nil), "got 7")
	_, err = b.CallbackOf(reflect.TypeFor[func(ctx) int]())
	require.Error(t, err)
}

func TestCallbacksCount(t *testing.T) {
	b := newBinder()
	for _, c := range []struct {
		fn   any
		args string
		fits bool
	}{
		{func(ctx) {}, `,1,2`, true},
		{func(ctx, int) {}, `,1`, true},
		{func(ctx, int) {}, `,1,2`, false},
		{func(ctx, error, int) {}, `,1`, true},
		{func(ctx, error, int) {}, ``, false},
		{func(ctx, error) {}, `,1`, true},
		{func(ctx, ...int) {}, `,1,2`, true},
	} {
		cb, err := b.Callback(c.fn)
		require.NoError(t, err)
		err = cb.CheckCount(input(t, false, c.args))
		require.Equal(t, !c.fits, errors.Is(err, ErrCount), "%T", c.fn)
	}
}

func TestTarget(t *testing.T) {
	require.Equal(t, "binding.object", Target(new(object)))
	require.Equal(t, "int", Target(7))
	require.Equal(t, "<nil>", Target(nil))
}

func BenchmarkCall(b *testing.B) {
	binder := newBinder()
	for _, bench := range []struct {
		name string
		fn   any
	}{
		{"none", func(ctx) error { return nil }},
		{"string", func(ctx, string) error { return nil }},
		{"RawMessage", func(ctx, json.RawMessage) error { return nil }},
		{"string string", func(ctx, string, string) error { return nil }},
		{"reflected", func(ctx, string, ...string) error { return nil }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			call, _, err := binder.Compile(shape.Event, bench.fn)
			require.NoError(b, err)
			in, c := Input{"e", goargs.Args{"a", "b"}, false}, new(event)
			if bench.name == "RawMessage" {
				in.Args = goargs.Args{json.RawMessage(`1`)}
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := call(c, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCallback(b *testing.B) {
	fn := func(ctx, error, string) {}
	cb, err := newBinder().Callback(fn)
	require.NoError(b, err)
	in, c := Input{"e", goargs.Args{"a"}, false}, new(event)
	b.ReportAllocs()
	for b.Loop() {
		if err := cb.Call(fn, c, in, nil); err != nil {
			b.Fatal(err)
		}
	}
}
