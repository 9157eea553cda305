// Package flask_test checks what Flask-SocketIO promises.
package flask_test

// What Flask-SocketIO promises is what its own tests check: 42 in test_socketio.py, and those of the two packages below
// it, python-socketio (P) and python-engineio (E), that concern a server. These tables say which of our tests checks
// each, or why none can. TestFlaskBehaviourTables keeps them true.
//
// A test that begins with a number, as TestFlaskConnect/01, is the subtest with this number.

import (
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/behaviour"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

var flaskBehaviours = []behaviour.Row{
	{"01", "connect", "TestFlaskConnect/01 TestConnectWithAuth TestFlaskEngine/E01", ""},
	{"02", "connect_query_string_and_headers", "TestFlaskConnect/02", ""},
	{"03", "connect_namespace", "TestFlaskConnect/03", ""},
	{"04", "connect_namespace_query_string_and_headers", "TestFlaskConnect/04", "the leading ? cannot be wrong: a query is a url.Values"},
	{"05", "connect_rejected", "TestFlaskConnect/05 TestConnectRefusals", ""},
	{"06", "disconnect", "TestFlaskConnect/06 TestDisconnectReasons", ""},
	{"07", "disconnect_namespace", "TestFlaskConnect/07", ""},
	{"08", "message_queue_options", "", "write_only follows from whether the object has an app; a Go Server always is one, and this package has no message queue"},
	{"09", "send", "TestFlaskSend/09", ""},
	{"10", "send_json", "TestFlaskSend/10", ""},
	{"11", "send_namespace", "TestFlaskSend/11", ""},
	{"12", "send_json_namespace", "TestFlaskSend/12", ""},
	{"13", "emit", "TestFlaskEmit/13 TestEmitData", ""},
	{"14", "emit_binary", "TestFlaskEmit/14 TestEmitData", ""},
	{"15", "emit_catch_all_event", "TestFlaskEmit/15 TestCatchAll", ""},
	{"16", "send_catch_all_namespace", "TestFlaskEmit/16", ""},
	{"17", "request_event_data", "TestFlaskEmit/17", ""},
	{"18", "emit_namespace", "TestFlaskEmit/18", ""},
	{"19", "broadcast", "TestFlaskEmit/19 TestRecipients", "unknown keyword arguments do not compile"},
	{"20", "broadcast_namespace", "TestFlaskEmit/20", ""},
	{"21", "managed_session", "TestFlaskSessions/21 TestSession", ""},
	{"22", "unmanaged_session", "TestFlaskSessions/22", ""},
	{"23", "room", "TestFlaskRooms/23 TestRooms", ""},
	{"24", "error_handling", "TestFlaskErrors/24", ""},
	{"25", "error_handling_namespace", "TestFlaskErrors/25", ""},
	{"26", "error_handling_default", "TestFlaskErrors/26", ""},
	{"27", "ack", "TestFlaskAcks/27 TestAckFromReturnValue", ""},
	{"28", "noack", "TestFlaskAcks/28 TestAckFromReturnValue", ""},
	{"29", "error_handling_ack", "TestFlaskErrors/29 TestErrors", ""},
	{"30", "on_event", "TestFlaskEmit/30", "there is one verb, On; the decorators are Python's"},
	{"31", "connect_class_based", "TestFlaskClasses/31 TestRegister", ""},
	{"32", "connect_class_based_query_string_and_headers", "TestFlaskClasses/32", ""},
	{"33", "disconnect_class_based", "TestFlaskClasses/33", ""},
	{"34", "send_class_based", "TestFlaskClasses/34", ""},
	{"35", "send_json_class_based", "TestFlaskClasses/35", ""},
	{"36", "server_disconnected", "TestFlaskServer/36 socketiotest.TestFailures", ""},
	{"37", "emit_class_based", "TestFlaskClasses/37", ""},
	{"38", "request_event_data_class_based", "TestFlaskClasses/38", ""},
	{"39", "delayed_init", "TestFlaskServer/39", ""},
	{"40", "encode_decode", "TestFlaskServer/40 TestEmitErrors TestEmitData", ""},
	{"41", "encode_decode_2", "TestFlaskServer/41 TestErrors", ""},
	{"42", "background_task", "TestFlaskServer/42", ""},
}

// flask runs one behaviour over every transport, in a synctest bubble each.
func flask(t *testing.T, name string, f func(t *testing.T, via socketiotest.Transport)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		for _, via := range []socketiotest.Transport{socketiotest.Polling, socketiotest.WebSocket, socketiotest.Upgrade} {
			t.Run(string(via), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { f(t, via) })
			})
		}
	})
}

// enter connects a client to a namespace.
func enter(t *testing.T, srv http.Handler, via socketiotest.Transport, namespace string) *socketiotest.Client {
	t.Helper()
	return socketiotest.Connect(t, srv, &socketiotest.Options{Transport: via, Namespace: namespace})
}

// visitor tells the client what its handshake request carried.
func visitor(c *socketio.Context) error {
	return c.Emit("seen", socketio.Args{c.Request().URL.Query()["foo"], c.Request().Header.Get("Authorization")})
}

type auth struct {
	Token string `json:"token"`
}

