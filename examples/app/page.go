package main

import (
	"embed"
	"html/template"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

//go:embed index.html
var indexHTML string

//go:embed static
var static embed.FS

var index = template.Must(template.New("index.html").Parse(indexHTML))

// The client on the official CDN, for when it is not installed here. The hash
// is that of dist/socket.io.min.js in the npm package; package.json names the
// same version.
const (
	clientFile      = "socket.io.min.js"
	clientCDN       = "https://cdn.socket.io/4.8.3/" + clientFile
	clientIntegrity = "sha384-kzavj5fiMwLKzzD1f8S7TeoVIEi7uKHvbTA3ueZkrzYq75pNQUiUi6Dy98Q3fxb0"
)

// findClient returns the directory of the official client, "" if it is not
// installed. Without a directory asked for it looks where "npm ci" puts it, as
// seen from this example's directory and from the repository's root.
func findClient(asked string) string {
	dirs := []string{
		filepath.Join("node_modules", "socket.io-client", "dist"),
		filepath.Join("examples", "app", "node_modules", "socket.io-client", "dist"),
	}
	if asked != "" {
		dirs = []string{asked}
	}
	for _, dir := range dirs {
		if info, err := os.Stat(filepath.Join(dir, clientFile)); err == nil && info.Mode().IsRegular() {
			return dir
		}
	}
	return ""
}

// newHandler serves the page, the client if it is installed, and Socket.IO.
func newHandler(socketIO http.Handler, clientDir string, every time.Duration) http.Handler {
	page := struct {
		Local          bool
		CDN, Integrity string
		Every          time.Duration
	}{clientDir != "", clientCDN, clientIntegrity, every}

	mux := http.NewServeMux()
	mux.Handle("/socket.io/", socketIO)
	mux.Handle("GET /static/", http.FileServerFS(static))
	if clientDir != "" {
		mux.Handle("GET /client/", http.StripPrefix("/client/", http.FileServer(http.Dir(clientDir))))
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; "+
			"script-src 'self' https://cdn.socket.io; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'")
		// An error here means that the browser has gone.
		_ = index.Execute(w, page)
	})
	return mux
}
