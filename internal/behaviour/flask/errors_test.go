package flask_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// Three namespaces: / and /test have an error handler, /unused has the server's.
func newFailing(t *testing.T, rec *siotest.Record) *socketio.Server {
	srv := siotest.NewServer(t, nil)
	failure := errors.New("assertion failed")
	watch := func(who string) func(*socketio.Context, error) any {
		return func(c *socketio.Context, err error) any {
			require.ErrorIs(t, err, failure)
			rec.Add("%s: %s %s", who, c.Namespace().Name(), c.Event())
			return "error of " + who
		}
	}
	for _, ns := range []string{"/", "/test", "/unused"} {
		srv.Namespace(ns).On("fail", func(c *socketio.Context, data any) (int, error) { return 1, failure })
	}
	srv.Namespace("/").OnError(watch("root"))
	srv.Namespace("/test").OnError(watch("test"))
	srv.OnError(watch("default"))
	return srv
}

func TestFlaskErrors(t *testing.T) {
	for _, test := range []struct{ name, namespace, who string }{
		{"24 error_handling: the error handler of / is called", "/", "root"},
		{"25 error_handling_namespace: the error handler of the namespace is called", "/test", "test"},
		{"26 error_handling_default: the default is called for a namespace without its own", "/unused", "default"},
	} {
		flask(t, test.name, func(t *testing.T, via socketiotest.Transport) {
			var rec siotest.Record
			ann := enter(t, newFailing(t, &rec), via, test.namespace)
			ann.Emit("fail", "")
			rec.Want(t, test.who+": "+test.namespace+" fail")
			ann.ExpectNothing()
			require.True(t, ann.Connected())
		})
	}
	flask(t, "29 error_handling_ack: what the error handler returns is the acknowledgement", func(t *testing.T, via socketiotest.Transport) {
		var rec siotest.Record
		srv := newFailing(t, &rec)
		for ns, who := range map[string]string{"/": "root", "/test": "test", "/unused": "default"} {
			require.Equal(t, []any{"error of " + who}, enter(t, srv, via, ns).Call("fail", "").Values())
			rec.Want(t, who+": "+ns+" fail")
		}
	})
}

func TestFlaskAcks(t *testing.T) {
	type object = map[string]any
	newEcho := func(t *testing.T) *socketio.Server {
		srv := siotest.NewServer(t, nil)
		echo := func(c *socketio.Context, data any) any {
			if data == "quiet" {
				return nil
			}
			return data
		}
		for _, event := range []string{"message", "json", "event"} {
			srv.On(event, echo)
		}
		return srv
	}
	flask(t, "27 ack: a string, nothing, an object, of any event", func(t *testing.T, via socketiotest.Transport) {
		srv := newEcho(t)
		ann, bob := enter(t, srv, via, "/"), enter(t, srv, via, "/")
		require.Equal(t, []any{"echo this"}, ann.Call("message", "echo this").Values())
		require.Equal(t, []any{}, ann.Call("message", "quiet").Values())
		require.Equal(t, []any{object{"a": "b"}}, bob.Call("json", object{"a": "b"}).Values())
		require.Equal(t, []any{object{"a": "b"}}, bob.Call("event", object{"a": "b"}).Values())
		bob.ExpectNothing()
	})
	flask(t, "28 noack: who does not ask gets none", func(t *testing.T, via socketiotest.Transport) {
		// An acknowledgement that was not asked for would fail the test: the client takes it as a violation.
		ann := enter(t, newEcho(t), via, "/")
		ann.Send("quiet")
		ann.Emit("json", object{"noack": true})
		ann.Emit("event", object{"noack": true})
		ann.ExpectNothing()
		require.True(t, ann.Connected())
	})
}

// cookieOf is a session as a web framework keeps it in a cookie, without the signature.
func cookieOf(t *testing.T, values map[string]any) *http.Cookie {
	t.Helper()
	text, err := json.Marshal(values)
	require.NoError(t, err)
	return &http.Cookie{Name: "session", Value: base64.RawURLEncoding.EncodeToString(text)}
}

func cookieSession(r *http.Request) map[string]any {
	cookie, err := r.Cookie("session")
	if err != nil {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return nil
	}
	var values map[string]any
	_ = json.Unmarshal(text, &values)
	return values
}

func TestFlaskSessions(t *testing.T) {
	flask(t, "21 managed_session: it begins as the HTTP session, and changes last from event to event", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, &socketio.Options{Session: cookieSession})
		srv.On("change", func(c *socketio.Context, to string) { c.Session().Set("a", to) })
		srv.On("show", func(c *socketio.Context) map[string]any { return c.Session().Values() })
		ann := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: via, Cookies: []*http.Cookie{cookieOf(t, map[string]any{"foo": "bar"})}})
		show := func(c *socketiotest.Client) (values map[string]any) {
			t.Helper()
			c.Call("show").Bind(&values)
			return values
		}
		require.Equal(t, map[string]any{"foo": "bar"}, show(ann))
		ann.Call("change", "b")
		require.Equal(t, map[string]any{"foo": "bar", "a": "b"}, show(ann))
		ann.Call("change", "c")
		require.Equal(t, map[string]any{"foo": "bar", "a": "c"}, show(ann))
		require.Empty(t, show(enter(t, srv, via, "/"))) // another client, without a cookie
	})
	flask(t, "22 unmanaged_session: an app that reads its own session gets that of the handshake, in every event", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("change", func(c *socketio.Context) (map[string]any, int) {
			session := cookieSession(c.Request())
			was := len(session)
			session["a"] = "b" // is not kept
			return session, was
		})
		ann := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: via, Cookies: []*http.Cookie{cookieOf(t, map[string]any{"foo": "bar"})}})
		for range 2 {
			require.Equal(t, []any{map[string]any{"foo": "bar", "a": "b"}, 1.0}, ann.Call("change").Values())
		}
		require.Empty(t, srv.Socket(ann.ID()).Session().Values()) // nothing is copied unless Options.Session says so
	})
}
