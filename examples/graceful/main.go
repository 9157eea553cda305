// Command graceful shows how a server ends without losing anything: on SIGTERM,
// which service managers and containers send, or Ctrl-C.
//
//	go run ./examples/graceful
//
// A client sends the event "work" with a number of milliseconds, and gets the
// acknowledgement when the work is done. A load balancer asks GET /ready: the answer is
// 200, or 503 when it should send no more clients to this server. The server listens on
// 127.0.0.1:5000; -addr changes that.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed-d124fa34/socketio"
)

// patience is how long everything may take to end. Service managers have a
// limit, too, after which they kill: it has to be longer.
const patience = 20 * time.Second

func main() {
	addr := flag.String("addr", "127.0.0.1:5000", "`host:port` to listen on; port 0 takes a free one")
	window := flag.Duration("drain-window", 0, "over which `time` to spread the ends of connections; "+
		"by default a second for every thousand of them")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, *addr, *window); err != nil {
		fmt.Fprintln(os.Stderr, "graceful:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done, and then until everything has ended.
func run(ctx context.Context, addr string, window time.Duration) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	srv := newServer(window)
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if ctx.Err() != nil {
			http.Error(w, "going away", http.StatusServiceUnavailable)
		}
	})
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	fmt.Printf("Listening on http://%s (SIGTERM or Ctrl-C ends it)\n", listener.Addr())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// In this order: http.Server.Shutdown closes the port, and waits for polls
	// that the first one answers. The second one is called in any case.
	err = errors.Join(srv.Shutdown(end), web.Shutdown(end))
	fmt.Println("Ended")
	return err
}

func newServer(window time.Duration) *socketio.Server {
	srv := socketio.NewServer(&socketio.Options{DrainWindow: window})
	srv.On("work", func(c *socketio.Context, ms int) (string, error) {
		if err := c.Emit("started", nil); err != nil {
			return "", err
		}
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
			return "done", nil
		case <-c.Context().Done(): // for nobody any more
			return "", context.Cause(c.Context())
		}
	})
	srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { fmt.Println("Left:", why) })
	return srv
}
