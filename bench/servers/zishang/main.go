// Command zishang is github.com/zishang520/socket.io, every option at its default.
package main

import (
	"log"
	"net"
	"net/http"
	"os"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"github.com/seed-d124fa34/socketio/bench/internal/control"
)

func main() {
	io := socket.NewServer(nil, nil)
	io.On("connection", func(clients ...any) {
		client := clients[0].(*socket.Socket)
		// The last argument acknowledges, the others are echoed.
		echo := func(args ...any) {
			last := len(args) - 1
			args[last].(socket.Ack)(args[:last], nil)
		}
		client.On("echo", echo)
		client.On("json", echo)
		client.On("binary", echo)
		client.On("join", func(args ...any) {
			client.Join(socket.Room(args[0].(string)))
			args[1].(socket.Ack)(nil, nil)
		})
		client.On("broadcast", func(args ...any) { io.Emit("msg", args[0]) })
		client.On("room", func(args ...any) { io.To(socket.Room(args[0].(string))).Emit("msg", args[1]) })
	})

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(ln, io.ServeHandler(nil))) }()
	version := "zishang520/socket.io " + control.Version("github.com/zishang520/socket.io/servers/socket/v3")
	if err := control.Serve(os.Stdin, os.Stdout, version, ln.Addr().String(), nil); err != nil {
		log.Fatal(err)
	}
}
