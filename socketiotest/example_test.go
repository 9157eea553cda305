package socketiotest_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// A chat, as an application would write it.

type Credentials struct {
	Name string `json:"name"`
}

type Message struct {
	From string `json:"from"`
	Text string `json:"text"`
}

func newChat() *socketio.Server {
	srv := socketio.NewServer(nil)
	srv.On("connect", func(c *socketio.Context, who Credentials) error {
		if who.Name == "" {
			return &socketio.Error{Message: "who are you?"}
		}
		c.Session().Set("name", who.Name)
		return nil
	})
	srv.On("say", func(c *socketio.Context, text string) (int, error) {
		name, _ := socketio.SessionValue[string](c.Session(), "name")
		err := c.Emit("said", Message{name, text}, socketio.Broadcast(), socketio.SkipSelf())
		return len(text), err
	})
	srv.On("remind", func(c *socketio.Context, seconds int) {
		time.AfterFunc(time.Duration(seconds)*time.Second, func() { c.Emit("reminder", nil) })
	})
	return srv
}

func connect(t *testing.T, h http.Handler, name string) *socketiotest.Client {
	t.Helper()
	return socketiotest.Connect(t, h, &socketiotest.Options{Auth: Credentials{name}})
}

// Its tests. What is waited for needs no bubble.

func testChat(t *testing.T) {
	srv := newChat()
	ann, bob := connect(t, srv, "ann"), connect(t, srv, "bob")

	var length int
	ann.Call("say", "hello").Bind(&length)
	if length != 5 {
		t.Errorf("the answer is %d", length)
	}
	bob.Expect("said", Message{"ann", "hello"})

	var m Message
	bob.Emit("say", "hi")
	ann.Next().Bind(&m)
	if m.From != "bob" {
		t.Errorf("got %+v", m)
	}
}

func testChatRefusesStrangers(t *testing.T) {
	_, err := socketiotest.TryConnect(t, newChat(), nil)
	refusal, ok := errors.AsType[*socketiotest.ConnectError](err)
	if !ok || refusal.Message != "who are you?" {
		t.Errorf("got %v", err)
	}
}

// In a bubble "nothing comes" is exact, and time is free.

func testChatSkipsTheSpeaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newChat()
		ann, bob := connect(t, srv, "ann"), connect(t, srv, "bob")
		ann.Emit("say", "hello")
		ann.ExpectNothing()
		if got := bob.Received(); len(got) != 1 {
			t.Errorf("bob got %v", got)
		}
	})
}

func testChatReminds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann := connect(t, newChat(), "ann")
		ann.Emit("remind", 60)
		time.Sleep(59 * time.Second)
		ann.ExpectNothing()
		time.Sleep(time.Second)
		ann.Expect("reminder")
	})
}

func testChatNoticesDeadClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newChat()
		left := make(chan socketio.Reason, 1)
		srv.On("disconnect", func(_ *socketio.Context, why socketio.Reason) { left <- why })
		t.Cleanup(func() { srv.Shutdown(context.Background()) })

		socketiotest.Connect(t, srv, &socketiotest.Options{
			Auth:        Credentials{"ann"},
			Transport:   socketiotest.Polling,
			IgnorePings: true,
		})
		begin := time.Now()
		if why := <-left; why != socketio.ReasonPingTimeout {
			t.Errorf("left because of %s", why)
		}
		if after := time.Since(begin); after != 45*time.Second {
			t.Errorf("noticed after %v", after)
		}
	})
}

// The tests of an application that keeps names in the session, and of clients that
// are refused, that wait, and that lie dead. In an application they are called
// TestChat, TestChatRefusesStrangers and so on: a lower-case letter is what keeps
// this file an example.
func Example() {}
