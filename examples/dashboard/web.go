package main

import (
	"context"
	"embed"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/seed-d124fa34/socketio"
)

// names are the series that the worker measures, and the rooms of those who watch them.
var names = []string{"visitors", "orders", "response time"}

var (
	errSeries = &socketio.Error{Message: "there is no such series"}
	errKept   = &socketio.Error{Message: "the last figures are not available: try again"}
)

// newServer serves pages. It does not know who measures, nor which other servers there are.
func newServer(broker socketio.Broker, kept store) *socketio.Server {
	srv := socketio.NewServer(&socketio.Options{
		Cluster: socketio.ClusterOptions{Broker: broker},
		// Recovery: what is emitted while a page has lost the network is delivered when it is
		// back, each figure once and in order. A page that was away for longer watches again.
		Recovery: &socketio.Recovery{Window: time.Minute},
		Limits:   socketio.Limits{EventRate: 10, EventBurst: 30, MaxPayload: 4096, MaxNamespaces: 1},
	})
	srv.On("series", func(*socketio.Context) ([]string, error) { return names, nil })

	// watch answers with the last figures; those that come later are emitted. The socket joins
	// before the figures are read, so that none is between the two. One may be in both:
	// figures have numbers, by which the page knows that.
	srv.On("watch", func(c *socketio.Context, name string) ([]sample, error) {
		if !slices.Contains(names, name) {
			return nil, errSeries
		}
		if err := c.Join(name); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(c.Context(), 5*time.Second)
		defer cancel()
		last, err := kept.last(ctx, name)
		if err != nil {
			slog.Error("dashboard: reading the last figures", "error", err)
			return nil, errKept
		}
		return last, nil
	})
	srv.On("unwatch", func(c *socketio.Context, name string) error {
		if !slices.Contains(names, name) {
			return errSeries
		}
		c.Leave(name)
		return nil
	})
	return srv
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
