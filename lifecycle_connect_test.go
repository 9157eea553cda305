package socketio_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

type auth struct {
	Token string `json:"token"`
}

func TestConnectWithAuth(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context, a auth) error {
			rec.Add("connect %s %s %s", c.Event(), a.Token, c.Transport())
			return c.Emit("auth", a)
		})
		p := siotest.Dial(t, srv, mode)
		p.Send(`0{"token":"secret"}`)
		sid := p.Connected("/")
		p.Want(`2["auth",{"token":"secret"}]`)
		transport := "websocket"
		if mode == eiotest.Polling {
			transport = "polling"
		}
		rec.Want(t, "connect connect secret "+transport)
		require.NotEqual(t, p.Client.Handshake().SID, sid)
		require.Equal(t, []string{sid}, siotest.SIDs(srv))
		require.Equal(t, sid, srv.Socket(sid).ID())
		require.Equal(t, []string{sid}, srv.Rooms(sid))
		p.Quiet()
	})
}

// Every shape of payload reaches the handler, or refuses the client if it does not fit.
func TestConnectPayloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context, a any) { rec.Add("any %v %v", a, c.Args()) })
		srv.Namespace("/typed").On("connect", func(c *socketio.Context, a auth) { rec.Add("typed %+v", a) })
		srv.Namespace("/none").On("connect", func(c *socketio.Context) { rec.Add("none") })
		p := siotest.Dial(t, srv, eiotest.WebSocket)
		p.Send(`0`)
		p.Connected("/")
		rec.Want(t, "any <nil> []")
		p.Send(`0/none,{"x":1}`)
		p.Connected("/none")
		rec.Want(t, "none")
		p.Send(`0/typed,{"token":5}`)
		p.Want(`4/typed,{"message":"Connection rejected by server"}`)
		p.Send(`0/typed,{"token":"t"}`)
		p.Connected("/typed")
		rec.Want(t, "typed {Token:t}")
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
			eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
				srv := siotest.NewServer(t, nil)
				var rec siotest.Record
				for _, ns := range []string{"/", "/x"} {
					srv.Namespace(ns).On("connect", func(c *socketio.Context) error {
						require.NoError(t, c.Emit("lost", nil))
						require.NoError(t, c.Join("room"))
						return test.err
					})
					srv.Namespace(ns).On("disconnect", func(c *socketio.Context) { rec.Add("disconnect") })
					srv.Namespace(ns).On("event", func(c *socketio.Context) { rec.Add("event") })
				}
				p := siotest.Dial(t, srv, mode)
				// Sent at once, the event is dropped with the socket; so is one in flight.
				p.Send(`0`, `2["event"]`)
				p.Want(`4` + test.want)
				p.Send(`2["event"]`, `0/x,`)
				p.Want(`4/x,` + test.want)
				p.Quiet()
				require.Empty(t, siotest.SIDs(srv))
				require.Empty(t, siotest.Members(t, srv, "room"))
				rec.Want(t)
				sids, rooms, running := srv.Sizes()
				require.Zero(t, sids+rooms+running)
			})
		})
	}
}

// Defect L6 of Flask-SocketIO: a connect handler that raises leaves the client without an answer.
func TestConnectPanicIsAnswered(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		srv.On("connect", func(c *socketio.Context) { panic("oops") })
		p := siotest.Dial(t, srv, mode)
		p.Send(`0`)
		p.Want(`4{"message":"Connection rejected by server"}`)
		p.Send(`0`)
		p.Want(`4{"message":"Connection rejected by server"}`)
	})
}

func TestConnectErrorHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.OnError(func(c *socketio.Context, err error) any {
			rec.Add("%s %s: %v", c.Namespace().Name(), c.Event(), err)
			return &socketio.Error{Message: "translated"}
		})
		srv.Namespace("/plain").OnError(func(c *socketio.Context, err error) any { rec.Add("plain"); return "ignored" })
		srv.On("connect", func(c *socketio.Context) error { return errors.New("no database") })
		srv.Namespace("/plain").On("connect", func(c *socketio.Context) error { return errors.New("x") })
		srv.Namespace("/refused").On("connect", func(c *socketio.Context) error { return &socketio.Error{Message: "no"} })
		p := siotest.Dial(t, srv, eiotest.WebSocket)
		p.Send(`0`)
		p.Want(`4{"message":"translated"}`)
		rec.Want(t, "/ connect: no database")
		p.Send(`0/plain,`)
		p.Want(`4/plain,{"message":"Connection rejected by server"}`)
		rec.Want(t, "plain")
		p.Send(`0/refused,`)
		p.Want(`4/refused,{"message":"no"}`)
		rec.Want(t) // a refusal is no failure
	})
}

