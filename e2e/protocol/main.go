// Command protocol serves what the official protocol test suites of Engine.IO
// (revision 4) and Socket.IO (revision 5) connect to: they are in the
// repository socketio/socket.io under docs/. Start it, then run "npm test" in
// the suite's directory.
//
//	go run ./protocol -suite engineio
//	go run ./protocol -suite socketio
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/engineio"
)

// What both suites expect of the server.
const (
	pingInterval   = 300 * time.Millisecond
	pingTimeout    = 200 * time.Millisecond
	connectTimeout = 1500 * time.Millisecond // the suites' servers have 1 s; three heartbeats without a namespace take 900 ms of it
	maxPayload     = 1_000_000
)

// anyOrigin lets the suites run in a browser as well, from a page of any origin.
var anyOrigin = []string{"*"}

func main() {
	suite := flag.String("suite", "socketio", "the suite to serve: `engineio or socketio`")
	addr := flag.String("addr", "127.0.0.1:3000", "`host:port` to listen on; the suites expect port 3000 of localhost")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *suite, *addr); err != nil {
		log.Fatal("protocol: ", err)
	}
}

type server interface {
	http.Handler
	Shutdown(ctx context.Context) error
}

// run serves one suite until ctx is done.
func run(ctx context.Context, suite, addr string) error {
	var (
		srv  server
		path string
		err  error
	)
	switch suite {
	case "engineio":
		path = "/engine.io/"
		srv, err = newEngineServer()
	case "socketio":
		path = "/socket.io/"
		srv = newSocketServer()
	default:
		return fmt.Errorf("no suite %q: use -suite engineio or -suite socketio", suite)
	}
	if err != nil {
		return err
	}

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle(path, srv)
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	log.Printf("serving the %s suite on http://%s%s", suite, listener.Addr(), path)

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	timeout, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(srv.Shutdown(timeout), web.Shutdown(timeout))
}

// newEngineServer sends every message back with its type.
func newEngineServer() (*engineio.Server, error) {
	return engineio.NewServer(&engineio.Options{
		PingInterval:   pingInterval,
		PingTimeout:    pingTimeout,
		Limits:         engineio.Limits{MaxPayload: maxPayload},
		AllowedOrigins: anyOrigin,
		OnConnect:      echo,
	})
}

func echo(c *engineio.Conn) (engineio.Receiver, error) {
	return engineio.ReceiverFuncs{OnMessage: func(data []byte, binary bool) <-chan struct{} {
		var err error
		if binary {
			err = c.SendBinary(data)
		} else {
			err = c.SendText(string(data))
		}
		if err != nil && !errors.Is(err, engineio.ErrClosed) {
			log.Print("echo: ", err)
		}
		return nil
	}}, nil
}

// newSocketServer has the namespaces "/" and "/custom", which show a client
// its auth payload and send its messages back.
func newSocketServer() *socketio.Server {
	srv := socketio.NewServer(&socketio.Options{
		PingInterval:   pingInterval,
		PingTimeout:    pingTimeout,
		ConnectTimeout: connectTimeout,
		Limits:         socketio.Limits{MaxPayload: maxPayload},
		AllowedOrigins: anyOrigin,
	})
	for _, name := range []string{"/", "/custom"} {
		ns := srv.Namespace(name)
		ns.On("connect", func(c *socketio.Context, auth json.RawMessage) error {
			if auth == nil {
				auth = json.RawMessage("{}")
			}
			return c.Emit("auth", auth)
		})
		ns.On("message", func(c *socketio.Context, args ...any) error {
			return c.Emit("message-back", socketio.Args(args))
		})
		ns.On("message-with-ack", func(_ *socketio.Context, args ...any) (socketio.Args, error) {
			return socketio.Args(args), nil
		})
	}
	return srv
}
