// Command app is the rooms demo of Flask-SocketIO, in Go: a page to echo,
// broadcast, join, leave, close and write to rooms. Open it in two tabs.
//
//	go run ./examples/app
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
	clientDir := flag.String("client-dir", "", "`directory` of "+clientFile+"; by default where npm ci in examples/app "+
		"put it, and the official CDN if it is not there")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "The rooms demo. Open the page it prints in two browser tabs.\n\nFlags:")
		flag.PrintDefaults()
	}
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, *addr, *clientDir); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

// run serves the demo until ctx is done.
func run(ctx context.Context, addr, clientDir string) error {
	const every = 10 * time.Second

	client := findClient(clientDir)
	if client == "" && clientDir != "" {
		return fmt.Errorf("no %s in %s: give -client-dir the dist directory of the npm package socket.io-client, "+
			"or leave it out", clientFile, clientDir)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%w\nchoose another address with -addr, for example -addr 127.0.0.1:5001 (port 0 takes a free one)", err)
	}

	srv := newServer(ctx, every)
	web := &http.Server{Handler: newHandler(srv, client, every), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()

	fmt.Printf("Rooms demo on http://%s (Ctrl-C stops it)\n", listener.Addr())
	if client == "" {
		fmt.Println("The page loads the Socket.IO client from its CDN; npm ci in examples/app installs it here.")
	}

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	timeout, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := srv.Shutdown(timeout); err != nil { // first: it ends the requests that the next line waits for
		return err
	}
	return web.Shutdown(timeout)
}
