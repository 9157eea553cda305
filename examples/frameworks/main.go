// Command frameworks mounts the same Socket.IO server in net/http, chi, gin, echo and
// fiber, beside the framework's routes and behind its middleware. Each framework has
// one file.
//
//	go run ./examples/frameworks -framework gin
//
// A server is an http.Handler. Mount it for all methods, at /socket.io/ and everything
// below. What the middleware stores in the request's context is available in every
// handler of the socket.
//
// Fiber is not made of net/http, so there are two ways:
//
//   - -framework fiber: net/http is in front and passes everything but /socket.io/ to
//     fiber. Nothing is different for Socket.IO.
//   - -framework fiber-inside: fiber is in front, and its adaptor in between. The adaptor
//     lends out a request only until the handler has returned, and keeps one more
//     goroutine for each WebSocket. fiber.go says what to do about it.
//
// Adaptors older than fasthttp 1.69, such as that of fiber v2, let no WebSocket through.
// A server behind such an adaptor offers polling only, so that clients do not try:
// -framework polling shows the option.
//
// Open http://127.0.0.1:5000 to see that the framework's own route works. -addr changes
// the address. Ctrl-C stops the server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/seed-d124fa34/socketio"
)

// site is a web server: *http.Server is one.
type site interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

// frameworks says how to mount the server in each of them.
var frameworks = map[string]func() (site, *socketio.Server){
	"net/http":     onHTTP(inNetHTTP),
	"chi":          onHTTP(inChi),
	"gin":          onHTTP(inGin),
	"echo":         onHTTP(inEcho),
	"fiber":        onHTTP(inFrontOfFiber),
	"fiber-inside": inFiber,
	"polling":      withoutWebSocket,
}

// onHTTP serves with net/http what a framework has made a handler of.
func onHTTP(mount func(srv http.Handler) http.Handler) func() (site, *socketio.Server) {
	return func() (site, *socketio.Server) {
		srv := newServer(nil)
		return &http.Server{Handler: mount(srv), ReadHeaderTimeout: 10 * time.Second}, srv
	}
}

func main() {
	names := slices.Sorted(maps.Keys(frameworks))
	addr := flag.String("addr", "127.0.0.1:5000", "`host:port` to listen on; port 0 takes a free one")
	framework := flag.String("framework", "net/http", "one of "+strings.Join(names, ", "))
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, *framework, *addr, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "frameworks:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done.
func run(ctx context.Context, framework, addr string, out io.Writer) error {
	mount := frameworks[framework]
	if mount == nil {
		return fmt.Errorf("there is no framework %q here: see -help", framework)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%w\nchoose another address with -addr, for example -addr 127.0.0.1:5001", err)
	}
	web, srv := mount()
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	fmt.Fprintf(out, "Socket.IO in %s on http://%s (Ctrl-C stops it)\n", framework, listener.Addr())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	timeout, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(srv.Shutdown(timeout), web.Shutdown(timeout)) // in this order
}
