// Command typescript is a small board of notes. Its page is written in TypeScript, with
// the types of the server's handlers. From the repository's root:
//
//	go generate ./examples/typescript      # writes web/events.ts from the handlers
//	(cd examples/typescript/web && npm ci && npm run build)
//	go run ./examples/typescript
//
// It listens on 127.0.0.1:5000; -addr changes that. Ctrl-C stops it.
package main

//go:generate go run . -types web/events.ts

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/typescript"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:5000", "`host:port` to listen on; port 0 takes a free one")
	types := flag.String("types", "", "write the declarations of the events to this `file`, and end")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *types != "" {
		err = writeTypes(*types)
	} else {
		err = run(ctx, *addr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "typescript:", err)
		os.Exit(1)
	}
}

// writeTypes writes the file that the page imports.
func writeTypes(file string) error {
	var b bytes.Buffer
	if err := typescript.Write(&b, newServer().Events(), nil); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// run serves the board until ctx is done.
func run(ctx context.Context, addr string) error {
	web, err := findPage()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%w\nchoose another address with -addr, for example -addr 127.0.0.1:5001", err)
	}
	srv := newServer()
	site := &http.Server{Handler: newHandler(srv, web), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- site.Serve(listener) }()
	fmt.Printf("Board of notes on http://%s (Ctrl-C stops it)\n", listener.Addr())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	timeout, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(timeout); err != nil {
		return err
	}
	return site.Shutdown(timeout)
}

// findPage returns the directory of the page, as seen from the repository's root
// or from here, if it has been built.
func findPage() (string, error) {
	for _, dir := range []string{filepath.Join("examples", "typescript", "web"), "web"} {
		if _, err := os.Stat(filepath.Join(dir, "dist", "main.js")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("the page is not built: run npm ci && npm run build in examples/typescript/web, and this program from the repository's root")
}

func newHandler(srv *socketio.Server, web string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	mux.Handle("GET /dist/", http.FileServer(http.Dir(web)))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(web, "index.html"))
	})
	mux.HandleFunc("GET /page.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(web, "page.css"))
	})
	mux.HandleFunc("GET /socket.io.esm.min.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(web, "node_modules", "socket.io-client", "dist", "socket.io.esm.min.js"))
	})
	return mux
}
