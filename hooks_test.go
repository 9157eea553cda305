package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// watch records what hooks are told, with a letter for each sid.
func watch(srv *socketio.Server, rec *record) (remove func()) {
	sid := func(s *socketio.Socket) string { return s.Namespace().Name() }
	handler := func(what string) func(context.Context, *socketio.Context) (context.Context, func(socketio.Args, error)) {
		return func(ctx context.Context, c *socketio.Context) (context.Context, func(socketio.Args, error)) {
			rec.add("%s %s %s begins", what, c.Namespace().Name(), c.Event())
			return ctx, func(ack socketio.Args, err error) {
				rec.add("%s %s %s ends: %v %v", what, c.Namespace().Name(), c.Event(), ack, err)
			}
		}
	}
	return srv.AddHooks(socketio.Hooks{
		ConnectionOpened:   func(c socketio.Connection) { rec.add("opened %d", len(c.ID())) },
		ConnectionUpgraded: func(c socketio.Connection) { rec.add("upgraded %s", c.Transport()) },
		ConnectionClosed: func(c socketio.Connection, reason socketio.Reason, err error) {
			rec.add("closed %s %s", c.Request().URL.Path, reason)
		},
		Refused:         func(_ socketio.Connection, ns string, e *socketio.Error) { rec.add("refused %s %s", ns, e.Message) },
		SocketConnected: func(s *socketio.Socket) { rec.add("connected %s", sid(s)) },
		SocketDisconnected: func(s *socketio.Socket, reason socketio.Reason, _ error) {
			rec.add("disconnected %s %s", sid(s), reason)
		},
		Joined:   func(s *socketio.Socket, room string) { rec.add("joined %s %s", sid(s), room) },
		Left:     func(s *socketio.Socket, room string) { rec.add("left %s %s", sid(s), room) },
		Handler:  handler("handler"),
		Callback: handler("callback"),
		Acked: func(s *socketio.Socket, event string, after time.Duration) {
			rec.add("acked %s %s %v", sid(s), event, after)
		},
		Emitted: func(e *socketio.Emission) {
			rec.add("emitted %s %s%v to %v from %t broadcast %t elsewhere %t: %d", e.Namespace, e.Event, e.Args(), e.Rooms, e.From != nil, e.Broadcast, e.Elsewhere, e.Recipients)
		},
		Sent: func(s *socketio.Socket, e *socketio.Emission) {
			rec.add("sent %s %s %d", sid(s), e.Event, e.Recipients)
		},
	})
}

func TestHooks(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		var rec record
		srv := newServer(t, nil)
		srv.On("connect", func(c *socketio.Context) error { return c.Join("early") })
		srv.On("disconnect", func(c *socketio.Context) {})
		srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
		srv.On("leave", func(c *socketio.Context, room string) { c.Leave(room) })
		srv.On("echo", func(c *socketio.Context, v string) (string, error) { return v, c.Emit("echo", v) })
		srv.On("fail", func(c *socketio.Context) error { return errors.New("failed") })
		srv.Namespace("/closed").On("connect", func(c *socketio.Context) error { return &socketio.Error{Message: "no"} })
		remove := watch(srv, &rec)

		p := dial(t, srv, mode)
		synctestWait()
		opened := rec.take()
		require.Equal(t, "opened 22", opened[0])
		if mode == eiotest.Upgrade {
			require.Equal(t, []string{"upgraded websocket"}, opened[1:])
		} else {
			require.Empty(t, opened[1:])
		}
		p.connect("/")
		synctestWait()
		require.Equal(t, []*socketio.Socket{srv.Socket(p.sid)}, srv.Socket(p.sid).Connection().Sockets())
		rec.want(t, "handler / connect begins", "handler / connect ends: [] <nil>", "connected /", "joined / early")
		p.send("0/closed,")
		p.want(`4/closed,{"message":"no"}`)
		rec.want(t, "handler /closed connect begins", "handler /closed connect ends: [] no", "refused /closed no")
		p.send("0/nowhere,")
		p.want(`4/nowhere,{"message":"Invalid namespace"}`)
		rec.want(t, "refused /nowhere Invalid namespace")
		p.send(`2["join","a"]`)
		rec.want(t, "handler / join begins", "joined / a", "handler / join ends: [] <nil>")
		p.send(`2["join","a"]`)
		rec.want(t, "handler / join begins", "handler / join ends: [] <nil>")
		p.send(`2["leave","a"]`)
		rec.want(t, "handler / leave begins", "left / a", "handler / leave ends: [] <nil>")
		p.send(`2["leave","a"]`)
		rec.want(t, "handler / leave begins", "handler / leave ends: [] <nil>")
		p.send(`21["echo","x"]`)
		p.want(`2["echo","x"]`, `31["x"]`)
		rec.want(t, "handler / echo begins", "sent / echo 1", "emitted / echo[x] to [] from true broadcast false elsewhere false: 1", "handler / echo ends: [x] <nil>")
		p.send(`2["fail"]`)
		rec.want(t, "handler / fail begins", "handler / fail ends: [] failed")
		p.send(`2["unknown"]`)
		rec.want(t, "handler / unknown begins", `handler / unknown ends: [] socketio: no handler for the event: "unknown" in namespace "/"`)

		require.NoError(t, srv.Emit("all", socketio.Args{1, "b"}))
		rec.want(t, "sent / all 1", "emitted / all[1 b] to [] from false broadcast true elsewhere false: 1")
		require.NoError(t, srv.Emit("room", nil, socketio.To("early", "other")))
		rec.want(t, "sent / room 1", "emitted / room[] to [early other] from false broadcast false elsewhere false: 1")
		require.NoError(t, srv.Emit("nobody", nil, socketio.To()))
		rec.want(t, "emitted / nobody[] to [] from false broadcast false elsewhere false: 0")
		require.Error(t, srv.Emit("bad", func() {}))
		rec.want(t)
		p.want(`2["all",1,"b"]`, `2["room"]`)

		require.NoError(t, srv.Socket(p.sid).Emit("ask", nil, socketio.OnAck(func(*socketio.Context, string) error { return errors.New("unhappy") })))
		rec.want(t, "sent / ask 1", "emitted / ask[] to [] from true broadcast false elsewhere false: 1")
		id := p.wantAckEvent(`["ask"]`)
		time.Sleep(time.Second)
		p.send("3" + id + `["yes"]`)
		rec.want(t, "acked / ask 1s", "callback / ask begins", "callback / ask ends: [] unhappy")
		go func() { p.send("3" + p.wantAckEvent(`["call"]`) + `["yes"]`) }()
		_, err := srv.Socket(p.sid).Call(t.Context(), "call", nil)
		require.NoError(t, err)
		synctestWait()
		require.Contains(t, rec.take(), "acked / call 0s")

		require.NoError(t, srv.JoinRoom(p.sid, "late"))
		srv.CloseRoom("late")
		rec.want(t, "joined / late", "left / late")
		p.c.Close()
		synctestWait()
		lines := rec.take()
		require.Len(t, lines, 5, "%q", lines)
		require.Subset(t, lines, []string{"handler / disconnect begins", "handler / disconnect ends: [] <nil>", "left / early"})
		last := fmt.Sprintf("%q", lines)
		require.Contains(t, last, "closed /socket.io/ ")
		require.Contains(t, last, "disconnected / ")

		remove()
		remove()
		q := join(t, srv, mode)
		q.c.Close()
		rec.want(t)
	})
}

