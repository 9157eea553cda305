package socketiotest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// A client that loses its connection goes on with its session, and gets what it has missed.
func TestReconnect(t *testing.T) {
	eachBubble(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, &socketio.Options{Recovery: new(socketio.Recovery)})
		srv.On("connect", func(c *socketio.Context, auth map[string]any) error {
			if len(auth) != 1 || auth["token"] != "t" {
				t.Errorf("auth %v", auth)
			}
			return nil
		})
		c := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr, Auth: map[string]any{"token": "t"}})
		if c.Recovered() {
			t.Error("a new client is recovered")
		}
		emit := func(event string, data any, opts ...socketio.EmitOption) {
			t.Helper()
			if err := srv.Emit(event, data, opts...); err != nil {
				t.Fatal(err)
			}
		}
		emit("before", "text")
		c.Expect("before", "text")
		for _, lose := range []func(*socketiotest.Client){(*socketiotest.Client).Drop, (*socketiotest.Client).Abandon} {
			synctest.Wait()
			lose(c)
			emit("missed", []byte{1})
			emit("question", 1, socketio.OnAck(func(*socketio.Context) {}))
			back := c.Reconnect()
			if !back.Recovered() || back.ID() != c.ID() {
				t.Errorf("recovered %v, session %s after %s", back.Recovered(), back.ID(), c.ID())
			}
			back.Expect("missed", []byte{1})
			back.Expect("question", 1).Ack()
			back.ExpectNothing()
			c.ExpectNothing()
			c = back
		}
		c.Disconnect()
		if back := c.Reconnect(); back.Recovered() {
			t.Error("recovered after Disconnect")
		}
	})
}

// The namespaces of one connection come back one by one; a session that has expired does not.
func TestReconnectOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Namespaces: []string{"/a"}, Recovery: &socketio.Recovery{Window: time.Minute}})
		main := socketiotest.Connect(t, srv, nil)
		a := main.Join("/a", nil)
		main.Drop()
		main = main.Reconnect()
		a = a.ReconnectOn(main)
		if !main.Recovered() || !a.Recovered() {
			t.Errorf("recovered %v and %v", main.Recovered(), a.Recovered())
		}
		if _, err := a.TryReconnect(); err == nil {
			t.Error("a client that is connected comes back")
		}
		a.Drop()
		time.Sleep(time.Minute + time.Second)
		if main = main.Reconnect(); main.Recovered() {
			t.Error("recovered after the window")
		}
	})
}

// Without recovery a client comes back as a new one.
func TestReconnectWithoutRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		c := socketiotest.Connect(t, srv, nil)
		c.Drop()
		back := c.Reconnect()
		if back.Recovered() || back.ID() == c.ID() {
			t.Error("it is the same session")
		}
		srv.On("connect", func(*socketio.Context) error { return &socketio.Error{Message: "no"} })
		back.Drop()
		if _, err := back.TryReconnect(); err == nil {
			t.Error("it is not refused")
		}
	})
}

// A client comes back to another server, which does not know it.
func TestReconnectTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := &socketio.Options{Recovery: new(socketio.Recovery)}
		c := socketiotest.Connect(t, siotest.NewServer(t, opts), nil)
		c.Drop()
		other := siotest.NewServer(t, opts)
		back := c.ReconnectTo(other)
		if back.Recovered() || other.Socket(back.ID()) == nil {
			t.Errorf("recovered %v", back.Recovered())
		}
	})
}

func TestComeBack(t *testing.T) {
	srv := socketio.NewServer(&socketio.Options{Recovery: &socketio.Recovery{}})
	ann := socketiotest.Connect(t, srv, nil)
	ann.Drop()
	srv.Emit("news", "while you were away")
	back := ann.Reconnect()
	back.Expect("news", "while you were away") // back.Recovered() is true
}
