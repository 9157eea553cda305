package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// watch records the calls of hooks, with one character for each sid.
func watch(srv *socketio.Server, rec *siotest.Record) (remove func()) {
	sid := func(s *socketio.Socket) string { return s.Namespace().Name() }
	handler := func(what string) func(context.Context, *socketio.Context) (context.Context, func(socketio.Args, error)) {
		return func(ctx context.Context, c *socketio.Context) (context.Context, func(socketio.Args, error)) {
			rec.Add("%s %s %s begins", what, c.Namespace().Name(), c.Event())
			return ctx, func(ack socketio.Args, err error) {
				rec.Add("%s %s %s ends: %v %v", what, c.Namespace().Name(), c.Event(), ack, err)
			}
		}
	}
	return srv.AddHooks(socketio.Hooks{
		ConnectionOpened:   func(c socketio.Connection) { rec.Add("opened %d", len(c.ID())) },
		ConnectionUpgraded: func(c socketio.Connection) { rec.Add("upgraded %s", c.Transport()) },
		ConnectionClosed: func(c socketio.Connection, reason socketio.Reason, err error) {
			rec.Add("closed %s %s", c.Request().URL.Path, reason)
		},
		Refused:         func(_ socketio.Connection, ns string, e *socketio.Error) { rec.Add("refused %s %s", ns, e.Message) },
		SocketConnected: func(s *socketio.Socket) { rec.Add("connected %s", sid(s)) },
		SocketDisconnected: func(s *socketio.Socket, reason socketio.Reason, _ error) {
			rec.Add("disconnected %s %s", sid(s), reason)
		},
		Joined:   func(s *socketio.Socket, room string) { rec.Add("joined %s %s", sid(s), room) },
		Left:     func(s *socketio.Socket, room string) { rec.Add("left %s %s", sid(s), room) },
		Handler:  handler("handler"),
		Callback: handler("callback"),
		Acked: func(s *socketio.Socket, event string, after time.Duration) {
			rec.Add("acked %s %s %v", sid(s), event, after)
		},
		Emitted: func(e *socketio.Emission) {
			rec.Add("emitted %s %s%v to %v from %t broadcast %t elsewhere %t: %d", e.Namespace, e.Event, e.Args(), e.Rooms, e.From != nil, e.Broadcast, e.Elsewhere, e.Recipients)
		},
		Sent: func(s *socketio.Socket, e *socketio.Emission) {
			rec.Add("sent %s %s %d", sid(s), e.Event, e.Recipients)
		},
	})
}

// Every hook is called, in order. The test is long because it is the story of one client.
func TestHooks(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		var rec siotest.Record
		srv := siotest.NewServer(t, nil)
		srv.On("connect", func(c *socketio.Context) error { return c.Join("early") })
		srv.On("disconnect", func(c *socketio.Context) {})
		srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
		srv.On("leave", func(c *socketio.Context, room string) { c.Leave(room) })
		srv.On("echo", func(c *socketio.Context, v string) (string, error) { return v, c.Emit("echo", v) })
		srv.On("fail", func(c *socketio.Context) error { return errors.New("failed") })
		srv.Namespace("/closed").On("connect", func(c *socketio.Context) error { return &socketio.Error{Message: "no"} })
		remove := watch(srv, &rec)

		p := siotest.Dial(t, srv, mode)
		synctest.Wait()
		opened := rec.Take()
		require.Equal(t, "opened 22", opened[0])
		if mode == eiotest.Upgrade {
			require.Equal(t, []string{"upgraded websocket"}, opened[1:])
		} else {
			require.Empty(t, opened[1:])
		}
		p.Connect("/")
		synctest.Wait()
		require.Equal(t, []*socketio.Socket{srv.Socket(p.SID)}, srv.Socket(p.SID).Connection().Sockets())
		rec.Want(t, "handler / connect begins", "handler / connect ends: [] <nil>", "connected /", "joined / early")
		p.Send("0/closed,")
		p.Want(`4/closed,{"message":"no"}`)
		rec.Want(t, "handler /closed connect begins", "handler /closed connect ends: [] no", "refused /closed no")
		p.Send("0/nowhere,")
		p.Want(`4/nowhere,{"message":"Invalid namespace"}`)
		rec.Want(t, "refused /nowhere Invalid namespace")
		p.Send(`2["join","a"]`)
		rec.Want(t, "handler / join begins", "joined / a", "handler / join ends: [] <nil>")
		p.Send(`2["join","a"]`)
		rec.Want(t, "handler / join begins", "handler / join ends: [] <nil>")
		p.Send(`2["leave","a"]`)
		rec.Want(t, "handler / leave begins", "left / a", "handler / leave ends: [] <nil>")
		p.Send(`2["leave","a"]`)
		rec.Want(t, "handler / leave begins", "handler / leave ends: [] <nil>")
		p.Send(`21["echo","x"]`)
		p.Want(`2["echo","x"]`, `31["x"]`)
		rec.Want(t, "handler / echo begins", "sent / echo 1", "emitted / echo[x] to [] from true broadcast false elsewhere false: 1", "handler / echo ends: [x] <nil>")
		p.Send(`2["fail"]`)
		rec.Want(t, "handler / fail begins", "handler / fail ends: [] failed")
		p.Send(`2["unknown"]`)
		rec.Want(t, "handler / unknown begins", `handler / unknown ends: [] socketio: no handler for the event: "unknown" in namespace "/"`)

		require.NoError(t, srv.Emit("all", socketio.Args{1, "b"}))
		rec.Want(t, "sent / all 1", "emitted / all[1 b] to [] from false broadcast true elsewhere false: 1")
		require.NoError(t, srv.Emit("room", nil, socketio.To("early", "other")))
		rec.Want(t, "sent / room 1", "emitted / room[] to [early other] from false broadcast false elsewhere false: 1")
		require.NoError(t, srv.Emit("nobody", nil, socketio.To()))
		rec.Want(t, "emitted / nobody[] to [] from false broadcast false elsewhere false: 0")
		require.Error(t, srv.Emit("bad", func() {}))
		rec.Want(t)
		p.Want(`2["all",1,"b"]`, `2["room"]`)

		require.NoError(t, srv.Socket(p.SID).Emit("ask", nil, socketio.OnAck(func(*socketio.Context, string) error { return errors.New("unhappy") })))
		rec.Want(t, "sent / ask 1", "emitted / ask[] to [] from true broadcast false elsewhere false: 1")
		id := p.WantAckEvent(`["ask"]`)
		time.Sleep(time.Second)
		p.Send("3" + id + `["yes"]`)
		rec.Want(t, "acked / ask 1s", "callback / ask begins", "callback / ask ends: [] unhappy")
		go func() { p.Send("3" + p.WantAckEvent(`["call"]`) + `["yes"]`) }()
		_, err := srv.Socket(p.SID).Call(t.Context(), "call", nil)
		require.NoError(t, err)
		synctest.Wait()
		require.Contains(t, rec.Take(), "acked / call 0s")

		require.NoError(t, srv.JoinRoom(p.SID, "late"))
		srv.CloseRoom("late")
		rec.Want(t, "joined / late", "left / late")
		p.Client.Close()
		synctest.Wait()
		lines := rec.Take()
		require.Len(t, lines, 5, "%q", lines)
		require.Subset(t, lines, []string{"handler / disconnect begins", "handler / disconnect ends: [] <nil>", "left / early"})
		last := fmt.Sprintf("%q", lines)
		require.Contains(t, last, "closed /socket.io/ ")
		require.Contains(t, last, "disconnected / ")

		remove()
		remove()
		q := siotest.Join(t, srv, mode)
		q.Client.Close()
		rec.Want(t)
	})
}