// A hook may give handlers a context with more in it, and another one, too.
func TestHooksContext(t *testing.T) {
	type key string
	bubble(t, func(t *testing.T) {
		var rec record
		srv := newServer(t, nil)
		for _, name := range []string{"outer", "inner"} {
			srv.AddHooks(socketio.Hooks{Handler: func(ctx context.Context, c *socketio.Context) (context.Context, func(socketio.Args, error)) {
				return context.WithValue(ctx, key(name), len(rec.lines)), func(_ socketio.Args, err error) { rec.add("%s %v", name, err) }
			}})
		}
		srv.AddHooks(socketio.Hooks{Callback: func(ctx context.Context, c *socketio.Context) (context.Context, func(socketio.Args, error)) {
			return context.WithValue(ctx, key("callback"), 1), nil
		}})
		srv.On("e", func(c *socketio.Context) error {
			rec.add("%v %v %v", c.Context().Value(key("outer")), c.Context().Value(key("inner")), c.Socket.Context().Value(key("inner")))
			return c.Emit("ask", nil, socketio.OnAck(func(c *socketio.Context) {
				rec.add("callback %v", c.Context().Value(key("callback")))
			}))
		})
		srv.On("panic", func(c *socketio.Context) { panic("ouch") })
		p := join(t, srv, eiotest.WebSocket)
		rec.want(t, "inner <nil>", "outer <nil>")
		p.send(`2["e"]`)
		p.send("3" + p.wantAckEvent(`["ask"]`) + `[]`)
		synctestWait()
		require.ElementsMatch(t, []string{"0 0 <nil>", "inner <nil>", "outer <nil>", "callback 1"}, rec.take())
		p.send(`2["panic"]`)
		synctestWait()
		lines := rec.take()
		require.Len(t, lines, 2)
		require.Contains(t, lines[0], "inner socketio: handler panicked: ouch")
		p.c.Close()
		rec.want(t, "inner <nil>", "outer <nil>")
	})
}

// What comes through the broker is emitted here, too.
func TestHooksElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var rec record
		memory := new(brokertest.Memory)
		srv := newServer(t, &socketio.Options{Cluster: socketio.ClusterOptions{Broker: memory.Connect()}})
		other := newServer(t, &socketio.Options{Cluster: socketio.ClusterOptions{Broker: memory.Connect()}})
		p := join(t, srv, eiotest.WebSocket)
		synctestWait()
		watch(srv, &rec)
		require.NoError(t, other.Emit("news", socketio.Args{"x", 1}, socketio.To(p.sid)))
		rec.want(t, "sent / news 1", "emitted / news[x 1] to ["+p.sid+"] from false broadcast false elsewhere true: 1")
		p.want(`2["news","x",1]`)
		p.c.Close()
		synctestWait()
	})
}
