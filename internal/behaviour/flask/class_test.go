package flask_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// desk is a class-based namespace.
type desk struct{ rec *siotest.Record }

func (d *desk) OnConnect(c *socketio.Context) error {
	if err := c.Send("connected"); err != nil {
		return err
	}
	return visitor(c)
}
func (d *desk) OnDisconnect(c *socketio.Context) { d.rec.Add("disconnect") }
func (d *desk) OnMessage(c *socketio.Context, text string) (string, error) {
	return text, c.Send(text)
}
func (d *desk) OnJSON(c *socketio.Context, data any) (any, error) {
	return data, c.Emit("json", data, socketio.Broadcast())
}
func (d *desk) OnMyCustomEvent(c *socketio.Context, data any) (any, error) {
	return data, c.Emit("response", data)
}
func (d *desk) OnOtherCustomEvent(c *socketio.Context, data any) {
	d.rec.Add("%s %v", c.Event(), c.Args())
}
func (d *desk) OnExit(c *socketio.Context) { c.Disconnect() }

func TestFlaskClasses(t *testing.T) {
	type object = map[string]any
	// class runs a behaviour with a server whose namespace /ns is a class, and a client whose greetings were received.
	class := func(name string, f func(t *testing.T, srv *socketio.Server, rec *siotest.Record, ann, bob *socketiotest.Client)) {
		flask(t, name, func(t *testing.T, via socketiotest.Transport) {
			srv := siotest.NewServer(t, nil)
			var rec siotest.Record
			srv.Register("/ns", &desk{&rec})
			ann, bob := enter(t, srv, via, "/ns"), enter(t, srv, via, "/ns")
			for _, c := range []*socketiotest.Client{ann, bob} {
				c.Expect("message", "connected")
				c.Expect("seen", nil, "")
			}
			f(t, srv, &rec, ann, bob)
			ann.ExpectNothing()
			bob.ExpectNothing()
			rec.Want(t)
		})
	}
	class("31 connect_class_based: OnConnect runs, its messages arrive", func(t *testing.T, srv *socketio.Server, rec *siotest.Record, ann, bob *socketiotest.Client) {
		require.ElementsMatch(t, []string{ann.ID(), bob.ID()}, siotest.SIDs(srv.Namespace("/ns")))
	})
	flask(t, "32 connect_class_based_query_string_and_headers: OnConnect sees the request", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.Register("/ns", &desk{new(siotest.Record)})
		ann := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: via, Namespace: "/ns", Query: url.Values{"foo": {"bar"}},
			Header: http.Header{"Authorization": {"Basic foobar"}}})
		ann.Expect("message", "connected")
		ann.Expect("seen", []string{"bar"}, "Basic foobar")
	})
	class("33 disconnect_class_based: OnDisconnect without the reason runs", func(t *testing.T, srv *socketio.Server, rec *siotest.Record, ann, bob *socketiotest.Client) {
		ann.Disconnect()
		rec.Want(t, "disconnect")
		require.True(t, bob.Connected())
	})
	class("34 send_class_based: OnMessage answers the sender", func(t *testing.T, srv *socketio.Server, rec *siotest.Record, ann, bob *socketiotest.Client) {
		ann.Send("echo this")
		ann.Expect("message", "echo this")
		require.Equal(t, []any{"again"}, ann.Call("message", "again").Values())
		ann.Expect("message", "again")
	})
	class("35 send_json_class_based: OnJSON reaches everyone", func(t *testing.T, srv *socketio.Server, rec *siotest.Record, ann, bob *socketiotest.Client) {
		ann.Emit("json", object{"a": "b"})
		ann.Expect("json", object{"a": "b"})
		bob.Expect("json", object{"a": "b"})
	})
	class("37 emit_class_based: Emit in a method answers the sender, as everywhere", func(t *testing.T, srv *socketio.Server, rec *siotest.Record, ann, bob *socketiotest.Client) {
		ann.Emit("my_custom_event", object{"a": "b"})
		require.Equal(t, "/ns", ann.Expect("response", object{"a": "b"}).Namespace)
	})
	class("38 request_event_data_class_based: the context has the event", func(t *testing.T, srv *socketio.Server, rec *siotest.Record, ann, bob *socketiotest.Client) {
		ann.Emit("other_custom_event", "foo")
		rec.Want(t, "other_custom_event [foo]")
	})
}

