package socketio_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

type auth struct {
	Token string `json:"token"`
}

func TestConnectWithAuth(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		var rec record
		srv.On("connect", func(c *socketio.Context, a auth) error {
			rec.add("connect %s %s %s", c.Event(), a.Token, c.Transport())
			return c.Emit("auth", a)
		})
		p := dial(t, srv, mode)
		p.send(`0{"token":"secret"}`)
		sid := p.connected("/")
		p.want(`2["auth",{"token":"secret"}]`)
		transport := "websocket"
		if mode == eiotest.Polling {
			transport = "polling"
		}
		rec.want(t, "connect connect secret "+transport)
		require.NotEqual(t, p.c.Handshake().SID, sid)
		require.Equal(t, []string{sid}, sidsOf(srv))
		require.Equal(t, sid, srv.Socket(sid).ID())
		require.Equal(t, []string{sid}, srv.Rooms(sid))
		p.quiet()
	})
}

// Every shape of payload reaches the handler, or refuses the client if it does not fit.
func TestConnectPayloads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, nil)
		var rec record
		srv.On("connect", func(c *socketio.Context, a any) { rec.add("any %v %v", a, c.Args()) })
		srv.Namespace("/typed").On("connect", func(c *socketio.Context, a auth) { rec.add("typed %+v", a) })
		srv.Namespace("/none").On("connect", func(c *socketio.Context) { rec.add("none") })
		p := dial(t, srv, eiotest.WebSocket)
		p.send(`0`)
		p.connected("/")
		rec.want(t, "any <nil> []")
		p.send(`0/none,{"x":1}`)
		p.connected("/none")
		rec.want(t, "none")
		p.send(`0/typed,{"token":5}`)
		p.want(`4/typed,{"message":"Connection rejected by server"}`)
		p.send(`0/typed,{"token":"t"}`)
		p.connected("/typed")
		rec.want(t, "typed {Token:t}")
	})
}

