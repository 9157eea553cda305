// Command quickstart is the program that README.md shows: what is typed in one tab of the
// browser appears in all of them.
//
//	go run ./examples/quickstart
//
// It listens on 127.0.0.1:5000. Ctrl-C stops it.
package main

import (
	_ "embed"
	"fmt"
	"log"
	"net/http"

	"github.com/seed-d124fa34/socketio"
)

//go:embed index.html
var page string

type Message struct {
	Room string `json:"room"`
	Text string `json:"text"`
}

func main() {
	srv := socketio.NewServer(nil)
	srv.On("join", func(c *socketio.Context, m Message) error { return c.Join(m.Room) })
	srv.On("say", func(c *socketio.Context, m Message) error {
		if !c.InRoom(m.Room) {
			return &socketio.Error{Message: "join the room first"}
		}
		return c.Emit("said", m, socketio.To(m.Room)) // without To: to the sender
	})
	srv.On("add", func(c *socketio.Context, a, b int) (int, error) { return a + b, nil })
	srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { log.Println(c.ID(), why) })
	http.Handle("/socket.io/", srv)
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, page) })
	log.Println("open http://127.0.0.1:5000 in two tabs")
	log.Fatal(http.ListenAndServe("127.0.0.1:5000", nil))
}