// A hook may give handlers a context with more in it, and another one, too.
func TestHooksContext(t *testing.T) {
	type key string
	synctest.Test(t, func(t *testing.T) {
		var rec siotest.Record
		srv := siotest.NewServer(t, nil)
		for _, name := range []string{"outer", "inner"} {
			srv.AddHooks(socketio.Hooks{Handler: func(ctx context.Context, c *socketio.Context) (context.Context, func(socketio.Args, error)) {
				return context.WithValue(ctx, key(name), rec.Len()), func(_ socketio.Args, err error) { rec.Add("%s %v", name, err) }
			}})
		}
		srv.AddHooks(socketio.Hooks{Callback: func(ctx context.Context, c *socketio.Context) (context.Context, func(socketio.Args, error)) {
			return context.WithValue(ctx, key("callback"), 1), nil
		}})
		srv.On("e", func(c *socketio.Context) error {
			rec.Add("%v %v %v", c.Context().Value(key("outer")), c.Context().Value(key("inner")), c.Socket.Context().Value(key("inner")))
			return c.Emit("ask", nil, socketio.OnAck(func(c *socketio.Context) {
				rec.Add("callback %v", c.Context().Value(key("callback")))
			}))
		})
		srv.On("panic", func(c *socketio.Context) { panic("ouch") })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		rec.Want(t, "inner <nil>", "outer <nil>")
		p.Send(`2["e"]`)
		p.Send("3" + p.WantAckEvent(`["ask"]`) + `[]`)
		synctest.Wait()
		require.ElementsMatch(t, []string{"0 0 <nil>", "inner <nil>", "outer <nil>", "callback 1"}, rec.Take())
		p.Send(`2["panic"]`)
		synctest.Wait()
		lines := rec.Take()
		require.Len(t, lines, 2)
		require.Contains(t, lines[0], "inner socketio: handler panicked: ouch")
		p.Client.Close()
		rec.Want(t, "inner <nil>", "outer <nil>")
	})
}

// An event that comes through the broker calls the hook Emitted, too.
func TestHooksOfEventsFromOtherServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec siotest.Record
		memory := new(brokertest.Memory)
		srv := siotest.NewServer(t, &socketio.Options{Cluster: socketio.ClusterOptions{Broker: memory.Connect()}})
		other := siotest.NewServer(t, &socketio.Options{Cluster: socketio.ClusterOptions{Broker: memory.Connect()}})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		synctest.Wait()
		watch(srv, &rec)
		require.NoError(t, other.Emit("news", socketio.Args{"x", 1}, socketio.To(p.SID)))
		rec.Want(t, "sent / news 1", "emitted / news[x 1] to ["+p.SID+"] from false broadcast false elsewhere true: 1")
		p.Want(`2["news","x",1]`)
		p.Client.Close()
		synctest.Wait()
	})
}
