package socketio_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// Flask-SocketIO 1.7: what a handler returns is the acknowledgement.
func TestAckFromReturnValue(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		type thing struct {
			N    int    `json:"n"`
			Data []byte `json:"data"`
		}
		srv.On("nothing", func(c *socketio.Context) {})
		srv.On("error", func(c *socketio.Context) error { return nil })
		srv.On("one", func(c *socketio.Context) int { return 0 })
		srv.On("nil", func(c *socketio.Context) any { return nil })
		srv.On("null", func(c *socketio.Context) *thing { return nil })
		srv.On("list", func(c *socketio.Context) ([]int, error) { return []int{1, 2}, nil })
		srv.On("several", func(c *socketio.Context) (int, string, bool, error) { return 1, "2", true, nil })
		srv.On("args", func(c *socketio.Context) (socketio.Args, error) { return socketio.Args{1, nil}, nil })
		srv.On("args any", func(c *socketio.Context) any { return socketio.Args{3, 4} })
		srv.On("bytes", func(c *socketio.Context) []byte { return []byte("raw") })
		srv.On("struct", func(c *socketio.Context) (thing, error) { return thing{1, []byte("xy")}, nil })
		srv.On("emits first", func(c *socketio.Context) (string, error) { return "ack", c.Emit("first", 1) })
		p := siotest.Join(t, srv, mode)
		for i, test := range []struct {
			event string
			want  []string
		}{
			{"nothing", []string{`3%d[]`}},
			{"error", []string{`3%d[]`}},
			{"one", []string{`3%d[0]`}},
			{"nil", []string{`3%d[]`}},
			{"null", []string{`3%d[null]`}},
			{"list", []string{`3%d[[1,2]]`}},
			{"several", []string{`3%d[1,"2",true]`}},
			{"args", []string{`3%d[1,null]`}},
			{"args any", []string{`3%d[3,4]`}},
			{"bytes", []string{`61-%d[{"_placeholder":true,"num":0}]`, `b:raw`}},
			{"struct", []string{`61-%d[{"n":1,"data":{"_placeholder":true,"num":0}}]`, `b:xy`}},
			{"emits first", []string{`2["first",1]`, `3%d["ack"]`}},
		} {
			p.Send(fmt.Sprintf(`2%d["%s"]`, i, test.event)) // id 0 is an id
			for _, want := range test.want {
				p.Want(strings.ReplaceAll(want, "%d", fmt.Sprint(i)))
			}
			p.Send(fmt.Sprintf(`2["%s"]`, test.event)) // no id, no acknowledgement
		}
		p.Want(`2["first",1]`)
		p.Quiet()
	})
}

type point struct {
	X, Y int
	Raw  []byte
}

