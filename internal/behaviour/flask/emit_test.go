package flask_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// reply answers an event with its own data.
func reply(c *socketio.Context, data any) error { return c.Emit("response", data) }

func TestFlaskEmit(t *testing.T) {
	type object = map[string]any
	flask(t, "13 emit: one value is one argument", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("event", reply)
		ann, bob := enter(t, srv, via, "/"), enter(t, srv, via, "/")
		ann.Emit("event", object{"a": "b"})
		ann.Expect("response", object{"a": "b"})
		ann.Emit("event", []int{1, 2})
		require.Equal(t, 1, ann.Expect("response", []int{1, 2}).Len())
		ann.ExpectNothing()
		bob.ExpectNothing()
	})
	flask(t, "14 emit_binary: bytes inside an object, both ways", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		type document struct {
			A []byte `json:"a"`
		}
		srv.On("any", reply)
		srv.On("typed", func(c *socketio.Context, d document) error {
			require.Equal(t, []byte{1, 2, 3}, d.A)
			return c.Emit("response", d)
		})
		ann := enter(t, srv, via, "/")
		for _, event := range []string{"any", "typed"} {
			ann.Emit(event, object{"a": []byte{1, 2, 3}})
			require.Equal(t, []any{object{"a": []byte{1, 2, 3}}}, ann.Expect("response").Values())
		}
		ann.ExpectNothing()
	})
	flask(t, "15 emit_catch_all_event: * gets the name and the data, and emits several arguments", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("known", func(c *socketio.Context) error { return c.Emit("known", nil) })
		srv.On("*", func(c *socketio.Context, event string, data any) error {
			return c.Emit("response", socketio.Args{event, data})
		})
		ann := enter(t, srv, via, "/")
		ann.Emit("random event", object{"foo": "bar"})
		ann.Expect("response", "random event", object{"foo": "bar"})
		ann.Emit("known", 1)
		ann.Expect("known")
		ann.ExpectNothing()
	})
	flask(t, "16 send_catch_all_namespace: a handler of namespace * answers in the client's own", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, &socketio.Options{Namespaces: []string{"/test"}})
		srv.Namespace("*").On("wildcard", func(c *socketio.Context, data any) error {
			require.Equal(t, "/test", c.Namespace().Name())
			return c.Emit("response", data)
		})
		ann := enter(t, srv, via, "/test")
		ann.Emit("wildcard", object{"a": "b"})
		require.Equal(t, "/test", ann.Expect("response", object{"a": "b"}).Namespace)
		ann.ExpectNothing()
	})
	flask(t, "17 request_event_data: the context has the event's name and arguments; one function for two events", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		watch := func(c *socketio.Context, data any) error {
			rec.Add("%s %v", c.Event(), c.Args())
			return c.Emit("response", data)
		}
		srv.On("other event", watch)
		srv.On("and another event", watch)
		srv.On("*", func(c *socketio.Context) { rec.Add("* %s %v", c.Event(), c.Args()) })
		ann := enter(t, srv, via, "/")
		ann.Emit("other event", "foo")
		rec.Want(t, "other event [foo]")
		ann.Emit("and another event", "bar", 1)
		rec.Want(t, "and another event [bar 1]")
		ann.Emit("unknown", "baz")
		rec.Want(t, "* unknown [baz]") // Flask-SocketIO calls it *
		ann.Expect("response", "foo")
		ann.Expect("response", "bar")
		ann.ExpectNothing()
	})
	flask(t, "18 emit_namespace: to the sender, in its namespace, named or not", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.Namespace("/test").On("plain", reply)
		srv.Namespace("/test").On("named", func(c *socketio.Context, data any) error {
			return c.Emit("response", data, socketio.InNamespace("/test"))
		})
		ann, bob := enter(t, srv, via, "/test"), enter(t, srv, via, "/test")
		for _, event := range []string{"plain", "named"} {
			ann.Emit(event, object{"a": "b"})
			require.Equal(t, "/test", ann.Expect("response", object{"a": "b"}).Namespace)
		}
		ann.ExpectNothing()
		bob.ExpectNothing()
	})
	for ns, other := range map[string]string{"/": "/test", "/test": "/"} {
		name := "19 broadcast: everyone in /, nobody in another namespace"
		if ns != "/" {
			name = "20 broadcast_namespace: everyone in the namespace, nobody in /"
		}
		flask(t, name, func(t *testing.T, via socketiotest.Transport) {
			srv := siotest.NewServer(t, &socketio.Options{Namespaces: []string{other}})
			srv.Namespace(ns).On("event", func(c *socketio.Context, data any) error {
				return c.Emit("response", data, socketio.Broadcast())
			})
			ann, bob := enter(t, srv, via, ns), enter(t, srv, via, ns)
			stranger, both := enter(t, srv, via, other), enter(t, srv, via, ns)
			stranger2 := both.Join(other, nil) // on a connection that is in both
			ann.Emit("event", object{"a": "b"})
			for _, c := range []*socketiotest.Client{ann, bob, both} {
				require.Equal(t, ns, c.Expect("response", object{"a": "b"}).Namespace)
				c.ExpectNothing()
			}
			stranger.ExpectNothing()
			stranger2.ExpectNothing()
		})
	}
	flask(t, "30 on_event: one function for several events and namespaces", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		for _, ns := range []string{"/", "/test"} {
			for _, event := range []string{"event", "yet another event"} {
				srv.Namespace(ns).On(event, reply)
			}
		}
		for _, ns := range []string{"/", "/test"} {
			ann := enter(t, srv, via, ns)
			for _, event := range []string{"event", "yet another event"} {
				ann.Emit(event, event)
				require.Equal(t, ns, ann.Expect("response", event).Namespace)
			}
			ann.ExpectNothing()
		}
	})
}

func TestFlaskRooms(t *testing.T) {
	flask(t, "23 room: who is in gets it, of this namespace only, until it leaves, is gone, or the room is closed", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		test := srv.Namespace("/test")
		for _, n := range []*socketio.Namespace{srv.Namespace("/"), test} {
			n.On("join room", func(c *socketio.Context, room string) error { return c.Join(room) })
			n.On("leave room", func(c *socketio.Context, room string) { c.Leave(room) })
			n.On("say", func(c *socketio.Context, room, text string) error {
				return c.Emit("said", text, socketio.To(room))
			})
		}
		ann, bob, cyd := enter(t, srv, via, "/"), enter(t, srv, via, "/"), enter(t, srv, via, "/test")
		for _, c := range []*socketiotest.Client{ann, bob, cyd} {
			c.Call("join room", "one")
		}
		ann.Emit("say", "one", "hello")
		ann.Expect("said", "hello") // the sender is in the room
		bob.Expect("said", "hello")
		cyd.ExpectNothing()

		ann.Call("leave room", "one")
		ann.Emit("say", "one", "from outside")
		bob.Expect("said", "from outside")
		ann.ExpectNothing()

		bob.Disconnect()
		synctest.Wait()
		require.NoError(t, srv.Emit("said", "to nobody", socketio.To("one")))
		for _, c := range []*socketiotest.Client{ann, bob, cyd} {
			c.ExpectNothing()
		}
		require.NoError(t, test.Emit("said", "from the server", socketio.To("one")))
		cyd.Expect("said", "from the server")
		cyd.Emit("say", "one", "alone")
		cyd.Expect("said", "alone")
		test.CloseRoom("one")
		cyd.Emit("say", "one", "closed")
		require.NoError(t, test.Emit("said", "closed", socketio.To("one")))
		cyd.ExpectNothing()
		require.True(t, cyd.Connected())
	})
}
