package main

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-d124fa34/socketio"
)

// room has all connections of a user.
func room(user string) string { return "user:" + user }

// newServer takes jobs from users. It has no idea who does them.
func newServer(broker socketio.Broker, list *jobList) *socketio.Server {
	srv := socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: broker}})
	srv.On("connect", func(c *socketio.Context, auth struct{ User string }) error {
		if auth.User == "" { // an app with a login knows it from there, and believes nobody
			return &socketio.Error{Message: "say who you are"}
		}
		c.Session().Set("user", auth.User)
		return c.Join(room(auth.User))
	})
	srv.On("count primes", func(c *socketio.Context, n int) (string, error) {
		if n < 1 || n > 50_000_000 {
			return "", &socketio.Error{Message: "a number from 1 to 50,000,000, please"}
		}
		user, _ := c.Session().Get("user").(string)
		j := job{ID: rand.Text(), User: user, N: n}
		// Every window of the user gets a line for it, before a worker has it.
		if err := srv.Emit("job", j, socketio.To(room(user))); err != nil {
			return "", err
		}
		ctx, cancel := context.WithTimeout(c.Context(), 5*time.Second)
		defer cancel()
		if err := list.put(ctx, j); err != nil {
			return "", errors.Join(err, srv.Emit("lost", j.ID, socketio.To(room(user))))
		}
		return j.ID, nil
	})
	srv.OnError(func(c *socketio.Context, err error) any {
		if known, ok := errors.AsType[*socketio.Error](err); ok {
			return map[string]string{"error": known.Message}
		}
		return map[string]string{"error": "it cannot be done now"}
	})
	return srv
}

// serve is the web server, until ctx is done.
func serve(ctx context.Context, addr string, broker socketio.Broker, list *jobList) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%w\nchoose another address with -addr, for example -addr 127.0.0.1:5001", err)
	}
	srv := newServer(broker, list)
	web := &http.Server{Handler: newHandler(srv), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	fmt.Printf("Jobs on http://%s (Ctrl-C stops it)\n", listener.Addr())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
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
