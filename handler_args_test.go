package socketio_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

func TestNumArgs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		srv.On("n", func(c *socketio.Context, _ string) int { return c.NumArgs() })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		p.Send(`21["n"]`, `22["n","a"]`, `23["n",null,null,{}]`)
		p.Want(`31[0]`, `32[1]`, `33[3]`)
	})
}

type addition struct{}

func (addition) OnMethod(_ *socketio.Context, a, b int) int { return a + b }

// Options.StrictArgs is Python's TypeError: the handler is not called.
func TestStrictArgs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{StrictArgs: true, Namespaces: []string{"/class"}})
		srv.OnError(func(c *socketio.Context, err error) any {
			var wrong *socketio.ArgError
			require.ErrorAs(t, err, &wrong)
			require.ErrorIs(t, err, socketio.ErrArgCount)
			return fmt.Sprint(wrong.Index, wrong.Type, " ", strings.TrimPrefix(err.Error(), "socketio: wrong number of arguments: "))
		})
		srv.On("connect", func(*socketio.Context, map[string]any) {}) // a client may send no auth
		srv.On("add", func(_ *socketio.Context, a, b int) int { return a + b })
		srv.On("one", func(_ *socketio.Context, s string) string { return s })
		srv.On("func", socketio.FuncAck(func(_ *socketio.Context, s string) (string, error) { return s, nil }))
		srv.On("none", func(*socketio.Context) string { return "ok" })
		srv.On("some", func(_ *socketio.Context, a int, more ...int) int { return a + len(more) })
		srv.On("raw", func(c *socketio.Context) (socketio.Args, error) { return socketio.Args{c.NumArgs()}, nil })
		srv.On("rawtoo", socketio.HandlerFunc(func(c *socketio.Context) (socketio.Args, error) { return socketio.Args{c.NumArgs()}, nil }))
		srv.On("*", func(_ *socketio.Context, event string, arg int) string { return event })
		srv.Register("/class", addition{})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		for _, test := range [][2]string{
			{`["add",1,2]`, `[3]`},
			{`["add",1]`, `["1int 1, and the handler takes 2: event \"add\""]`},
			{`["add"]`, `["0int 0, and the handler takes 2: event \"add\""]`},
			{`["add",1,2,3]`, `["2 3, and the handler takes 2: event \"add\""]`},
			{`["one","a"]`, `["a"]`},
			{`["one"]`, `["0string 0, and the handler takes 1: event \"one\""]`},
			{`["func","a"]`, `["a"]`},
			{`["func","a","b"]`, `["1 2, and the handler takes 1: event \"func\""]`},
			{`["none"]`, `["ok"]`},
			{`["none",null]`, `["0 1, and the handler takes 0: event \"none\""]`},
			{`["some",1]`, `[1]`},
			{`["some",1,2,3]`, `[3]`},
			{`["some"]`, `["0int 0, and the handler takes at least 1: event \"some\""]`},
			{`["raw",1,2,3]`, `[3]`},
			{`["rawtoo",1,2,3]`, `[3]`},
			{`["any",1]`, `["any"]`},
			{`["any"]`, `["0int 0, and the handler takes 1: event \"any\""]`},
			{`["any",1,2]`, `["1 2, and the handler takes 1: event \"any\""]`},
		} {
			p.Send(`21` + test[0])
			p.Want(`31` + test[1])
		}
		p.Connect("/class")
		p.Send(`2/class,1["method",1,2]`, `2/class,2["method",1]`)
		p.Want(`3/class,1[3]`, `3/class,2["1int 1, and the handler takes 2: event \"method\""]`)
	})
}

