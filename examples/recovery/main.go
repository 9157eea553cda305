// Command recovery is a feed whose readers miss nothing when they lose their connection for
// a while, or when the server is replaced: it emits a number each second, and the page says which
// ones are missing.
//
//	go run ./examples/recovery
//
// Open http://127.0.0.1:5000. Press the buttons that lose the connection, switch the network off
// and on, or restart the server. The numbers go on without a gap, and the page says that it was
// recovered. -addr changes the address, and -window how long a reader may be away.
//
// The restart does what a rolling deployment does. A second server starts, new connections go to it,
// and the first server moves its sessions to it while it ends. In this program both servers are in
// one process and share a broker in memory. On several machines they share Redis or NATS, and a load
// balancer is in front of them.
package main

import (
	"context"
	_ "embed"
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
)

//go:embed page.html
var page []byte

func main() {
	addr := flag.String("addr", "127.0.0.1:5000", "`host:port` to listen on; port 0 takes a free one")
	window := flag.Duration("window", 2*time.Minute, "how `long` a reader may be away")
	flag.Parse()
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatalf("recovery: %v\nchoose another address with -addr, for example -addr 127.0.0.1:5001", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	s := newSite(*window)
	go s.feed(ctx, time.Second)
	web := &http.Server{Handler: newHandler(s), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = web.Serve(listener) }() // until Shutdown
	fmt.Printf("Feed on http://%s (Ctrl-C stops it)\n", listener.Addr())

	<-ctx.Done()
	stop()
	end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(s.shutdown(end), web.Shutdown(end)); err != nil { // in this order
		log.Fatal("recovery: ", err)
	}
}

// newHandler serves the page, Socket.IO, and what the button for a restart asks for.
func newHandler(s *site) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", s)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) })
	mux.HandleFunc("POST /restart", func(http.ResponseWriter, *http.Request) { s.restart() })
	return mux
}