// Each accepted shape gets its arguments; missing ones are zero, extra ones ignored.
func TestHandlerShapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec siotest.Record
		type named func(c *socketio.Context, n int) error
		type text string
		handlers := map[string]any{
			"none":         func(c *socketio.Context) { rec.Add("%v", c.Args()) },
			"string":       func(c *socketio.Context, s string) { rec.Add("%q", s) },
			"string err":   func(c *socketio.Context, s string) error { rec.Add("%q", s); return nil },
			"string ack":   func(c *socketio.Context, s string) (any, error) { rec.Add("%q", s); return nil, nil },
			"bytes":        func(c *socketio.Context, b []byte) { rec.Add("%q", b) },
			"bytes err":    func(c *socketio.Context, b []byte) error { rec.Add("%q", b); return nil },
			"bytes ack":    func(c *socketio.Context, b []byte) (any, error) { rec.Add("%q", b); return nil, nil },
			"raw":          func(c *socketio.Context, r json.RawMessage) { rec.Add("%s", []byte(r)) },
			"raw err":      func(c *socketio.Context, r json.RawMessage) error { rec.Add("%s", []byte(r)); return nil },
			"raw ack":      func(c *socketio.Context, r json.RawMessage) (any, error) { rec.Add("%s", []byte(r)); return nil, nil },
			"any":          func(c *socketio.Context, v any) { rec.Add("%v", v) },
			"any err":      func(c *socketio.Context, v any) error { rec.Add("%v", v); return nil },
			"any ack":      func(c *socketio.Context, v any) (any, error) { rec.Add("%v", v); return nil, nil },
			"map":          func(c *socketio.Context, m map[string]any) { rec.Add("%v", m) },
			"map err":      func(c *socketio.Context, m map[string]any) error { rec.Add("%v", m); return nil },
			"map ack":      func(c *socketio.Context, m map[string]any) (any, error) { rec.Add("%v", m); return nil, nil },
			"args":         func(c *socketio.Context) (socketio.Args, error) { rec.Add("%v", c.Args()); return nil, nil },
			"ctx ack":      func(c *socketio.Context) (any, error) { rec.Add("%v", c.Args()); return nil, nil },
			"ctx err":      func(c *socketio.Context) error { rec.Add("%v", c.Args()); return nil },
			"handlerfunc":  socketio.HandlerFunc(func(c *socketio.Context) (socketio.Args, error) { rec.Add("%v", c.Args()); return nil, nil }),
			"func":         socketio.Func(func(c *socketio.Context, p point) error { rec.Add("%v", p); return nil }),
			"funcack":      socketio.FuncAck(func(c *socketio.Context, p *point) (int, error) { rec.Add("%v", p); return 1, nil }),
			"struct":       func(c *socketio.Context, p point) { rec.Add("%v", p) },
			"two":          func(c *socketio.Context, a int, b text) { rec.Add("%v %v", a, b) },
			"variadic":     func(c *socketio.Context, a int, rest ...string) { rec.Add("%v %q", a, rest) },
			"variadic any": func(c *socketio.Context, all ...any) { rec.Add("%v", all) },
			"named":        named(func(c *socketio.Context, n int) error { rec.Add("%d", n); return nil }),
			"bind": func(c *socketio.Context) error {
				a, b, n := 0, "kept", 5
				err := c.Bind(&a, nil, &b, &n)
				rec.Add("%d %s %d", a, b, n)
				return err
			},
		}
		srv := siotest.NewServer(t, nil)
		for event, h := range handlers {
			srv.On(event, h)
		}
		srv.OnError(func(c *socketio.Context, err error) any { rec.Add("error: %v", err); return nil })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		for _, test := range []struct{ event, args, want string }{
			{"none", `,1,"x"`, `[1 x]`},
			{"string", `,"a"`, `"a"`}, {"string", ``, `""`}, {"string", `,"a",2`, `"a"`},
			{"string err", `,"b"`, `"b"`}, {"string ack", `,"c"`, `"c"`},
			{"bytes", `,"aGk="`, `"hi"`}, {"bytes err", ``, `""`}, {"bytes ack", `,"aGk="`, `"hi"`},
			{"raw", `,{"a":[1]}`, `{"a":[1]}`}, {"raw err", ``, ``}, {"raw ack", `,7`, `7`},
			{"any", `,{"a":1}`, `map[a:1]`}, {"any err", `,null`, `<nil>`}, {"any ack", ``, `<nil>`},
			{"map", `,{"a":1}`, `map[a:1]`}, {"map err", `,{"b":2}`, `map[b:2]`}, {"map ack", `,{"c":3}`, `map[c:3]`},
			{"args", `,1`, `[1]`}, {"ctx ack", `,2`, `[2]`}, {"ctx err", `,3`, `[3]`}, {"handlerfunc", `,1`, `[1]`},
			{"func", `,{"X":1,"y":2}`, `{1 2 []}`}, {"func", ``, `{0 0 []}`},
			{"funcack", `,{"X":1}`, `&{1 0 []}`}, {"funcack", ``, `<nil>`},
			{"struct", `,{"X":3}`, `{3 0 []}`},
			{"two", `,1,"b",3`, `1 b`}, {"two", `,1`, `1 `}, {"two", ``, `0 `},
			{"variadic", `,1`, `1 []`}, {"variadic", `,1,"a","b"`, `1 ["a" "b"]`}, {"variadic", ``, `0 []`},
			{"variadic any", `,1,[2],{"a":3}`, `[1 [2] map[a:3]]`},
			{"named", `,4`, `4`},
			{"bind", `,1,2`, `1 kept 5`}, {"bind", `,1,2,"three",4`, `1 three 4`},
		} {
			p.Send(fmt.Sprintf(`2["%s"%s]`, test.event, test.args))
			rec.Want(t, test.want)
		}
		p.Send(`51-["struct",{"X":1,"Raw":{"_placeholder":true,"num":0}}]`, `b:raw`)
		rec.Want(t, `{1 0 [114 97 119]}`)
		p.Send(`52-["variadic any",{"_placeholder":true,"num":1},[{"_placeholder":true,"num":0}]]`, `b:a`, `b:b`)
		rec.Want(t, `[[98] [[97]]]`)
	})
}

