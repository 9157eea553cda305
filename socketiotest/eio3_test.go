package socketiotest_test

import (
	"errors"
	"net/url"
	"testing"
	"testing/synctest"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// A client of Socket.IO 2 does what others do.
func TestEIO3(t *testing.T) {
	eachBubble(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, &socketio.Options{AllowEIO3: true, Recovery: new(socketio.Recovery)})
		auths := make(chan string, 10)
		srv.Namespace("/chat").On("connect", func(c *socketio.Context, auth map[string]string) error {
			auths <- auth["token"]
			if auth["token"] == "wrong" {
				return &socketio.Error{Message: "no", Data: 7}
			}
			return nil
		})
		srv.On("add", func(_ *socketio.Context, a, b int) int { return a + b })
		srv.On("data", func(c *socketio.Context, b []byte) error { return c.Emit("data", b) })
		opts := &socketiotest.Options{Transport: tr, EIO3: true, Query: url.Values{"user": {"ann"}}}
		c := socketiotest.Connect(t, srv, opts)
		s := srv.Socket(c.ID())
		if s == nil || s.Connection().Revision() != 3 || s.Request().URL.Query().Get("user") != "ann" {
			t.Fatalf("socket %v of %q", s, c.ID())
		}
		var sum int
		if c.Call("add", 1, 2).Bind(&sum); sum != 3 {
			t.Errorf("1 + 2 is %d", sum)
		}
		c.Emit("data", []byte{1, 2})
		c.Expect("data", []byte{1, 2})
		if err := srv.Emit("all", "text", socketio.OnAck(func(*socketio.Context, string) { auths <- "answered" })); err != nil {
			t.Fatal(err)
		}
		c.Expect("all", "text").Ack("ok")
		if got := <-auths; got != "answered" {
			t.Error(got)
		}

		chat := c.Join("/chat", map[string]any{"token": "a,b&c"})
		if got := <-auths; got != "a,b&c" {
			t.Errorf("auth %q", got)
		}
		if srv.Namespace("/chat").Socket(chat.ID()) == nil {
			t.Errorf("no socket %s", chat.ID())
		}
		chat.Disconnect()
		_, err := c.TryJoin("/chat", map[string]any{"token": "wrong"})
		if e, ok := errors.AsType[*socketiotest.ConnectError](err); !ok || string(e.Data) != "7" {
			t.Errorf("refusal %v", err)
		}
		<-auths
		_, err = c.TryJoin("/nowhere", nil)
		if e, ok := errors.AsType[*socketiotest.ConnectError](err); !ok || e.Message != "Invalid namespace" {
			t.Errorf("refusal %v", err)
		}
		if main, err := c.TryJoin("/", nil); main != c || err != nil {
			t.Errorf("joining /: %v", err)
		}
		if _, err := c.TryJoin("/", map[string]any{"token": "t"}); err == nil {
			t.Error("auth for / is not refused")
		}
		synctest.Wait()
		c.Drop()
		back := c.Reconnect()
		if back.Recovered() || back.ID() == c.ID() {
			t.Error("it is in its session")
		}
		direct := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr, EIO3: true, Namespace: "/chat"})
		if direct.ID() == "" || <-auths != "" {
			t.Error("auth nobody has sent")
		}
	})
}

// A client that "/" refuses may be in other namespaces.
func TestEIO3RefusedByMain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{AllowEIO3: true, Namespaces: []string{"/chat"}})
		srv.On("connect", func(*socketio.Context) error { return &socketio.Error{Message: "no"} })
		_, err := socketiotest.TryConnect(t, srv, &socketiotest.Options{EIO3: true})
		if e, ok := errors.AsType[*socketiotest.ConnectError](err); !ok || e.Message != "no" {
			t.Errorf("refusal %v", err)
		}
		socketiotest.Connect(t, srv, &socketiotest.Options{EIO3: true, Namespace: "/chat"})
	})
}

// Such clients send the pings.
func TestEIO3Heartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{AllowEIO3: true})
		for name, lose := range map[string]func() *socketiotest.Client{
			"IgnorePings": func() *socketiotest.Client {
				return socketiotest.Connect(t, srv, &socketiotest.Options{EIO3: true, IgnorePings: true})
			},
			"Abandon": func() *socketiotest.Client {
				c := socketiotest.Connect(t, srv, &socketiotest.Options{EIO3: true})
				c.Abandon()
				return c
			},
		} {
			left := make(chan socketio.Reason, 1)
			srv.On("disconnect", func(_ *socketio.Context, why socketio.Reason) { left <- why })
			lose()
			if why := <-left; why != socketio.ReasonPingTimeout {
				t.Errorf("%s: %s", name, why)
			}
		}
	})
}

// A server refuses such clients by default.
func TestEIO3NotAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		_, err := socketiotest.TryConnect(t, srv, &socketiotest.Options{EIO3: true})
		if e, ok := errors.AsType[*socketiotest.HTTPError](err); !ok || e.Code != 5 {
			t.Errorf("refusal %v", err)
		}
	})
}