// A second CONNECT is what the official client sends for disconnect() and connect() before it has heard that it is
// connected, also if the server has accepted it by then: the client leaves and comes again, and nothing else happens to
// its connection. (JS 108: the reference server closes it, if it has accepted.)
func TestConnectTwice(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context) { rec.Add("connect") })
		srv.On("e", func(c *socketio.Context, n int) { rec.Add("e %d", n) })
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
		srv.Namespace("/other").On("e", func(c *socketio.Context) string { return "there" })
		p := siotest.Join(t, srv, mode, "/other", "/")
		first := p.SID
		p.Send(`2["e",1]`, `0`, `2["e",2]`)
		require.NotEqual(t, first, p.Connected("/"))
		rec.Want(t, "connect", "e 1", "client disconnect", "connect", "e 2")
		require.Equal(t, []string{p.SID}, siotest.Members(t, srv, p.SID))
		require.Empty(t, siotest.Members(t, srv, first))
		p.Send(`2/other,1["e"]`)
		p.Want(`3/other,1["there"]`)
	})
}

// Report H: a second CONNECT while the connect handler decides restarts the decision. The client hears of the second one
// only, and each accepted connect has one disconnect.
func TestConnectTwiceWhileDeciding(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context, auth struct{ N int }) error {
			rec.Add("connect %d", auth.N)
			select {
			case <-c.Context().Done():
				rec.Add("gave up %d", auth.N)
			case <-time.After(200 * time.Millisecond):
			}
			if auth.N == 2 { // although the client has left
				return &socketio.Error{Message: "no"}
			}
			return nil
		})
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
		srv.Namespace("/other").On("e", func(c *socketio.Context) string { return "there" })
		p := siotest.Join(t, srv, mode, "/other")
		p.Send(`0{"n":1}`)
		time.Sleep(100 * time.Millisecond)
		p.Send(`0{"n":2}`)
		time.Sleep(100 * time.Millisecond)
		p.Send(`0{"n":3}`)
		sid := p.Connected("/")
		rec.Want(t, "connect 1", "gave up 1", "client disconnect", "connect 2", "gave up 2", "connect 3")
		require.Equal(t, []string{sid}, siotest.Members(t, srv, sid))
		p.Send(`2/other,1["e"]`)
		p.Want(`3/other,1["there"]`)
		p.Quiet()
	})
}

// Defect S1: the client is a member, gets broadcasts and runs events while its connect handler still decides.
func TestNobodyIsInBeforeAccepted(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
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
		srv.On("event", func(c *socketio.Context) string { rec.Add("event"); return "done" })
		p := siotest.Dial(t, srv, mode)
		p.Send(`0`, `27["event"]`)
		s := <-entered
		require.NoError(t, srv.Emit("broadcast", nil))
		require.NoError(t, srv.Emit("room", nil, socketio.To("room")))
		require.NoError(t, srv.Emit("private", nil, socketio.To(s.ID())))
		require.NoError(t, srv.JoinRoom(s.ID(), "later"))
		require.Empty(t, siotest.SIDs(srv))
		require.Empty(t, siotest.Members(t, srv, "room"))
		require.Equal(t, []string{s.ID(), "later", "room"}, s.Rooms())
		p.Quiet()
		rec.Want(t)
		proceed <- nil
		require.Equal(t, s.ID(), p.Connected("/"))
		p.Want(`2["own",1]`, `2["own broadcast",2]`, `2["own room",3]`, `2["private"]`, `37["done"]`)
		rec.Want(t, "event")
		require.Equal(t, []string{s.ID()}, siotest.Members(t, srv, "room"))
		require.Equal(t, []string{s.ID()}, siotest.Members(t, srv, "later"))
		require.Equal(t, []string{s.ID()}, siotest.SIDs(srv))
	})
}

