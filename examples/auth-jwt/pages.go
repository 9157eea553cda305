package main

import (
	"crypto/subtle"
	"embed"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
)

//go:embed static
var static embed.FS

// accounts stand for the identity provider's.
var accounts = map[string]struct{ password, scope string }{
	"ann": {"ann's password", "read write"},
	"bob": {"bob's password", "read"},
}

// clientFile is the official client. "npm ci" in examples/app installs it;
// without it the page is sent to the CDN. The page checks its hash either way.
const (
	clientFile = "socket.io.min.js"
	clientCDN  = "https://cdn.socket.io/4.8.3/" + clientFile
)

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", a.srv)
	mux.HandleFunc("POST /token", a.token)
	mux.Handle("GET /static/", http.FileServerFS(static))
	mux.HandleFunc("GET /client/"+clientFile, serveClient)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; "+
			"script-src 'self' https://cdn.socket.io; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'")
		http.ServeFileFS(w, r, static, "static/page.html")
	})
	return mux
}

// token gives a token for a user's name and password. There are no cookies, so
// no other site can have a browser use one.
func (a *app) token(w http.ResponseWriter, r *http.Request) {
	var who struct{ User, Password string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 10_000)).Decode(&who); err != nil {
		http.Error(w, `want {"user": "...", "password": "..."}`, http.StatusBadRequest)
		return
	}
	acc, ok := accounts[who.User]
	if subtle.ConstantTimeCompare([]byte(acc.password), []byte(who.Password)) != 1 || !ok {
		http.Error(w, "user name or password is wrong", http.StatusUnauthorized)
		return
	}
	token, err := a.tokens.issue(who.User, acc.scope)
	if err != nil {
		http.Error(w, "no token at the moment", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "seconds": a.tokens.life.Seconds()})
}

func serveClient(w http.ResponseWriter, r *http.Request) {
	for _, examples := range []string{"..", "examples"} { // seen from here, or from the repository's root
		path := filepath.Join(examples, "app", "node_modules", "socket.io-client", "dist", clientFile)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			http.ServeFile(w, r, path)
			return
		}
	}
	http.Redirect(w, r, clientCDN, http.StatusFound)
}