// An argument that does not fit is an error for the error handler; nothing a client sends is a panic.
func TestArgErrors(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		called := func() { rec.Add("called") }
		srv.On("int", func(c *socketio.Context, n int) { called() })
		srv.On("second", func(c *socketio.Context, a, b int) { called() })
		srv.On("rest", func(c *socketio.Context, rest ...int) { called() })
		srv.On("struct", socketio.Func(func(c *socketio.Context, p point) error { called(); return nil }))
		srv.On("bind", func(c *socketio.Context) error {
			var n int
			return c.Bind(nil, &n)
		})
		srv.On("string", func(c *socketio.Context, s string) { called() })
		srv.OnError(func(c *socketio.Context, err error) any {
			var arg *socketio.ArgError
			require.ErrorAs(t, err, &arg)
			require.NotNil(t, arg.Err)
			return socketio.Args{arg.Event, arg.Index, arg.Type}
		})
		p := siotest.Join(t, srv, mode)
		p.Send(`21["int","x"]`, `22["second",1,{}]`, `23["rest",1,2,"3"]`, `24["struct",[1]]`, `25["bind",1,"x"]`)
		p.Want(`31["int",0,"int"]`, `32["second",1,"int"]`, `33["rest",2,"int"]`, `34["struct",0,"socketio_test.point"]`, `35["bind",1,"int"]`)
		p.Send(`51-6["string",{"_placeholder":true,"num":0}]`, `b:x`)
		p.Want(`36["string",0,"string"]`)
		rec.Want(t)
	})
}