// Defect L7: disconnect in the connect handler is answered by a CONNECT with a dead sid.
func TestDisconnectInConnectHandler(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context) { c.Disconnect() })
		srv.On("disconnect", func(c *socketio.Context) { rec.Add("disconnect") })
		p := siotest.Dial(t, srv, mode)
		p.Send(`0`)
		p.Want(`4{"message":"Connection rejected by server"}`)
		p.Quiet()
		rec.Want(t)
	})
}

// The client goes while its connect handler decides: a client that was accepted gets its disconnect handler, too.
func TestClientLeavesWhileConnecting(t *testing.T) {
	for _, accept := range []bool{true, false} {
		eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
			srv := siotest.NewServer(t, nil)
			var rec siotest.Record
			entered, proceed := make(chan struct{}), make(chan error)
			srv.On("connect", func(c *socketio.Context) error {
				require.NoError(t, c.Join("room"))
				entered <- struct{}{}
				err := <-proceed
				rec.Add("context: %v", c.Context().Err())
				return err
			})
			srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) {
				rec.Add("disconnect %v %d", why, len(c.Rooms()))
			})
			p := siotest.Dial(t, srv, mode)
			p.Send(`0`)
			<-entered
			p.Send(`1`)
			time.Sleep(time.Second) // until it has arrived
			if accept {
				proceed <- nil
				rec.Want(t, "context: context canceled", "disconnect client disconnect 2")
			} else {
				proceed <- errors.New("no")
				rec.Want(t, "context: context canceled")
			}
			p.Quiet()
			p.Send(`0`)
			<-entered
			proceed <- nil
			p.Connected("/")
			rec.Want(t, "context: <nil>")
			sids, rooms, running := srv.Sizes()
			require.Equal(t, []int{1, 2, 1}, []int{sids, rooms, running})
		})
	}
}

func TestAlwaysConnect(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{AlwaysConnect: true})
		var rec siotest.Record
		proceed := make(chan error)
		srv.On("connect", func(c *socketio.Context) error {
			require.NoError(t, c.Emit("hello", nil))
			return <-proceed
		})
		srv.On("disconnect", func(c *socketio.Context) { rec.Add("disconnect") })
		srv.On("event", func(c *socketio.Context) { rec.Add("event") })
		p := siotest.Dial(t, srv, mode)
		p.Connect("/")
		p.Want(`2["hello"]`)
		require.NoError(t, srv.Emit("all", nil))
		p.Want(`2["all"]`)
		p.Send(`2["event"]`)
		p.Quiet()
		proceed <- errors.New("no")
		p.Want(`1`) // defect L24: without a payload, which clients do not accept
		p.Quiet()
		rec.Want(t)
		p.Connect("/")
		p.Want(`2["hello"]`)
		proceed <- nil
		p.Send(`2["event"]`)
		p.Quiet()
		rec.Want(t, "event")
		p.Send(`1`)
		rec.Want(t, "disconnect")
	})
}

func TestAlwaysConnectDisconnectInHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{AlwaysConnect: true})
		var rec siotest.Record
		var fail error
		srv.On("connect", func(c *socketio.Context) error { c.Disconnect(); return fail })
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%v", why) })
		p := siotest.Dial(t, srv, eiotest.WebSocket)
		p.Connect("/")
		p.Want(`1`)
		p.Quiet()
		rec.Want(t, "server disconnect")
		fail = errors.New("no")
		p.Connect("/")
		p.Want(`1`)
		p.Quiet()
		rec.Want(t)
	})
}

// A query in the CONNECT packet, which older clients send, is cut off.
func TestConnectQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		srv.Namespace("/q").On("e", func(c *socketio.Context) string { return c.Namespace().Name() })
		p := siotest.Dial(t, srv, eiotest.WebSocket)
		p.Send(`0/q?token=1,`)
		p.Connected("/q")
		p.Send(`2/q,1["e"]`)
		p.Want(`3/q,1["/q"]`)
	})
}
