// Command sessions is the sessions demo of Flask-SocketIO, in Go. It has two kinds of
// session. The app's own server-side session (github.com/alexedwards/scs) is shared by
// HTTP and Socket.IO. The session that the Socket.IO server manages begins as a copy of
// it, and lives as long as the connection.
//
//	go run ./examples/sessions
//
// It listens on 127.0.0.1:5000; -addr changes that. Ctrl-C stops it.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:5000", "`host:port` to listen on; port 0 takes a free one")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "sessions:", err)
		os.Exit(1)
	}
}

// run serves the demo until ctx is done.
func run(ctx context.Context, addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%w\nchoose another address with -addr, for example -addr 127.0.0.1:5001", err)
	}
	a := newApp()
	web := &http.Server{Handler: a.handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	fmt.Printf("Sessions demo on http://%s (Ctrl-C stops it)\n", listener.Addr())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	timeout, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := a.srv.Shutdown(timeout); err != nil { // first: it ends the requests that the next line waits for
		return err
	}
	return web.Shutdown(timeout)
}