// Flask-SocketIO 1.8, but an error handler's return value never leaks an error.
func TestErrors(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		var log siotest.Logs
		srv := siotest.NewServer(t, &socketio.Options{Logger: siotest.Logger(&log)})
		boom := errors.New("secret detail")
		register := func(n *socketio.Namespace) {
			n.On("fail", func(c *socketio.Context) (int, error) { return 5, boom })
			n.On("panic", func(c *socketio.Context) { panic("secret panic") })
			n.On("typed", func(c *socketio.Context) error { return fmt.Errorf("wrap: %w", &socketio.Error{Message: "m", Data: 7}) })
			n.On("unencodable", func(c *socketio.Context) any { return func() {} })
			n.On("goexit", func(c *socketio.Context) { runtime.Goexit() })
			n.On("ok", func(c *socketio.Context) {})
		}
		register(srv.Namespace("/"))
		register(srv.Namespace("/own"))
		register(srv.Namespace("/bad"))
		srv.Namespace("/own").OnError(func(c *socketio.Context, err error) any {
			var p *socketio.PanicError
			var e *socketio.Error
			switch {
			case errors.As(err, &p):
				require.Contains(t, string(p.Stack), "dispatch_test.go")
				return socketio.Args{"panic", p.Value}
			case errors.As(err, &e):
				return err // with the *Error in its chain
			case errors.Is(err, boom):
				return nil
			case errors.Is(err, socketio.ErrNoHandler):
				return "not sent"
			}
			return err
		})
		srv.Namespace("/bad").OnError(func(c *socketio.Context, err error) any { panic("again") })

		p := siotest.Join(t, srv, mode, "/", "/own", "/bad")
		// No error handler: the typed error is acknowledged, the others are logged only.
		p.Send(`21["fail"]`, `22["panic"]`, `23["typed"]`, `2["fail"]`, `2["typed"]`, `24["unencodable"]`, `25["goexit"]`, `26["ok"]`)
		p.Want(`33[{"error":{"message":"m","data":7}}]`, `36[]`)
		require.Contains(t, log.String(), "secret detail")
		require.Contains(t, log.String(), "secret panic")
		require.Contains(t, log.String(), "dispatch_test.go") // the stack
		require.NotContains(t, log.String(), p.SID)           // ids are not for logs
		// The namespace's error handler.
		p.Send(`2/own,1["fail"]`, `2/own,2["panic"]`, `2/own,3["typed"]`, `2/own,4["unencodable"]`, `2/own,5["unknown"]`, `2/own,6["ok"]`)
		p.Want(`3/own,1[]`, `3/own,2["panic","secret panic"]`, `3/own,3[{"error":{"message":"m","data":7}}]`, `3/own,6[]`)
		// An error handler that panics.
		p.Send(`2/bad,1["fail"]`, `2/bad,2["ok"]`)
		p.Want(`3/bad,2[]`)
		p.Quiet()
	})
}

// Flask-SocketIO 1.3: who handles an event.
func TestDispatchPrecedence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Namespaces: []string{"*"}})
		a, star := srv.Namespace("/a"), srv.Namespace("*")
		p := siotest.Dial(t, srv, eiotest.WebSocket)
		p.Connect("/a")
		p.Connect("/b")
		check := func(packet, want string) {
			t.Helper()
			p.Send(packet)
			if want == "" {
				p.Quiet()
				return
			}
			p.Want(want)
		}
		check(`2/a,1["ev",5]`, ``)
		srv.Register("*", &classAny{})
		check(`2/a,1["ev",5]`, `3/a,1["class *",5]`)
		srv.Register("/a", &classA{})
		check(`2/a,1["ev",5]`, `3/a,1["class a",5]`)
		check(`2/b,1["ev",5]`, `3/b,1["class *",5]`)
		check(`2/a,1["only",5]`, ``) // a class never falls back to that of *
		check(`2/b,1["only",5]`, `3/b,1["only *"]`)
		star.On("*", func(c *socketio.Context, event string, n int) (string, string, int) { return "* *", event, n })
		check(`2/a,1["ev",5]`, `3/a,1["* *","ev",5]`)
		star.On("ev", func(c *socketio.Context, n int) (string, int) { return "* ev", n })
		check(`2/a,1["ev",5]`, `3/a,1["* ev",5]`)
		check(`2/a,1["other",6]`, `3/a,1["* *","other",6]`)
		a.On("*", func(c *socketio.Context, event string, rest ...any) (string, string, []any) {
			return "a *", event, rest
		})
		check(`2/a,1["ev",5]`, `3/a,1["a *","ev",[5]]`)
		check(`2/b,1["ev",5]`, `3/b,1["* ev",5]`)
		a.On("ev", func(c *socketio.Context, n int) (string, int) { return "a ev", n })
		check(`2/a,1["ev",5]`, `3/a,1["a ev",5]`)
		a.On("ev", func(c *socketio.Context, n int) string { return "replaced" })
		check(`2/a,1["ev",5]`, `3/a,1["replaced"]`)
	})
}

type classAny struct{}

func (*classAny) OnEv(c *socketio.Context, n int) (string, int) { return "class *", n }
func (*classAny) OnOnly(c *socketio.Context) string             { return "only *" }

type classA struct{}

func (*classA) OnEv(c *socketio.Context, n int) (string, int) { return "class a", n }

