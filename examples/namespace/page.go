package main

import (
	"embed"
	"net/http"
	"os"
	"path/filepath"
)

//go:embed static
var static embed.FS

// clientFile is the official client. "npm ci" in examples/app installs it;
// without it the page is sent to the CDN. The page checks its hash either way.
const (
	clientFile = "socket.io.min.js"
	clientCDN  = "https://cdn.socket.io/4.8.3/" + clientFile
)

// findClient returns the installed client, as seen from this directory and from
// the repository's root; "" if there is none.
func findClient() string {
	for _, examples := range []string{"..", "examples"} {
		path := filepath.Join(examples, "app", "node_modules", "socket.io-client", "dist", clientFile)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// newHandler serves the page, the client, and Socket.IO.
func newHandler(socketIO http.Handler) http.Handler {
	client := findClient()
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", socketIO)
	mux.Handle("GET /static/", http.FileServerFS(static))
	mux.HandleFunc("GET /client/"+clientFile, func(w http.ResponseWriter, r *http.Request) {
		if client == "" {
			http.Redirect(w, r, clientCDN, http.StatusFound)
			return
		}
		http.ServeFile(w, r, client)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; "+
			"script-src 'self' https://cdn.socket.io; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'")
		http.ServeFileFS(w, r, static, "static/page.html")
	})
	return mux
}
