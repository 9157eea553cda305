// Command recovery is a feed whose readers miss nothing when they lose their connection for
// a while, or when the server is replaced: it emits a number each second, and the page says which
// ones are missing.
//
//	go run ./examples/recovery
//
// Open http://127.0.0.1:5000. Have the page lose its connection, switch the network off and on, or
// restart the server: the numbers go on without a gap, and the page says that it was recovered.
// -addr changes the address, -window how long a reader may be away.
//
// A restart is what a rolling deployment does: a second server starts, new connections go there,
// and the first one hands its sessions over while it ends. Here both are in one process and share a
// broker in memory. On several machines they share Redis or NATS, and a load balancer is in front.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"
)

//go:embed page.html
var page []byte

func main() {
	addr := flag.String("addr", "127.0.0.1:5000", "`host:port` to listen on")
	window := flag.Duration("window", 2*time.Minute, "how `long` a reader may be away")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	s := newSite(*window)
	go s.feed(ctx, time.Second)
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", s)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) })
	mux.HandleFunc("POST /restart", func(http.ResponseWriter, *http.Request) { s.restart() })
	web := &http.Server{Addr: *addr, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.shutdown(end)
		_ = web.Shutdown(end)
	})
	fmt.Printf("Listening on http://%s\n", *addr)
	log.Println(web.ListenAndServe())
}
