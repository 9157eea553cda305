package main

import (
	"embed"
	"encoding/json"
	"log/slog"
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

// handler serves the page, its requests, the client, and Socket.IO. Socket.IO is
// not behind the session middleware: that would load the session once, at the
// handshake, where every event has to see it as it is by then.
func (a *app) handler() http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /{$}", a.page)
	pages.HandleFunc("GET /session", a.getSession)
	pages.HandleFunc("POST /session", a.setSession)

	mux := http.NewServeMux()
	mux.Handle("/", http.NewCrossOriginProtection().Handler(a.sessions.LoadAndSave(pages)))
	mux.Handle("/socket.io/", a.srv)
	mux.Handle("GET /static/", http.FileServerFS(static))
	mux.HandleFunc("GET /client/"+clientFile, serveClient)
	return mux
}

// page gives every visitor a session, and the cookie that goes with it.
func (a *app) page(w http.ResponseWriter, r *http.Request) {
	if !a.sessions.Exists(r.Context(), keyValue) {
		a.sessions.Put(r.Context(), keyValue, "")
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; "+
		"script-src 'self' https://cdn.socket.io; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'self'")
	http.ServeFileFS(w, r, static, "static/page.html")
}

func (a *app) getSession(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(a.state(r.Context())) // an error means that the browser has gone
}

func (a *app) setSession(w http.ResponseWriter, r *http.Request) {
	var ch change
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 10_000)).Decode(&ch); err != nil {
		http.Error(w, `want {"session": "..."}, {"user": "..."} or {"user": null}`, http.StatusBadRequest)
		return
	}
	token := a.sessions.Token(r.Context())
	_, login := ch["user"]
	if login { // and logout: whoever had the token before must not be who the browser is now
		if err := a.sessions.RenewToken(r.Context()); err != nil {
			slog.Error("sessions: renewing the token", "error", err)
			http.Error(w, "session not available", http.StatusInternalServerError)
			return
		}
	}
	a.apply(r.Context(), ch)
	w.WriteHeader(http.StatusNoContent) // saves the session
	if !login {
		if err := a.tell(r.Context()); err != nil {
			slog.Error("sessions: telling the sockets", "error", err)
		}
		return
	}
	// The sockets know the old token only. Once the browser has the new cookie,
	// they have to connect again, which the page makes them do.
	_ = http.NewResponseController(w).Flush()
	for _, n := range []string{"/", "/managed"} {
		sids, _ := a.srv.Namespace(n).Members(room(token)) // the name is not empty
		for _, sid := range sids {
			_ = a.srv.Namespace(n).Disconnect(sid) // an error means that it has left by itself
		}
	}
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
