// Package ours runs the server of this repository for the commands in servers/, with handlers
// as a user would write them.
package ours

import (
	"log"
	"net/http"
	"os"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/bench/internal/control"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

// Run serves until standard input is closed, or ends the process with an error.
func Run(opts *socketio.Options, version string) {
	srv := socketio.NewServer(opts)
	srv.On(workload.Echo, func(_ *socketio.Context, s string) (string, error) { return s, nil })
	srv.On(workload.EchoJSON, func(_ *socketio.Context, o workload.Order) (workload.Order, error) { return o, nil })
	srv.On(workload.EchoRaw, func(_ *socketio.Context, r socketio.Raw) (socketio.Raw, error) { return r, nil })
	srv.On(workload.EchoBinary, func(_ *socketio.Context, b []byte) ([]byte, error) { return b, nil })
	srv.On(workload.Join, func(c *socketio.Context, room string) error { return c.Join(room) })
	srv.On(workload.Broadcast, func(c *socketio.Context, s string) error {
		return c.Emit(workload.Message, s, socketio.Broadcast())
	})
	srv.On(workload.Room, func(c *socketio.Context, room, s string) error {
		return c.Emit(workload.Message, s, socketio.To(room))
	})

	ln, err := control.Listen()
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(ln, srv)) }()
	if err := control.Serve(os.Stdin, os.Stdout, version, ln.Addr().String(), nil); err != nil {
		log.Fatal(err)
	}
}
