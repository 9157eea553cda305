package socketio_test

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/parser"
)

// bomb is something an app gives to the server: each row of userFunctions has it call boom in another place.
type bomb struct {
	name string
	opts func(o *socketio.Options, boom func())
	set  func(srv *socketio.Server, boom func())
	// send are the packets that set it off, and want is what the client gets.
	send, want []string
	logged     string // the event, or the function, in the log
	// exits is want, where it differs, if boom is runtime.Goexit; "-" if no app can do that there.
	exits []string
}

type fuse struct{ boom func() }

func (f fuse) MarshalJSON() ([]byte, error) { f.boom(); return []byte("1"), nil }

// armed is what a client's argument becomes.
type armed struct{}

var armedBoom func()

func (*armed) UnmarshalJSON([]byte) error { armedBoom(); return nil }

// fragile is an error that must not be asked anything.
type fragile struct{ boom func() }

func (e fragile) Error() string   { return "fragile" }
func (e fragile) Is(error) bool   { e.boom(); return false }
func (e fragile) As(any) bool     { return false }
func (e fragile) Unwrap() []error { return nil }

type class struct{ boom func() }

func (c class) OnBoom(*socketio.Context)             { c.boom() }
func (c class) OnConnect(*socketio.Context)          {}
func (c class) OnDisconnect(*socketio.Context)       {}
func (c class) OnOk(*socketio.Context)               {}
func (c class) OnAnswer(*socketio.Context) any       { return fuse(c) }
func (c class) OnError(*socketio.Context, error) any { return nil }

type jsonBomb struct{ boom func() }

func (j jsonBomb) Marshal(v any) ([]byte, error) {
	if s, ok := v.(string); ok && s == "boom" {
		j.boom()
	}
	return json.Marshal(v)
}

func (j jsonBomb) Unmarshal(data []byte, v any) error {
	if string(data) == `"boom"` {
		j.boom()
	}
	return json.Unmarshal(data, v)
}

// parserBomb goes off when it encodes packets of a type.
type parserBomb struct {
	parser.Parser
	boom func()
	at   parser.Type
}

func (p parserBomb) Encode(dst []byte, h parser.Header, args []any) ([]byte, [][]byte, error) {
	if h.Type == p.at && h.Namespace == "/boom" {
		p.boom()
	}
	return p.Parser.Encode(dst, h, args)
}

var rejected = `4/boom,{"message":"Connection rejected by server"}`