func TestFlaskServer(t *testing.T) {
	flask(t, "36 server_disconnected: in a handler; the client knows, others stay, and nothing reaches it", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.Register("/ns", &desk{&rec})
		ann, bob := enter(t, srv, via, "/ns"), enter(t, srv, via, "/ns")
		s := srv.Namespace("/ns").Socket(ann.ID())
		ann.Received()
		ann.Emit("exit")
		require.Equal(t, "io server disconnect", ann.WaitDisconnect())
		rec.Want(t, "disconnect")
		require.False(t, ann.Connected())
		require.True(t, bob.Connected())
		require.ErrorIs(t, s.Emit("hello", nil), socketio.ErrClosed)
		require.Nil(t, srv.Namespace("/ns").Socket(ann.ID()))
		ann.ExpectNothing()
		bob.Emit("exit")
		require.Equal(t, "io server disconnect", bob.WaitDisconnect())
		rec.Want(t, "disconnect")
	})
	t.Run("39 delayed_init: options go together, and handlers may come later", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.NewServer(t, &socketio.Options{DisableUpgrades: true, Cookie: &http.Cookie{Name: "foo"}, JSON: shouting{}})
			raw := eiotest.Raw{Transport: eiotest.Serve(t, srv, nil), Path: "/socket.io/"}
			resp, err := raw.Get(t.Context())
			require.NoError(t, err)
			require.Contains(t, resp.Header.Get("Set-Cookie"), "foo=")
			require.Contains(t, resp.Body, `"upgrades":[]`)
			srv.On("connect", func(c *socketio.Context) error {
				return c.Emit("json", map[string]string{"connected": "foo"})
			})
			enter(t, srv, socketiotest.WebSocket, "/").Expect("json", map[string]string{"CONNECTED": "FOO"})
		})
	})
	flask(t, "40 encode_decode: what cannot be encoded is an error of the caller, and data is sent as it was", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		ann := enter(t, srv, via, "/")
		data := map[string]any{"foo": "bar", "invalid": srv.Emit}
		for _, err := range []error{srv.Emit("event", data), srv.Socket(ann.ID()).Emit("event", data), srv.Emit("event", data, socketio.To("nobody"))} {
			require.ErrorContains(t, err, `emit "event"`)
		}
		data = map[string]any{"foo": "bar"}
		require.NoError(t, srv.Emit("event", data))
		data["foo"] = "baz"
		ann.Expect("event", map[string]string{"foo": "bar"})
		ann.ExpectNothing()
	})
	flask(t, "41 encode_decode_2: in handlers too; the acknowledgement is what was returned, even if changed since it was emitted", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.OnError(func(c *socketio.Context, err error) any { rec.Add("%s %t", c.Event(), err != nil); return nil })
		srv.On("bad response", func(c *socketio.Context) error { return c.Emit("response", rec.Add) })
		srv.On("bad callback", func(c *socketio.Context) any { return map[string]any{"foo": rec.Add} })
		srv.On("changing response", func(c *socketio.Context) (map[string]string, error) {
			data := map[string]string{"foo": "bar"}
			err := c.Emit("response", data)
			data["foo"] = "baz"
			return data, err
		})
		ann := enter(t, srv, via, "/")
		for _, event := range []string{"bad response", "bad callback"} {
			require.Zero(t, ann.Call(event).Len())
			rec.Want(t, event+" true")
		}
		require.Equal(t, []any{map[string]any{"foo": "baz"}}, ann.Call("changing response").Values())
		ann.Expect("response", map[string]string{"foo": "bar"})
		ann.ExpectNothing()
	})
	flask(t, "42 background_task: a goroutine that a connect handler starts emits to everyone", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		ticker := srv.Namespace("/ticker")
		ticker.On("connect", func(c *socketio.Context) {
			go func() {
				for n := range 3 {
					select {
					case <-time.After(time.Second):
						_ = ticker.Emit("tick", fmt.Sprint(n))
					case <-c.Context().Done():
						return
					}
				}
			}()
		})
		ann := enter(t, srv, via, "/ticker")
		ann.ExpectNothing()
		for _, n := range []string{"0", "1", "2"} {
			ann.Expect("tick", n)
		}
		time.Sleep(time.Minute)
		ann.ExpectNothing()
	})
	flask(t, "42 background_task: an HTTP handler emits as well", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		app := srv.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := srv.Emit("news", r.URL.Path); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		}))
		ann := enter(t, app, via, "/")
		raw := eiotest.Raw{Transport: eiotest.Serve(t, app, nil)}
		resp, err := raw.Do(t.Context(), http.MethodPost, "http://server.test/publish", nil, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.Status)
		ann.Expect("news", "/publish")
		synctest.Wait()
		ann.ExpectNothing()
	})
}

// shouting is a JSON codec that writes in capitals and reads nothing.
type shouting struct{}

func (shouting) Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case map[string]string:
		text := "{"
		for k, s := range v {
			text += fmt.Sprintf("%q:%q", strings.ToUpper(k), strings.ToUpper(s))
		}
		return []byte(text + "}"), nil
	default:
		return json.Marshal(v)
	}
}

func (shouting) Unmarshal([]byte, any) error { return errors.New("write-only") }
