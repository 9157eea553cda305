package docs_test

import (
	"log"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

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

func TestFromZishang(t *testing.T) {
	mux := http.NewServeMux()
	// io := socket.NewServer(nil, nil)
	// io.Use(func(s *socket.Socket, next func(*socket.ExtendedError)) {
	// 	name, _ := s.Handshake().Auth["name"].(string)
	// 	if name == "" {
	// 		next(socket.NewExtendedError("say your name", nil))
	// 		return
	// 	}
	// 	s.SetData(name)
	// 	next(nil)
	// })
	// io.On("connection", func(clients ...any) {
	// 	s := clients[0].(*socket.Socket)
	// 	s.On("say", func(args ...any) {
	// 		room, _ := args[0].(string) // args may be shorter: check it
	// 		io.To(socket.Room(room)).Emit("said", args[1])
	// 	})
	// 	s.On("add", func(args ...any) {
	// 		a, b := args[0].(float64), args[1].(float64)
	// 		args[2].(socket.Ack)([]any{a + b}, nil)
	// 	})
	// 	s.On("disconnect", func(why ...any) { log.Println(s.Data(), why[0]) })
	// })
	// http.Handle("/socket.io/", io.ServeHandler(nil))

	srv := socketio.NewServer(nil)
	srv.On("connect", func(c *socketio.Context, who struct{ Name string }) error {
		if who.Name == "" {
			return &socketio.Error{Message: "say your name"}
		}
		c.Session().Set("name", who.Name)
		return nil
	})
	srv.On("say", func(c *socketio.Context, room, text string) error {
		return srv.Emit("said", text, socketio.To(room))
	})
	srv.On("add", func(c *socketio.Context, a, b float64) float64 { return a + b })
	srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) {
		log.Println(c.Session().Get("name"), why)
	})
	mux.Handle("/socket.io/", srv)

	_, err := socketiotest.TryConnect(t, mux, nil)
	assert.ErrorContains(t, err, "say your name")
	ann := socketiotest.Connect(t, mux, &socketiotest.Options{Auth: map[string]string{"name": "ann"}})
	ann.Emit("say", ann.ID(), "hello")
	ann.Expect("said", "hello")
	assert.Equal(t, `[3]`, ann.Call("add", 1, 2).String())
}