// Options.StrictArgs holds for acknowledgements, too.
func TestStrictArgsOfAcknowledgements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, isStrict := range []bool{true, false} {
			srv := siotest.NewServer(t, &socketio.Options{StrictArgs: isStrict})
			var rec siotest.Record
			note := func(err error, values ...any) {
				arg := new(socketio.ArgError)
				if errors.As(err, &arg) && errors.Is(err, socketio.ErrArgCount) {
					rec.Add("%s %d %s", arg.Event, arg.Index, arg.Type)
				} else {
					rec.Add("%v %v", err, values)
				}
			}
			srv.OnError(func(_ *socketio.Context, err error) any { note(err); return nil })
			p := siotest.Join(t, srv, eiotest.WebSocket)
			s := srv.Socket(p.SID)
			var wants []string
			for _, tt := range []struct {
				callback         any
				answer           string
				strict, tolerant string
			}{
				{func(_ *socketio.Context, n int) { note(nil, n) }, `1`, "<nil> [1]", "<nil> [1]"},
				{func(_ *socketio.Context, n int) { note(nil, n) }, ``, "e 0 int", "<nil> [0]"},
				{func(_ *socketio.Context, n int) { note(nil, n) }, `1,2`, "e 1 ", "<nil> [1]"},
				{func(_ *socketio.Context, err error, n int) { note(err, n) }, `1`, "<nil> [1]", "<nil> [1]"},
				{func(_ *socketio.Context, err error, n int) { note(err, n) }, ``, "e 0 int", "<nil> [0]"},
				{func(_ *socketio.Context, err error, s string, n int) { note(err, s, n) }, `"a"`, "e 1 int", "<nil> [a 0]"},
				{func(_ *socketio.Context, n int, more ...int) { note(nil, n, more) }, `1,2,3`, "<nil> [1 [2 3]]", "<nil> [1 [2 3]]"},
				{func(_ *socketio.Context, n int, more ...int) { note(nil, n, more) }, ``, "e 0 int", "<nil> [0 []]"},
				{func(c *socketio.Context) { note(nil, c.Args()...) }, `1,2`, "<nil> [1 2]", "<nil> [1 2]"},
				{func(c *socketio.Context, err error) { note(err, c.Args()...) }, `1`, "<nil> [1]", "<nil> [1]"},
				{socketio.Func(func(_ *socketio.Context, n int) error { note(nil, n); return nil }), ``, "e 0 int", "<nil> [0]"},
				{socketio.Func2(func(_ *socketio.Context, n, m int) error { note(nil, n, m); return nil }), `1,2`, "<nil> [1 2]", "<nil> [1 2]"},
			} {
				require.NoError(t, s.Emit("e", nil, socketio.OnAck(tt.callback)))
				p.Send("3" + p.WantAckEvent(`["e"]`) + "[" + tt.answer + "]")
				synctest.Wait()
				want := tt.tolerant
				if isStrict {
					want = tt.strict
				}
				wants = append(wants, want)
			}
			rec.Want(t, wants...)
		}
	})
}

func TestFuncOfMoreArguments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		type point struct{ X, Y int }
		var rec siotest.Record
		srv.On("two", socketio.Func2(func(_ *socketio.Context, a string, b point) error { rec.Add("%s %v", a, b); return nil }))
		srv.On("three", socketio.Func3(func(_ *socketio.Context, a int, b []byte, c *point) error { rec.Add("%d %s %v", a, b, c.X); return nil }))
		srv.On("ack2", socketio.FuncAck2(func(_ *socketio.Context, a, b int) (int, error) { return a + b, nil }))
		srv.On("ack3", socketio.FuncAck3(func(_ *socketio.Context, a, b, c float64) (point, error) { return point{int(a), int(b + c)}, nil }))
		srv.On("*", socketio.FuncAck2(func(_ *socketio.Context, event string, a int) (socketio.Args, error) {
			return socketio.Args{event, a}, nil
		}))
		srv.OnError(func(_ *socketio.Context, err error) any { return "error" })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		p.Send(`2["two","a",{"X":1,"Y":2}]`, `2["three",7,"Yg==",{"X":1}]`, `21["ack2",1,2]`, `22["ack3",1,2,3]`, `23["other",5]`, `24["ack3",1,"x",3]`)
		p.Want(`31[3]`, `32[{"X":1,"Y":5}]`, `33["other",5]`, `34["error"]`)
		rec.Want(t, "a {1 2}", "7 b 1")
		for _, f := range []func(){
			func() { socketio.Func2[int, int](nil) }, func() { socketio.FuncAck2[int, int, int](nil) },
			func() { socketio.Func3[int, int, int](nil) }, func() { socketio.FuncAck3[int, int, int, int](nil) },
		} {
			require.Contains(t, panicOf(t, f), "handler_args_test.go:")
		}
		require.Contains(t, panicOf(t, func() { srv.On("connect", socketio.Func2(func(*socketio.Context, int, int) error { return nil })) }), "auth payload")
	})
}
