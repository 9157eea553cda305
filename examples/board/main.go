// Command board is a drawing board: everybody draws on one canvas.
//
//	go run ./examples/board
//
// Open http://127.0.0.1:5000 in several windows. With Options.Recovery, a page that loses
// the network for a moment comes back to the same session and gets what the others drew
// meanwhile; it needs no code for that. -addr changes the address. Ctrl-C stops the server.
package main

import (
	"context"
	"embed"
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

func main() {
	addr := flag.String("addr", "127.0.0.1:5000", "`host:port` to listen on; port 0 takes a free one")
	flag.Parse()
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatalf("board: %v\nchoose another address with -addr, for example -addr 127.0.0.1:5001", err)
	}
	srv := newServer()
	web := &http.Server{Handler: newHandler(srv), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = web.Serve(listener) }() // until Shutdown
	fmt.Printf("Drawing board on http://%s (Ctrl-C stops it)\n", listener.Addr())

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	<-ctx.Done()
	stop()
	end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := errors.Join(srv.Shutdown(end), web.Shutdown(end)); err != nil { // in this order
		log.Fatal("board: ", err)
	}
}

//go:embed static
var static embed.FS

// newHandler serves the page, which loads the official client from its CDN, and Socket.IO.
func newHandler(socketIO http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", socketIO)
	mux.Handle("GET /static/", http.FileServerFS(static))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; "+
			"script-src 'self' https://cdn.socket.io; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'")
		http.ServeFileFS(w, r, static, "static/page.html")
	})
	return mux
}