// A catch-all never sees connect and disconnect.
func TestCatchAll(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("*", func(c *socketio.Context, event string, args ...any) {
			rec.Add("%s %v | %s %v", event, args, c.Event(), c.Args())
		})
		p := siotest.Join(t, srv, mode)
		p.Send(`2["a",1,"x"]`, `2["b"]`, `1`)
		rec.Want(t, "a [1 x] | a [1 x]", "b [] | b []")

		srv.On("*", func(c *socketio.Context) { rec.Add("%s", c.Event()) })
		p.Connect("/")
		p.Send(`2["a",1]`)
		rec.Want(t, "a")
		srv.On("*", func(c *socketio.Context, event json.RawMessage, arg int) { rec.Add("%s %d", event, arg) })
		p.Send(`2["a\"b",1]`)
		rec.Want(t, `"a\"b" 1`)
	})
}

// Decision 1: the events of one socket run one after another, in order, and other sockets do not wait.
func TestEventsRunInOrder(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("ev", func(c *socketio.Context, n int) {
			if n%2 == 0 {
				time.Sleep(time.Second) // the next one must wait
			}
			rec.Add("%d", n)
		})
		srv.On("block", func(c *socketio.Context) { time.Sleep(time.Hour) })
		p, q := siotest.Join(t, srv, mode), siotest.Join(t, srv, mode)
		var want []string
		for i := range 20 {
			p.Send(fmt.Sprintf(`2["ev",%d]`, i))
			want = append(want, fmt.Sprint(i))
		}
		time.Sleep(time.Minute)
		rec.Want(t, want...)
		p.Send(`2["block"]`)
		q.Send(`2["ev",1]`)
		time.Sleep(time.Minute) // longer than ping interval and timeout: defect L19
		rec.Want(t, "1")
		time.Sleep(time.Hour)
		p.Send(`2["ev",3]`)
		rec.Want(t, "3")
	})
}

func TestAsyncHandlers(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{AsyncHandlers: true})
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context) { time.Sleep(time.Second); rec.Add("connect") })
		srv.On("sleep", func(c *socketio.Context, n int) int { time.Sleep(time.Duration(n) * time.Second); return n })
		srv.On("disconnect", func(c *socketio.Context) { rec.Add("disconnect %d", c.Queued()) })
		p := siotest.Dial(t, srv, mode)
		p.Send(`0`, `23["sleep",3]`, `21["sleep",1]`, `22["sleep",2]`)
		p.Connected("/")
		p.Want(`31[1]`, `32[2]`, `33[3]`)
		rec.Want(t, "connect")
		p.Send(`2["sleep",5]`, `1`)
		rec.Want(t) // it waits for the handler
		time.Sleep(6 * time.Second)
		rec.Want(t, "disconnect 256")
	})
}

// What breaks the protocol closes the connection: decision 3, JS 109 and 126, defects S2 and L8.
func TestProtocolViolations(t *testing.T) {
	for _, packet := range []string{
		`9`, `x`, ``, `2`, `2{}`, `2[]`, `2[null]`, `2["e"`, `3[]`, `36-[]`, `b:stray`,
		`2["connect",{}]`, `2["disconnect","x"]`, `2["connect_error"]`, `2["newListener"]`,
		`2/never,["e"]`, `3/never,1[]`, `1/never,`, `4{"message":"x"}`, `51-["e",{"_placeholder":true,"num":5}]`,
	} {
		t.Run(packet, func(t *testing.T) {
			eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
				srv := siotest.NewServer(t, nil)
				var rec siotest.Record
				srv.On("connect", func(c *socketio.Context) { rec.Add("connect") })
				srv.On("*", func(c *socketio.Context) { rec.Add("event") })
				srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
				p := siotest.Join(t, srv, mode)
				rec.Want(t, "connect")
				p.Send(packet)
				if strings.HasPrefix(packet, "51-") {
					p.Try("b:x") // closed by then, perhaps
				}
				p.Closed()
				rec.Want(t, "parse error")
			})
		})
	}
}
