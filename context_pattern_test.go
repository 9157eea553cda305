package socketio_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

type patternClass struct{}

func (patternClass) OnSay(*socketio.Context) {}

// Whatever names clients make up, they are counted under those of the server.
func TestPatternIsOfTheServersNames(t *testing.T) {
	srv := socketio.NewServer(&socketio.Options{Namespaces: []string{"news", "*"}})
	got := make(chan [2]string, 1)
	watch := func(next socketio.HandlerFunc) socketio.HandlerFunc {
		return func(c *socketio.Context) (socketio.Args, error) {
			if ns, event := c.Pattern(); event != "connect" && event != "disconnect" {
				got <- [2]string{ns, event}
			}
			return next(c)
		}
	}
	every := srv.Namespace("*")
	every.Use(watch)
	every.On("*", func(*socketio.Context, string) {})
	every.On("everywhere", func(*socketio.Context) {})
	srv.On("hello", func(*socketio.Context) {})
	srv.On("ask", func(c *socketio.Context) error {
		return c.Emit("question", nil, socketio.OnAck(func(c *socketio.Context) {
			ns, event := c.Pattern()
			got <- [2]string{ns, event}
		}))
	})
	srv.Register("/class", patternClass{})

	assert.Equal(t, []string{"*", "/", "/class", "/news"}, srv.Namespaces())
	for _, c := range []struct{ ns, event, wantNS, wantEvent string }{
		{"/", "hello", "/", "hello"},
		{"/", "everywhere", "/", "everywhere"},
		{"/", "made up", "/", "*"},
		{"/", "*", "/", "*"},
		{"/news", "hello", "/news", "*"},
		{"/news", "everywhere", "/news", "everywhere"},
		{"/made/up", "everywhere", "*", "everywhere"},
		{"/made/up", "made up", "*", "*"},
		{"/class", "say", "/class", "*"}, // the catch-all of "*" comes before classes
	} {
		cl := socketiotest.Connect(t, srv, &socketiotest.Options{Namespace: c.ns})
		cl.Emit(c.event)
		assert.Equal(t, [2]string{c.wantNS, c.wantEvent}, <-got, "%s in %s", c.event, c.ns)
	}
	cl := socketiotest.Connect(t, srv, &socketiotest.Options{Answer: func(socketiotest.Event) []any { return []any{} }})
	cl.Emit("ask")
	assert.Equal(t, [2]string{"/", "ask"}, <-got)
	assert.Equal(t, [2]string{"/", "question"}, <-got)
}

// A class's methods are names of the server, what it has no method for is not.
func TestPatternOfClass(t *testing.T) {
	srv := socketio.NewServer(nil)
	srv.Register("/class", patternClass{})
	got := make(chan string, 1)
	srv.Namespace("/class").Use(func(next socketio.HandlerFunc) socketio.HandlerFunc {
		return func(c *socketio.Context) (socketio.Args, error) {
			if _, event := c.Pattern(); event != "connect" && event != "disconnect" {
				got <- event
			}
			return next(c)
		}
	})
	cl := socketiotest.Connect(t, srv, &socketiotest.Options{Namespace: "/class"})
	cl.Emit("say")
	assert.Equal(t, "say", <-got)
	cl.Emit("shout")
	assert.Equal(t, "*", <-got)
}
