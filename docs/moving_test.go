package docs_test

import (
	"log"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// What from-javascript.md shows beside the handlers of a server in JavaScript,
// which e2e has the same client use.
func TestFromJavaScript(t *testing.T) {
	srv := socketio.NewServer(nil)
	srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
	srv.On("say", func(c *socketio.Context, room, text string) error {
		return c.Emit("said", text, socketio.To(room), socketio.SkipSelf())
	})
	srv.On("add", func(c *socketio.Context, a, b int) int { return a + b })
	srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { log.Println(why) })

	ann, bob := socketiotest.Connect(t, srv, nil), socketiotest.Connect(t, srv, nil)
	ann.Call("join", "den")
	bob.Call("join", "den")
	ann.Emit("say", "den", "hello")
	bob.Expect("said", "hello")
	assert.Equal(t, `[3]`, ann.Call("add", 1, 2).String())
	assert.Empty(t, ann.Received())
}

func TestFromGoogollee(t *testing.T) {
	srv, mux := socketio.NewServer(nil), http.NewServeMux()
	// server := socketio.NewServer(nil)
	// server.OnConnect("/", func(s socketio.Conn) error { s.SetContext(""); return nil })
	// server.OnEvent("/", "notice", func(s socketio.Conn, msg string) { s.Emit("reply", "have "+msg) })
	// server.OnEvent("/chat", "msg", func(s socketio.Conn, msg string) string { return "recv " + msg })
	// go server.Serve()
	// http.Handle("/socket.io/", server)

	srv.On("connect", func(c *socketio.Context) error { return nil })
	srv.On("notice", func(c *socketio.Context, msg string) error { return c.Emit("reply", "have "+msg) })
	srv.Namespace("/chat").On("msg", func(c *socketio.Context, msg string) string { return "recv " + msg })
	mux.Handle("/socket.io/", srv)

	ann := socketiotest.Connect(t, mux, nil)
	ann.Emit("notice", "it")
	ann.Expect("reply", "have it")
	assert.Equal(t, `["recv it"]`, ann.Join("/chat", nil).Call("msg", "it").String())
}