func TestConnectRefusals(t *testing.T) {
	wrapped := errors.Join(errors.New("context"), &socketio.Error{Message: "wrapped"})
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"plain", errors.New("secret detail"), `{"message":"Connection rejected by server"}`},
		{"empty", &socketio.Error{}, `{"message":"Connection rejected by server"}`},
		{"nil", (*socketio.Error)(nil), `{"message":"Connection rejected by server"}`},
		{"message", &socketio.Error{Message: "no"}, `{"message":"no"}`},
		{"data", &socketio.Error{Message: "no", Data: map[string]int{"x": 1}}, `{"message":"no","data":{"x":1}}`},
		{"wrapped", wrapped, `{"message":"wrapped"}`},
		{"bad data", &socketio.Error{Message: "no", Data: func() {}}, `{"message":"no"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			modes(t, func(t *testing.T, mode eiotest.Mode) {
				srv := newServer(t, nil)
				var rec record
				for _, ns := range []string{"/", "/x"} {
					srv.Namespace(ns).On("connect", func(c *socketio.Context) error {
						require.NoError(t, c.Emit("lost", nil))
						require.NoError(t, c.Join("room"))
						return test.err
					})
					srv.Namespace(ns).On("disconnect", func(c *socketio.Context) { rec.add("disconnect") })
					srv.Namespace(ns).On("event", func(c *socketio.Context) { rec.add("event") })
				}
				p := dial(t, srv, mode)
				// Sent at once, the event is dropped with the socket; so is one in flight.
				p.send(`0`, `2["event"]`)
				p.want(`4` + test.want)
				p.send(`2["event"]`, `0/x,`)
				p.want(`4/x,` + test.want)
				p.quiet()
				require.Empty(t, sidsOf(srv))
				require.Empty(t, membersOf(t, srv, "room"))
				rec.want(t)
				sids, rooms, running := srv.Sizes()
				require.Zero(t, sids+rooms+running)
			})
		})
	}
}

// Defect L6 of Flask-SocketIO: a connect handler that raises leaves the client without an answer.
func TestConnectPanicIsAnswered(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		srv.On("connect", func(c *socketio.Context) { panic("oops") })
		p := dial(t, srv, mode)
		p.send(`0`)
		p.want(`4{"message":"Connection rejected by server"}`)
		p.send(`0`)
		p.want(`4{"message":"Connection rejected by server"}`)
	})
}

func TestConnectErrorHandler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, nil)
		var rec record
		srv.OnError(func(c *socketio.Context, err error) any {
			rec.add("%s %s: %v", c.Namespace().Name(), c.Event(), err)
			return &socketio.Error{Message: "translated"}
		})
		srv.Namespace("/plain").OnError(func(c *socketio.Context, err error) any { rec.add("plain"); return "ignored" })
		srv.On("connect", func(c *socketio.Context) error { return errors.New("no database") })
		srv.Namespace("/plain").On("connect", func(c *socketio.Context) error { return errors.New("x") })
		srv.Namespace("/refused").On("connect", func(c *socketio.Context) error { return &socketio.Error{Message: "no"} })
		p := dial(t, srv, eiotest.WebSocket)
		p.send(`0`)
		p.want(`4{"message":"translated"}`)
		rec.want(t, "/ connect: no database")
		p.send(`0/plain,`)
		p.want(`4/plain,{"message":"Connection rejected by server"}`)
		rec.want(t, "plain")
		p.send(`0/refused,`)
		p.want(`4/refused,{"message":"no"}`)
		rec.want(t) // a refusal is no failure
	})
}

func TestUnknownNamespace(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, &socketio.Options{Namespaces: []string{"/extra", "bare"}})
		srv.Namespace("*").On("x", func(c *socketio.Context) {}) // does not make others accepted
		p := dial(t, srv, mode)
		p.send(`0/unknown,`, `0/extra,`)
		p.want(`4/unknown,{"message":"Invalid namespace"}`)
		p.connected("/extra")
		p.connect("/bare")
		p.connect("/") // accepted without handlers
		p.send(`0/late,`)
		p.want(`4/late,{"message":"Invalid namespace"}`)
		srv.Namespace("late").On("x", func(c *socketio.Context) {})
		p.connect("/late")
	})
}

func TestAnyNamespace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, &socketio.Options{Namespaces: []string{"*"}, Limits: socketio.Limits{MaxNamespaces: 3}})
		srv.Namespace("*").On("who", func(c *socketio.Context) string { return c.Namespace().Name() })
		p := dial(t, srv, eiotest.WebSocket)
		p.connect("/a")
		p.connect("/b")
		p.connect("/c")
		p.send(`2/b,1["who"]`)
		p.want(`3/b,1["/b"]`)
		p.send(`0/d,`)
		p.want(`4/d,{"message":"Too many namespaces"}`)
		p.send(`1/a,`)
		p.connect("/d")
	})
}

// A second CONNECT is what the official client sends for disconnect() and connect() before it has heard that it is
// connected, also if the server has accepted it by then: the client leaves and comes again, and nothing else happens to
// its connection. (JS 108: the reference server closes it, if it has accepted.)
func TestConnectTwice(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		var rec record
		srv.On("connect", func(c *socketio.Context) { rec.add("connect") })
		srv.On("e", func(c *socketio.Context, n int) { rec.add("e %d", n) })
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.add("%s", why) })
		srv.Namespace("/other").On("e", func(c *socketio.Context) string { return "there" })
		p := join(t, srv, mode, "/other", "/")
		first := p.sid
		p.send(`2["e",1]`, `0`, `2["e",2]`)
		require.NotEqual(t, first, p.connected("/"))
		rec.want(t, "connect", "e 1", "client disconnect", "connect", "e 2")
		require.Equal(t, []string{p.sid}, membersOf(t, srv, p.sid))
		require.Empty(t, membersOf(t, srv, first))
		p.send(`2/other,1["e"]`)
		p.want(`3/other,1["there"]`)
	})
}

// Report H: a second CONNECT while the connect handler decides restarts the decision. The client hears of the second one
// only, and each accepted connect has one disconnect.
func TestConnectTwiceWhileDeciding(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		var rec record
		srv.On("connect", func(c *socketio.Context, auth struct{ N int }) error {
			rec.add("connect %d", auth.N)
			select {
			case <-c.Context().Done():
				rec.add("gave up %d", auth.N)
			case <-time.After(200 * time.Millisecond):
			}
			if auth.N == 2 { // although the client has left
				return &socketio.Error{Message: "no"}
			}
			return nil
		})
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.add("%s", why) })
		srv.Namespace("/other").On("e", func(c *socketio.Context) string { return "there" })
		p := join(t, srv, mode, "/other")
		p.send(`0{"n":1}`)
		time.Sleep(100 * time.Millisecond)
		p.send(`0{"n":2}`)
		time.Sleep(100 * time.Millisecond)
		p.send(`0{"n":3}`)
		sid := p.connected("/")
		rec.want(t, "connect 1", "gave up 1", "client disconnect", "connect 2", "gave up 2", "connect 3")
		require.Equal(t, []string{sid}, membersOf(t, srv, sid))
		p.send(`2/other,1["e"]`)
		p.want(`3/other,1["there"]`)
		p.quiet()
	})
}

// Defect S1: the client is a member, gets broadcasts and runs events while its connect handler still decides.
func TestNobodyIsInBeforeAccepted(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		var rec record
		entered, proceed := make(chan *socketio.Socket), make(chan error)
		srv.On("connect", func(c *socketio.Context) error {
			require.NoError(t, c.Join("room"))
			require.NoError(t, c.Emit("own", 1))
			require.NoError(t, c.Emit("own broadcast", 2, socketio.Broadcast()))
			require.NoError(t, c.Emit("own room", 3, socketio.To("room")))
			require.NoError(t, c.Emit("not self", 3, socketio.To("room"), socketio.SkipSelf()))
			entered <- c.Socket
			return <-proceed
		})
		srv.On("event", func(c *socketio.Context) string { rec.add("event"); return "done" })
		p := dial(t, srv, mode)
		p.send(`0`, `27["event"]`)
		s := <-entered
		require.NoError(t, srv.Emit("broadcast", nil))
		require.NoError(t, srv.Emit("room", nil, socketio.To("room")))
		require.NoError(t, srv.Emit("private", nil, socketio.To(s.ID())))
		require.NoError(t, srv.JoinRoom(s.ID(), "later"))
		require.Empty(t, sidsOf(srv))
		require.Empty(t, membersOf(t, srv, "room"))
		require.Equal(t, []string{s.ID(), "later", "room"}, s.Rooms())
		p.quiet()
		rec.want(t)
		proceed <- nil
		require.Equal(t, s.ID(), p.connected("/"))
		p.want(`2["own",1]`, `2["own broadcast",2]`, `2["own room",3]`, `2["private"]`, `37["done"]`)
		rec.want(t, "event")
		require.Equal(t, []string{s.ID()}, membersOf(t, srv, "room"))
		require.Equal(t, []string{s.ID()}, membersOf(t, srv, "later"))
		require.Equal(t, []string{s.ID()}, sidsOf(srv))
	})
}

// Defect L7: disconnect in the connect handler is answered by a CONNECT with a dead sid.
func TestDisconnectInConnectHandler(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		var rec record
		srv.On("connect", func(c *socketio.Context) { c.Disconnect() })
		srv.On("disconnect", func(c *socketio.Context) { rec.add("disconnect") })
		p := dial(t, srv, mode)
		p.send(`0`)
		p.want(`4{"message":"Connection rejected by server"}`)
		p.quiet()
		rec.want(t)
	})
}

// The client goes while its connect handler decides: whoever was accepted is also told to have left.
func TestClientLeavesWhileConnecting(t *testing.T) {
	for _, accept := range []bool{true, false} {
		modes(t, func(t *testing.T, mode eiotest.Mode) {
			srv := newServer(t, nil)
			var rec record
			entered, proceed := make(chan struct{}), make(chan error)
			srv.On("connect", func(c *socketio.Context) error {
				require.NoError(t, c.Join("room"))
				entered <- struct{}{}
				err := <-proceed
				rec.add("context: %v", c.Context().Err())
				return err
			})
			srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) {
				rec.add("disconnect %v %d", why, len(c.Rooms()))
			})
			p := dial(t, srv, mode)
			p.send(`0`)
			<-entered
			p.send(`1`)
			time.Sleep(time.Second) // until it has arrived
			if accept {
				proceed <- nil
				rec.want(t, "context: context canceled", "disconnect client disconnect 2")
			} else {
				proceed <- errors.New("no")
				rec.want(t, "context: context canceled")
			}
			p.quiet()
			p.send(`0`)
			<-entered
			proceed <- nil
			p.connected("/")
			rec.want(t, "context: <nil>")
			sids, rooms, running := srv.Sizes()
			require.Equal(t, []int{1, 2, 1}, []int{sids, rooms, running})
		})
	}
}

func TestAlwaysConnect(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, &socketio.Options{AlwaysConnect: true})
		var rec record
		proceed := make(chan error)
		srv.On("connect", func(c *socketio.Context) error {
			require.NoError(t, c.Emit("hello", nil))
			return <-proceed
		})
		srv.On("disconnect", func(c *socketio.Context) { rec.add("disconnect") })
		srv.On("event", func(c *socketio.Context) { rec.add("event") })
		p := dial(t, srv, mode)
		p.connect("/")
		p.want(`2["hello"]`)
		require.NoError(t, srv.Emit("all", nil))
		p.want(`2["all"]`)
		p.send(`2["event"]`)
		p.quiet()
		proceed <- errors.New("no")
		p.want(`1`) // defect L24: without a payload, which clients do not accept
		p.quiet()
		rec.want(t)
		p.connect("/")
		p.want(`2["hello"]`)
		proceed <- nil
		p.send(`2["event"]`)
		p.quiet()
		rec.want(t, "event")
		p.send(`1`)
		rec.want(t, "disconnect")
	})
}

func TestAlwaysConnectDisconnectInHandler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, &socketio.Options{AlwaysConnect: true})
		var rec record
		var fail error
		srv.On("connect", func(c *socketio.Context) error { c.Disconnect(); return fail })
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.add("%v", why) })
		p := dial(t, srv, eiotest.WebSocket)
		p.connect("/")
		p.want(`1`)
		p.quiet()
		rec.want(t, "server disconnect")
		fail = errors.New("no")
		p.connect("/")
		p.want(`1`)
		p.quiet()
		rec.want(t)
	})
}

// JS 106, defect S8: a connection that joins nothing is closed; refusals do not stop the clock, the first success does.
func TestConnectTimeout(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		srv.Namespace("/no").On("connect", func(c *socketio.Context) error { return errors.New("no") })
		p := dial(t, srv, mode)
		start := time.Now()
		time.Sleep(40 * time.Second)
		p.send(`0/no,`)
		p.want(`4/no,{"message":"Connection rejected by server"}`)
		p.closed()
		require.InDelta(t, 45, time.Since(start).Seconds(), 1)

		p = join(t, srv, mode)
		p.send(`1`)
		time.Sleep(100 * time.Second)
		p.connect("/")
	})
}

func TestConnectTimeoutOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, &socketio.Options{ConnectTimeout: -1})
		p := dial(t, srv, eiotest.WebSocket)
		time.Sleep(time.Hour)
		p.connect("/")
	})
}

func TestConnectTimeoutShort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, &socketio.Options{ConnectTimeout: time.Second})
		p := dial(t, srv, eiotest.WebSocket)
		start := time.Now()
		p.closed()
		require.Equal(t, time.Second, time.Since(start))
	})
}

// A query in the CONNECT packet, which older clients send, is cut off.
func TestConnectQuery(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, nil)
		srv.Namespace("/q").On("e", func(c *socketio.Context) string { return c.Namespace().Name() })
		p := dial(t, srv, eiotest.WebSocket)
		p.send(`0/q?token=1,`)
		p.connected("/q")
		p.send(`2/q,1["e"]`)
		p.want(`3/q,1["/q"]`)
	})
}
