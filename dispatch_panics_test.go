package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
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

// A panic of the app's costs the event it happens in, and nothing else: it is logged with its stack and counted, the
// client's other events, its other namespaces and other clients go on, and what the client had is cleaned up. The same
// holds for runtime.Goexit, but for the stack.
func TestPanics(t *testing.T) {
	for _, b := range userFunctions {
		t.Run(b.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { b.run(t, false) })
		})
		if len(b.exits) == 1 && b.exits[0] == "-" {
			continue
		}
		t.Run(b.name+", exits", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { b.run(t, true) })
		})
	}
}

func (b bomb) run(t *testing.T, exit bool) {
	var log siotest.Logs
	var rec siotest.Record
	booms := 0
	boom := func() {
		booms++
		if exit {
			runtime.Goexit()
		}
		panic("ouch")
	}
	opts := &socketio.Options{Logger: siotest.Logger(&log)}
	if b.opts != nil {
		b.opts(opts, boom)
	}
	srv := siotest.NewServer(t, opts)
	b.set(srv, boom)
	srv.On("ok", func(c *socketio.Context) {})
	srv.Namespace("/beside").On("disconnect", func(c *socketio.Context) { rec.Add("left") })
	p := siotest.Join(t, srv, eiotest.WebSocket, "/", "/beside")
	beside := srv.Namespace("/beside").Socket(p.SID)
	other := siotest.Join(t, srv, eiotest.WebSocket)
	time.Sleep(time.Minute) // for EventRate
	for _, packet := range b.send {
		p.Send(packet)
		synctest.Wait()
	}
	want := b.want
	if exit && b.exits != nil {
		want = b.exits
	}
	for _, w := range want {
		if w == "0/boom," || w == "0/class," {
			p.Connected(w[1 : len(w)-1])
			continue
		}
		p.Want(w)
	}
	p.Quiet()
	require.Equal(t, 1, booms)
	time.Sleep(time.Minute)
	for _, r := range []*siotest.Peer{p, other} { // they go on
		r.Send(`29["ok"]`)
		r.Want(`39[]`)
	}
	if exit {
		require.Zero(t, srv.Stats().Panics)
		require.Contains(t, log.String(), "runtime.Goexit")
		require.NotZero(t, srv.Stats().HandlerErrors)
	} else {
		require.EqualValues(t, 1, srv.Stats().Panics)
		require.Contains(t, log.String(), b.logged)
		require.Contains(t, log.String(), "ouch")
		require.Contains(t, log.String(), "dispatch_panics_test.go", "the stack")
	}
	synctest.Wait()
	require.Zero(t, beside.Queued())
	rec.Want(t)
	p.Client.Close()
	rec.Want(t, "left")
}

// What cannot go on without the function that panicked ends: a connection whose session cannot be seeded or whose packets
// cannot be decoded. The others go on.
func TestPanicsThatEndTheConnection(t *testing.T) {
	ok := func(t *testing.T, srv *socketio.Server, tr *eiotest.Transport) {
		p := siotest.DialWith(t, srv, eiotest.Options{Mode: eiotest.WebSocket, Transport: tr})
		p.Connect("/")
		p.Send(`21["ok"]`)
		p.Want(`31[]`)
	}
	for name, tt := range map[string]struct {
		opts   func(boom func()) *socketio.Options
		status int // of the refusal, or 0
		header http.Header
	}{
		"Session": {func(boom func()) *socketio.Options {
			return &socketio.Options{Session: func(*http.Request) map[string]any { boom(); return nil }}
		}, 500, nil},
		"AllowOrigin": {func(boom func()) *socketio.Options {
			return &socketio.Options{AllowOrigin: func(*http.Request, string) bool { boom(); return true }}
		}, 403, http.Header{"Origin": {"https://elsewhere.test"}}},
		"ClientIP": {func(boom func()) *socketio.Options {
			return &socketio.Options{Limits: socketio.Limits{MaxConnectionsPerIP: 10}, ClientIP: func(*http.Request) string { boom(); return "" }}
		}, 403, nil},
		"NewDecoder": {func(boom func()) *socketio.Options {
			return &socketio.Options{Parser: decoderBomb{Parser: parser.New(nil), new: boom}}
		}, 403, nil},
		"Decode": {func(boom func()) *socketio.Options {
			return &socketio.Options{Parser: decoderBomb{Parser: parser.New(nil), decode: boom}}
		}, 0, nil},
	} {
		for _, exit := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", exits"}[exit], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var log siotest.Logs
					armed := true
					opts := tt.opts(func() {
						switch {
						case !armed:
						case exit:
							runtime.Goexit()
						default:
							panic("ouch")
						}
					})
					opts.Logger = siotest.Logger(&log)
					srv := siotest.NewServer(t, opts)
					var rec siotest.Record
					srv.On("ok", func(*socketio.Context) {})
					srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
					tr := eiotest.Serve(t, srv, nil)
					c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Path: "/socket.io/", Mode: eiotest.WebSocket, Transport: tr, Header: tt.header})
					if tt.status == 0 {
						require.NoError(t, err)
						p := siotest.NewPeer(t, c)
						armed = false
						p.Connect("/")
						armed = true
						require.NoError(t, c.Send(`2["ok"]`))
						<-c.Closed()
						rec.Want(t, "server disconnect")
					} else if !exit {
						var refused *eiotest.RefusedError
						require.ErrorAs(t, err, &refused)
						status := tt.status
						if refused.Response.Body == "Forbidden" { // to a WebSocket handshake, as the reference server does
							status = 400
						}
						require.Equal(t, status, refused.Response.Status)
						require.NotContains(t, refused.Response.Body, "ouch")
					} else {
						require.Error(t, err)
					}
					synctest.Wait()
					st := srv.Stats()
					require.Zero(t, st.Polling+st.WebSocket)
					if !exit {
						require.EqualValues(t, 1, st.Panics)
						require.Contains(t, log.String(), "ouch")
						require.Contains(t, log.String(), "dispatch_panics_test.go", "the stack")
					}
					armed = false
					ok(t, srv, tr)
				})
			})
		}
	}
}

type decoderBomb struct {
	parser.Parser
	new, decode func()
	dec         parser.Decoder
}

func (d decoderBomb) NewDecoder(l parser.Limits) parser.Decoder {
	if d.new != nil {
		d.new()
	}
	d.dec = d.Parser.NewDecoder(l)
	return d
}

func (d decoderBomb) Decode(data []byte, binary bool) (parser.Packet, bool, error) {
	if d.decode != nil {
		d.decode()
	}
	return d.dec.Decode(data, binary)
}

// Whoever emits what cannot be encoded without a panic gets an error, wherever that is: it must not end the program.
func TestEmitPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		p := siotest.Join(t, srv, eiotest.WebSocket)
		bad := fuse{func() { panic(errors.ErrUnsupported) }}
		_, callErr := srv.Call(t.Context(), "e", bad)
		for _, err := range []error{srv.Emit("e", bad), srv.Socket(p.SID).Emit("e", bad), callErr} {
			var e *socketio.PanicError
			require.ErrorAs(t, err, &e)
			require.Contains(t, string(e.Stack), "dispatch_panics_test.go")
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorContains(t, err, `socketio: emit "e": socketio: encoding panicked`)
		}
		p.Quiet()
		require.EqualValues(t, 3, srv.Stats().Panics)
		require.NoError(t, srv.Emit("e", 1))
		p.Want(`2["e",1]`)
	})
}
