// Command talk is the small app that the guides "from Flask-SocketIO" and "from JavaScript"
// show in both languages. Clients say who they are when they connect. Then they join rooms, and
// talk in them.
//
//	go run ./examples/talk
//
// It has no page, and listens on 127.0.0.1:5000. Ctrl-C stops it.
package main

import (
	"log"
	"net/http"

	"github.com/seed-d124fa34/socketio"
)

type credentials struct {
	Name string `json:"name"`
}

type message struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

func name(c *socketio.Context) string {
	name, _ := socketio.SessionValue[string](c.Session(), "name")
	return name
}

func newServer() *socketio.Server {
	srv := socketio.NewServer(nil)
	srv.On("connect", func(c *socketio.Context, who credentials) error {
		if who.Name == "" {
			return &socketio.Error{Message: "say your name"}
		}
		c.Session().Set("name", who.Name)
		return nil
	})
	srv.On("join", func(c *socketio.Context, room string) error {
		if err := c.Join(room); err != nil {
			return err
		}
		return c.Emit("joined", name(c), socketio.To(room))
	})
	srv.On("say", func(c *socketio.Context, room, text string) error {
		return c.Emit("said", message{name(c), text}, socketio.To(room))
	})
	srv.On("add", func(c *socketio.Context, a, b int) int { return a + b })
	srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { log.Println(name(c), why) })
	return srv
}

func main() {
	http.Handle("/socket.io/", newServer())
	log.Println("listening on http://127.0.0.1:5000")
	log.Fatal(http.ListenAndServe("127.0.0.1:5000", nil))
}
