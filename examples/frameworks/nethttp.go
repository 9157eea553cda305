package main

import (
	"io"
	"net/http"
	"time"

	"github.com/seed-d124fa34/socketio"
)

func inNetHTTP(srv http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "net/http serves "+userOf(r.Context()))
	})
	return user(mux)
}

// withoutWebSocket is for where something in between lets no WebSocket through: an
// adaptor, middleware, or a proxy. With Transports clients are told, and do
// not lose time trying. Here it is a ResponseWriter without http.Hijacker.
func withoutWebSocket() (site, *socketio.Server) {
	srv := newServer(&socketio.Options{Transports: []string{"polling"}})
	mounted := inNetHTTP(srv)
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mounted.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
		}),
		ReadHeaderTimeout: 10 * time.Second,
	}, srv
}