func TestFlaskConnect(t *testing.T) {
	flask(t, "01 connect: auth reaches the handler, its messages the client, and one client leaves alone", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("connect", func(c *socketio.Context, a auth) error {
			if a.Token != "secret" {
				return &socketio.Error{Message: "wrong token"}
			}
			if err := c.Send("welcome"); err != nil {
				return err
			}
			return c.Emit("unheard", nil, socketio.To("nobody"))
		})
		opts := &socketiotest.Options{Transport: via, Auth: auth{"secret"}}
		ann, bob := socketiotest.Connect(t, srv, opts), socketiotest.Connect(t, srv, opts)
		require.NotEqual(t, ann.ID(), bob.ID())
		for _, c := range []*socketiotest.Client{ann, bob} {
			require.True(t, c.Connected())
			c.Expect("message", "welcome")
			c.ExpectNothing()
		}
		ann.Disconnect()
		synctest.Wait()
		require.False(t, ann.Connected())
		require.True(t, bob.Connected())
		require.Equal(t, []string{bob.ID()}, siotest.SIDs(srv))
		bob.Disconnect()
		synctest.Wait()
		require.False(t, bob.Connected())
		require.Empty(t, siotest.SIDs(srv))
	})
	flask(t, "02 connect_query_string_and_headers: repeated values and custom headers are in the request", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("connect", visitor)
		ann := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: via, Query: url.Values{"foo": {"bar", "baz"}},
			Header: http.Header{"Authorization": {"Bearer foobar"}}})
		ann.Expect("seen", []string{"bar", "baz"}, "Bearer foobar")
		enter(t, srv, via, "/").Expect("seen", nil, "")
	})
	flask(t, "03 connect_namespace: the handlers of that namespace run, those of / do not", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		for _, ns := range []string{"/", "/test"} {
			srv.Namespace(ns).On("connect", func(c *socketio.Context) { rec.Add("%s connect", ns) })
			srv.Namespace(ns).On("disconnect", func(c *socketio.Context) { rec.Add("%s disconnect", ns) })
		}
		ann := enter(t, srv, via, "/test")
		rec.Want(t, "/test connect")
		require.Equal(t, []string{ann.ID()}, siotest.SIDs(srv.Namespace("/test")))
		require.Empty(t, siotest.SIDs(srv))
		ann.Disconnect()
		rec.Want(t, "/test disconnect")
		require.False(t, ann.Connected())
	})
	flask(t, "04 connect_namespace_query_string_and_headers: in a namespace as well", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.Namespace("/test").On("connect", visitor)
		ann := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: via, Namespace: "/test", Query: url.Values{"foo": {"bar"}},
			Header: http.Header{"Authorization": {"Basic foobar"}}})
		ann.Expect("seen", []string{"bar"}, "Basic foobar")
	})
	flask(t, "05 connect_rejected: the client is told why, and is not connected", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context) error {
			if c.Request().URL.Query().Has("fail") {
				return &socketio.Error{Message: "failed!"}
			}
			return nil
		})
		srv.On("disconnect", func(c *socketio.Context) { rec.Add("disconnect") })
		_, err := socketiotest.TryConnect(t, srv, &socketiotest.Options{Transport: via, Query: url.Values{"fail": {"1"}}})
		var refused *socketiotest.ConnectError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, &socketiotest.ConnectError{Namespace: "/", Message: "failed!"}, refused)
		rec.Want(t)
		require.Empty(t, siotest.SIDs(srv))
		require.True(t, enter(t, srv, via, "/").Connected())
	})
	flask(t, "06 disconnect: the handler runs, and gets the reason", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s %s", c.Event(), why) })
		enter(t, srv, via, "/").Disconnect()
		rec.Want(t, "disconnect client disconnect")
	})
	flask(t, "07 disconnect_namespace: a handler without the reason runs, beside an error handler", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		test := srv.Namespace("/test")
		test.On("disconnect", func(c *socketio.Context) { rec.Add("disconnect") })
		test.OnError(func(c *socketio.Context, err error) any { rec.Add("error %v", err); return err })
		enter(t, srv, via, "/test").Disconnect()
		rec.Want(t, "disconnect")
	})
}

func TestFlaskSend(t *testing.T) {
	newEcho := func(t *testing.T) *socketio.Server {
		srv := siotest.NewServer(t, nil)
		srv.On("message", func(c *socketio.Context, text string) error { return c.Send(text) })
		srv.On("json", func(c *socketio.Context, data any) error { return c.Emit("json", data, socketio.Broadcast()) })
		test := srv.Namespace("/test")
		test.On("message", func(c *socketio.Context, text string) error { return c.Send(text) })
		test.On("json", func(c *socketio.Context, data any) error {
			return c.Emit("json", data, socketio.InNamespace("/test"))
		})
		return srv
	}
	flask(t, "09 send: a string is an event named message", func(t *testing.T, via socketiotest.Transport) {
		ann := enter(t, newEcho(t), via, "/")
		ann.Send("echo this")
		ann.Expect("message", "echo this")
		ann.ExpectNothing()
	})
	flask(t, "10 send_json: json to everyone, the sender included", func(t *testing.T, via socketiotest.Transport) {
		srv := newEcho(t)
		ann, bob := enter(t, srv, via, "/"), enter(t, srv, via, "/")
		ann.Emit("json", map[string]string{"a": "b"})
		for _, c := range []*socketiotest.Client{ann, bob} {
			c.Expect("json", map[string]string{"a": "b"})
			c.ExpectNothing()
		}
	})
	flask(t, "11 send_namespace: the answer comes in the namespace", func(t *testing.T, via socketiotest.Transport) {
		ann := enter(t, newEcho(t), via, "/test")
		ann.Send("echo this")
		require.Equal(t, "/test", ann.Expect("message", "echo this").Namespace)
		ann.ExpectNothing()
	})
	flask(t, "12 send_json_namespace: with the namespace named, to the sender", func(t *testing.T, via socketiotest.Transport) {
		srv := newEcho(t)
		ann, bob := enter(t, srv, via, "/test"), enter(t, srv, via, "/test")
		ann.Emit("json", map[string]string{"a": "b"})
		ann.Expect("json", map[string]string{"a": "b"})
		ann.ExpectNothing()
		bob.ExpectNothing()
	})
}
