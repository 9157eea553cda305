// Command ours is the server of this repository, with handlers as a user would
// write them and every option at its default.
package main

import (
	"log"
	"net"
	"net/http"
	"os"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/bench/internal/control"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

func main() {
	srv := socketio.NewServer(nil)
	srv.On(workload.Echo, func(_ *socketio.Context, s string) (string, error) { return s, nil })
	srv.On(workload.EchoJSON, func(_ *socketio.Context, o workload.Order) (workload.Order, error) { return o, nil })
	srv.On(workload.EchoBinary, func(_ *socketio.Context, b []byte) ([]byte, error) { return b, nil })
	srv.On(workload.Join, func(c *socketio.Context, room string) error { return c.Join(room) })
	srv.On(workload.Broadcast, func(c *socketio.Context, s string) error {
		return c.Emit(workload.Message, s, socketio.Broadcast())
	})
	srv.On(workload.Room, func(c *socketio.Context, room, s string) error {
		return c.Emit(workload.Message, s, socketio.To(room))
	})

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(ln, srv)) }()
	if err := control.Serve(os.Stdin, os.Stdout, "this repository", ln.Addr().String(), nil); err != nil {
		log.Fatal(err)
	}
}
