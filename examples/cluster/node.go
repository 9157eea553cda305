package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokers/redis"
)

// said is a message of the chat.
type said struct {
	From string `json:"from"` // session id
	Name string `json:"name"`
	Node string `json:"node"` // where the sender is
	Text string `json:"text"`
}

// newServer is the app. Nothing in it knows that there are several of it, but
// for the name that it shows, and the address at which the other one finds it if
// nginx sends it what is not for it (-sticky none).
func newServer(node, addr string, broker socketio.Broker) *socketio.Server {
	srv := socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: broker, PeerURL: "http://" + addr}})
	srv.On("connect", func(c *socketio.Context, auth struct{ Name string }) error {
		if auth.Name == "" {
			return &socketio.Error{Message: "say your name"}
		}
		c.Session().Set("name", auth.Name)
		return c.Emit("welcome", node)
	})
	name := func(c *socketio.Context) string {
		name, _ := c.Session().Get("name").(string)
		return name
	}
	srv.On("node", func(*socketio.Context) (string, error) { return node, nil })
	srv.On("say", func(c *socketio.Context, text string) error {
		return srv.Emit("said", said{c.ID(), name(c), node, text})
	})
	// A message to one client, wherever it is, acknowledged by that client.
	srv.On("whisper", func(c *socketio.Context, sid, text string) (bool, error) {
		ctx, cancel := context.WithTimeout(c.Context(), 5*time.Second)
		defer cancel()
		_, err := c.Call(ctx, "whispered", said{c.ID(), name(c), node, text}, socketio.To(sid))
		return err == nil, nil
	})
	return srv
}

// runNode is one of the servers. It prints its address, and ends with ctx or its
// standard input.
func runNode(ctx context.Context, node, url string) error {
	broker, err := redis.New(url)
	if err != nil {
		return err
	}
	defer broker.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // it does not outlive who started it
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	srv := newServer(node, listener.Addr().String(), broker)
	web := &http.Server{Handler: newHandler(srv), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	fmt.Println(listener.Addr())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	return errors.Join(srv.Shutdown(end), web.Shutdown(end))
}

//go:embed static
var static embed.FS

// clientFile is the official client. "npm ci" in examples/app installs it;
// without it the page is sent to the CDN. The page checks its hash either way.
const (
	clientFile = "socket.io.min.js"
	clientCDN  = "https://cdn.socket.io/4.8.3/" + clientFile
)

// newHandler serves the page, the client, and Socket.IO.
func newHandler(socketIO http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", socketIO)
	mux.Handle("GET /static/", http.FileServerFS(static))
	mux.HandleFunc("GET /client/"+clientFile, func(w http.ResponseWriter, r *http.Request) {
		installed := filepath.Join("..", "app", "node_modules", "socket.io-client", "dist", clientFile)
		if _, err := os.Stat(installed); err != nil {
			http.Redirect(w, r, clientCDN, http.StatusFound)
			return
		}
		http.ServeFile(w, r, installed)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; "+
			"script-src 'self' https://cdn.socket.io; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'")
		http.ServeFileFS(w, r, static, "static/page.html")
	})
	return mux
}
