package main

import (
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

//go:embed static
var static embed.FS

var templates = template.Must(template.ParseFS(static, "static/*.html"))

// clientFile is the official client, which "npm ci" in examples/app installs;
// without it the page loads it from its CDN, and checks its hash.
const (
	clientFile      = "socket.io.min.js"
	clientCDN       = "https://cdn.socket.io/4.8.3/" + clientFile
	clientIntegrity = "sha384-kzavj5fiMwLKzzD1f8S7TeoVIEi7uKHvbTA3ueZkrzYq75pNQUiUi6Dy98Q3fxb0"
)

// findClient returns the directory of the official client, "" if it is not
// installed. It must be in the one asked for, if any.
func findClient(asked string) (string, error) {
	dist := filepath.Join("app", "node_modules", "socket.io-client", "dist")
	dirs := []string{filepath.Join("..", dist), filepath.Join("examples", dist)} // seen from here, or from the repository's root
	if asked != "" {
		dirs = []string{asked}
	}
	for _, dir := range dirs {
		if info, err := os.Stat(filepath.Join(dir, clientFile)); err == nil && info.Mode().IsRegular() {
			return dir, nil
		}
	}
	if asked != "" {
		return "", fmt.Errorf("no %s in %s: give -client-dir the dist directory of the npm package socket.io-client, or leave it out",
			clientFile, asked)
	}
	return "", nil
}

func (a *app) serveClient(w http.ResponseWriter, r *http.Request) {
	if a.cfg.clientDir == "" {
		http.NotFound(w, r)
		return
	}
	http.ServeFile(w, r, filepath.Join(a.cfg.clientDir, clientFile))
}

func (a *app) chatPage(w http.ResponseWriter, r *http.Request) {
	if a.sessions.GetString(r.Context(), userKey) == "" {
		page := "/signup"
		if _, err := r.Cookie(accountCookie); err == nil {
			page = "/login"
		}
		http.Redirect(w, r, page, http.StatusSeeOther)
		return
	}
	show(w, http.StatusOK, "chat.html", struct {
		Local          bool
		CDN, Integrity string
	}{a.cfg.clientDir != "", clientCDN, clientIntegrity})
}

// accountCookie is in browsers in which somebody has had an account: they see the form
// to log in first, and all others the one to sign up.
const accountCookie = "chat-account"

func (a *app) rememberAccount(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: accountCookie, Value: "1", Path: "/", MaxAge: int((365 * 24 * time.Hour).Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: a.cfg.behindProxy})
}

// gatePage shows the form to log in, or to sign up.
func (a *app) gatePage(w http.ResponseWriter, r *http.Request) {
	if a.sessions.GetString(r.Context(), userKey) != "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	a.showGate(w, r, http.StatusOK, nil)
}

// showGate shows the form of the request's path, with what was wrong and the name that was entered.
func (a *app) showGate(w http.ResponseWriter, r *http.Request, status int, wrong error) {
	data := struct {
		User, Error string
		SignUp      bool
	}{User: r.PostForm.Get("user"), SignUp: r.URL.Path == "/signup"}
	if wrong != nil {
		data.Error = wrong.Error()
	}
	show(w, status, "login.html", data)
}

// show shows a page. Browsers run no script in it and load nothing that is not
// ours, and keep it for nobody who uses them later.
func show(w http.ResponseWriter, status int, page string, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; script-src 'self' https://cdn.socket.io; "+
		"connect-src 'self' ws: wss:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = templates.ExecuteTemplate(w, page, data) // an error means that the browser has gone
}

// cached has browsers ask whether a file has changed.
func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// sessionError answers what is no fault of the client.
func sessionError(w http.ResponseWriter, r *http.Request, err error) {
	slog.Error("chat: a request failed", "path", r.URL.Path, "error", err)
	http.Error(w, "something went wrong here: try again later", http.StatusInternalServerError)
}
