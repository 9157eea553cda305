// Command namespace is the rooms demo of Flask-SocketIO in its class-based
// variant, in Go: the handlers are the methods of one type. Open the page in
// two tabs.
//
//	go run ./examples/namespace
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
		fmt.Fprintln(os.Stderr, "namespace:", err)
		os.Exit(1)
	}
}

// run serves the demo until ctx is done.
func run(ctx context.Context, addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%w\nchoose another address with -addr, for example -addr 127.0.0.1:5001", err)
	}
	srv := newServer(ctx, 10*time.Second)
	web := &http.Server{Handler: newHandler(srv), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	fmt.Printf("Class-based rooms demo on http://%s (Ctrl-C stops it)\n", listener.Addr())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	timeout, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(timeout); err != nil { // first: it ends the requests that the next line waits for
		return err
	}
	return web.Shutdown(timeout)
}