// userFunctions has a row for each function of the app's that the server calls while a client is connected.
var userFunctions = []bomb{
	{name: "handler", set: func(srv *socketio.Server, boom func()) {
		srv.On("boom", func(*socketio.Context) { boom() })
	}, send: []string{`21["boom"]`}, logged: "event=boom"},
	{name: "handler called by reflection", set: func(srv *socketio.Server, boom func()) {
		srv.On("boom", func(*socketio.Context, uint16, ...int8) (string, bool) { boom(); return "", true })
	}, send: []string{`21["boom",1]`}, logged: "event=boom"},
	{name: "handler of Func", set: func(srv *socketio.Server, boom func()) {
		srv.On("boom", socketio.Func(func(*socketio.Context, int) error { boom(); return nil }))
	}, send: []string{`21["boom",1]`}, logged: "event=boom"},
	{name: "catch-all", set: func(srv *socketio.Server, boom func()) {
		srv.On("*", func(*socketio.Context, string) { boom() })
	}, send: []string{`21["boom"]`}, logged: "event=boom"},
	{name: "method of a class", set: func(srv *socketio.Server, boom func()) {
		srv.Register("/class", class{boom})
	}, send: []string{"0/class,", `2/class,1["boom"]`, `2/class,2["ok"]`}, want: []string{"0/class,", "3/class,1[]", "3/class,2[]"}, logged: "event=boom",
		exits: []string{"0/class,", "3/class,2[]"}},
	{name: "handler, asynchronous", opts: func(o *socketio.Options, boom func()) { o.AsyncHandlers = true },
		set:  func(srv *socketio.Server, boom func()) { srv.On("boom", func(*socketio.Context) { boom() }) },
		send: []string{`21["boom"]`}, logged: "event=boom"},
	{name: "connect handler", set: func(srv *socketio.Server, boom func()) {
		srv.Namespace("/boom").On("connect", func(*socketio.Context) { boom() })
	}, send: []string{"0/boom,"}, want: []string{rejected}, logged: "event=connect"},
	{name: "connect handler with AlwaysConnect", opts: func(o *socketio.Options, boom func()) { o.AlwaysConnect = true },
		set: func(srv *socketio.Server, boom func()) {
			srv.Namespace("/boom").On("connect", func(*socketio.Context) { boom() })
		},
		send: []string{"0/boom,"}, want: []string{"0/boom,", "1/boom,"}, logged: "event=connect"},
	{name: "disconnect handler", set: func(srv *socketio.Server, boom func()) {
		srv.Namespace("/boom").On("disconnect", func(*socketio.Context) { boom() })
	}, send: []string{"0/boom,", "1/boom,", "0/boom,"}, want: []string{"0/boom,", "0/boom,"}, logged: "event=disconnect"},
	{name: "middleware", set: func(srv *socketio.Server, boom func()) {
		srv.Use(func(next socketio.HandlerFunc) socketio.HandlerFunc {
			return func(c *socketio.Context) (socketio.Args, error) {
				if c.Event() == "boom" {
					boom()
				}
				return next(c)
			}
		})
	}, send: []string{`21["boom"]`}, logged: "event=boom"},
	{name: "middleware of *, around connect", set: func(srv *socketio.Server, boom func()) {
		srv.Namespace("/boom").On("e", func(*socketio.Context) {})
		srv.Namespace("*").Use(func(next socketio.HandlerFunc) socketio.HandlerFunc {
			return func(c *socketio.Context) (socketio.Args, error) {
				defer func() {
					if c.Namespace().Name() == "/boom" {
						boom()
					}
				}()
				return next(c)
			}
		})
	}, send: []string{"0/boom,"}, want: []string{rejected}, logged: "event=connect"},
	{name: "callback of an acknowledgement", set: func(srv *socketio.Server, boom func()) {
		srv.On("ask", func(c *socketio.Context) error {
			return c.Emit("asked", nil, socketio.OnAck(func(*socketio.Context) { boom() }))
		})
	}, send: []string{`2["ask"]`, "31[]"}, want: []string{`21["asked"]`}, logged: "event=asked"},
	{name: "error handler", set: func(srv *socketio.Server, boom func()) {
		srv.On("boom", func(*socketio.Context) error { return errors.New("failed") })
		srv.OnError(func(*socketio.Context, error) any { boom(); return nil })
	}, send: []string{`21["boom"]`}, logged: "error handler panicked"},
	{name: "error handler of a refusal", set: func(srv *socketio.Server, boom func()) {
		srv.Namespace("/boom").On("connect", func(*socketio.Context) error { return errors.New("failed") })
		srv.Namespace("/boom").OnError(func(*socketio.Context, error) any { boom(); return nil })
	}, send: []string{"0/boom,"}, want: []string{rejected}, logged: "error handler panicked"},
	{name: "error handler of an event above EventRate", opts: func(o *socketio.Options, boom func()) { o.Limits.EventRate, o.Limits.EventBurst = 2, 2 },
		set: func(srv *socketio.Server, boom func()) {
			srv.On("e", func(*socketio.Context) {})
			srv.OnError(func(*socketio.Context, error) any { boom(); return nil })
		}, send: []string{`21["e"]`, `22["e"]`, `23["boom"]`}, want: []string{"31[]", "32[]"}, logged: "event=boom"},
	{name: "method of a returned error", set: func(srv *socketio.Server, boom func()) {
		srv.On("boom", func(*socketio.Context) error { return fragile{boom} })
	}, send: []string{`21["boom"]`}, logged: "event=boom"},
	{name: "method of an error that refuses", set: func(srv *socketio.Server, boom func()) {
		srv.Namespace("/boom").On("connect", func(*socketio.Context) error { return fragile{boom} })
		srv.Namespace("/boom").OnError(func(c *socketio.Context, err error) any { return errors.Is(err, errors.ErrUnsupported) })
	}, send: []string{"0/boom,"}, want: []string{rejected}, logged: "event=connect"},
	{name: "MarshalJSON of an acknowledgement", set: func(srv *socketio.Server, boom func()) {
		srv.On("boom", func(*socketio.Context) any { return fuse{boom} })
	}, send: []string{`21["boom"]`}, logged: "encoding panicked"},
	{name: "MarshalJSON of what is emitted", set: func(srv *socketio.Server, boom func()) {
		srv.On("boom", func(c *socketio.Context) error { return c.Emit("e", fuse{boom}, socketio.Broadcast()) })
	}, send: []string{`21["boom"]`}, logged: "encoding panicked"},
	{name: "MarshalJSON of a refusal's data", set: func(srv *socketio.Server, boom func()) {
		srv.Namespace("/boom").On("connect", func(c *socketio.Context) error { return &socketio.Error{Message: "no", Data: fuse{boom}} })
	}, send: []string{"0/boom,"}, want: []string{`4/boom,{"message":"no"}`}, logged: "encoding panicked", exits: []string{}},
	{name: "UnmarshalJSON of an argument", set: func(srv *socketio.Server, boom func()) {
		armedBoom = boom
		srv.On("boom", func(*socketio.Context, armed) {})
	}, send: []string{`21["boom",1]`}, logged: "event=boom"},
	{name: "Marshal of Options.JSON", opts: func(o *socketio.Options, boom func()) { o.JSON = jsonBomb{boom} },
		set: func(srv *socketio.Server, boom func()) {
			srv.On("boom", func(c *socketio.Context) any { return "boom" })
		},
		send: []string{`21["boom"]`}, logged: "encoding panicked"},
	{name: "Unmarshal of Options.JSON", opts: func(o *socketio.Options, boom func()) { o.JSON = jsonBomb{boom} },
		set:  func(srv *socketio.Server, boom func()) { srv.On("boom", func(c *socketio.Context, v any) {}) },
		send: []string{`21["boom","boom"]`}, logged: "event=boom"},
	{name: "hook Handler", set: func(srv *socketio.Server, boom func()) {
		srv.On("boom", func(*socketio.Context) {})
		srv.AddHooks(socketio.Hooks{Handler: func(ctx context.Context, c *socketio.Context) (context.Context, func(socketio.Args, error)) {
			if c.Event() == "boom" {
				boom()
			}
			return ctx, nil
		}})
	}, send: []string{`21["boom"]`}, want: []string{"31[]"}, logged: "hook Handler", exits: []string{}},
	{name: "hook Handler, when it ends", set: func(srv *socketio.Server, boom func()) {
		srv.On("boom", func(*socketio.Context) {})
		srv.AddHooks(socketio.Hooks{Handler: func(ctx context.Context, c *socketio.Context) (context.Context, func(socketio.Args, error)) {
			if c.Event() != "boom" {
				return ctx, nil
			}
			return ctx, func(socketio.Args, error) { boom() }
		}})
	}, send: []string{`21["boom"]`}, want: []string{"31[]"}, logged: "hook Handler", exits: []string{}},
	{name: "hook Callback", set: func(srv *socketio.Server, boom func()) {
		srv.On("ask", func(c *socketio.Context) error {
			return c.Emit("asked", nil, socketio.OnAck(func(*socketio.Context) {}))
		})
		srv.AddHooks(socketio.Hooks{Callback: func(ctx context.Context, _ *socketio.Context) (context.Context, func(socketio.Args, error)) {
			boom()
			return ctx, nil
		}})
	}, send: []string{`2["ask"]`, "31[]"}, want: []string{`21["asked"]`}, logged: "hook Callback", exits: []string{`21["asked"]`}},
	{name: "hook SocketConnected", set: func(srv *socketio.Server, boom func()) {
		srv.Namespace("/boom").On("e", func(*socketio.Context) {})
		srv.AddHooks(socketio.Hooks{SocketConnected: func(s *socketio.Socket) {
			if s.Namespace().Name() == "/boom" {
				boom()
			}
		}})
	}, send: []string{"0/boom,"}, want: []string{"0/boom,"}, logged: "hook SocketConnected", exits: []string{"0/boom,", "1/boom,"}},
	{name: "hook SocketDisconnected", set: func(srv *socketio.Server, boom func()) {
		srv.Namespace("/boom").On("e", func(*socketio.Context) {})
		srv.AddHooks(socketio.Hooks{SocketDisconnected: func(s *socketio.Socket, _ socketio.Reason, _ error) {
			if s.Namespace().Name() == "/boom" {
				boom()
			}
		}})
	}, send: []string{"0/boom,", "1/boom,", "0/boom,"}, want: []string{"0/boom,", "0/boom,"}, logged: "hook SocketDisconnected"},
	{name: "hook Joined", set: func(srv *socketio.Server, boom func()) {
		srv.On("boom", func(c *socketio.Context) error { return c.Join("room") })
		srv.AddHooks(socketio.Hooks{Joined: func(*socketio.Socket, string) { boom() }})
	}, send: []string{`21["boom"]`}, want: []string{"31[]"}, logged: "hook Joined", exits: []string{}},
	{name: "hook Sent", set: func(srv *socketio.Server, boom func()) {
		srv.On("boom", func(c *socketio.Context) error { return c.Emit("e", 1) })
		srv.AddHooks(socketio.Hooks{Sent: func(*socketio.Socket, *socketio.Emission) { boom() }})
	}, send: []string{`21["boom"]`}, want: []string{`2["e",1]`, "31[]"}, logged: "hook Sent", exits: []string{`2["e",1]`}},
	{name: "Encode of Options.Parser, an acknowledgement",
		opts: func(o *socketio.Options, boom func()) { o.Parser = parserBomb{parser.New(nil), boom, parser.Ack} },
		set:  func(srv *socketio.Server, boom func()) { srv.Namespace("/boom").On("e", func(*socketio.Context) {}) },
		send: []string{"0/boom,", `2/boom,1["e"]`}, want: []string{"0/boom,"}, logged: "encoding panicked"},
	{name: "Encode of Options.Parser, a CONNECT packet",
		opts: func(o *socketio.Options, boom func()) { o.Parser = parserBomb{parser.New(nil), boom, parser.Connect} },
		set:  func(srv *socketio.Server, boom func()) { srv.Namespace("/boom").On("e", func(*socketio.Context) {}) },
		send: []string{"0/boom,"}, want: []string{rejected}, logged: "encoding panicked", exits: []string{"-"}},
}
