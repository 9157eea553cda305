package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
)

// originRow is a page that connects to a server, over each transport.
type originRow struct {
	// page and server are URLs. In them, :own stands for the server's port, :page
	// for the port of the pages, :other for another port.
	page, server string
	options      string // of the server: a key of originOptions
	credentials  bool   // the client's option withCredentials
	header       bool   // the client sends a header that needs a preflight; only polling can
	cookie       bool   // the browser has a cookie for the server, with SameSite=Lax

	polling, websocket originResult
}

// originResult is the outcome for a page.
type originResult int

const (
	connects   originResult = iota // without a cookie
	withCookie                     // connects, and the server gets the cookie
	refused                        // by the server
	hidden                         // the server answers, but the browser does not let the page see it
)

const loopback = "http://127.0.0.1:own"

// originOptions are the options of the servers; :page is the port of the pages.
var originOptions = map[string]socketio.Options{
	"none":           {},
	"exact":          {AllowedOrigins: []string{"http://127.0.0.1:page", "http://[::1]:page6"}},
	"wildcard":       {AllowedOrigins: []string{"http://*.example.test:page"}},
	"any":            {AllowedOrigins: []string{"*"}},
	"any trusted":    {AllowedOrigins: []string{"*"}, CredentialsForAnyOrigin: true},
	"null":           {AllowedOrigins: []string{"null"}},
	"no credentials": {AllowedOrigins: []string{"http://127.0.0.1:page"}, DisableCredentials: true},
	"function":       {AllowOrigin: func(_ *http.Request, origin string) bool { return origin == "null" }},
}

var originTable = []originRow{
	// The server's own origin is its host and port, by the name that the page uses.
	{page: "http://127.0.0.1:own", server: loopback, options: "none"},
	{page: "http://localhost:own", server: "http://localhost:own", options: "none"},
	{page: "http://app.example.test:own", server: "http://app.example.test:own", options: "none"},
	{page: "http://127.0.0.1:own", server: loopback, options: "none", cookie: true, polling: withCookie, websocket: withCookie},
	{page: "http://127.0.0.1:own", server: loopback, options: "none", header: true},
	// Without options no other origin is allowed.
	{page: "http://localhost:own", server: loopback, options: "none", polling: refused, websocket: refused},
	{page: "http://127.0.0.1:page", server: loopback, options: "none", polling: refused, websocket: refused},
	{page: "http://[::1]:page6", server: loopback, options: "none", polling: refused, websocket: refused},
	{page: "http://127.0.0.1:page", server: loopback, options: "none", cookie: true, credentials: true, polling: refused, websocket: refused},
	{page: "http://127.0.0.1:page", server: loopback, options: "none", header: true, polling: refused, websocket: refused},
	{page: "http://127.0.0.1:page/sandbox", server: loopback, options: "none", polling: refused, websocket: refused},

	// An origin that is allowed must match exactly: scheme, name and port.
	{page: "http://127.0.0.1:page", server: loopback, options: "exact"},
	{page: "http://[::1]:page6", server: loopback, options: "exact"},
	{page: "http://127.0.0.1:page", server: loopback, options: "exact", header: true},
	{page: "http://localhost:page", server: loopback, options: "exact", polling: refused, websocket: refused},
	{page: "http://localhost:page", server: loopback, options: "exact", header: true, polling: refused, websocket: refused},
	{page: "http://127.0.0.1:other", server: loopback, options: "exact", polling: refused, websocket: refused},
	{page: "http://127.0.0.1:page/sandbox", server: loopback, options: "exact", polling: refused, websocket: refused},
	// The server's own origin remains allowed.
	{page: "http://127.0.0.1:own", server: loopback, options: "exact"},

	// Cookies: a polling page of another origin asks for them, a WebSocket always has them.
	{page: "http://127.0.0.1:page", server: loopback, options: "exact", cookie: true, websocket: withCookie},
	{page: "http://127.0.0.1:page", server: loopback, options: "exact", cookie: true, credentials: true, polling: withCookie, websocket: withCookie},
	{page: "http://127.0.0.1:page", server: loopback, options: "exact", cookie: true, credentials: true, header: true, polling: withCookie, websocket: withCookie},
	{page: "http://127.0.0.1:page", server: loopback, options: "exact", credentials: true},
	// A page of another site gets none: such cookies need SameSite=None.
	{page: "http://localhost:page", server: loopback, options: "any trusted", cookie: true, credentials: true},
	// Without the server's consent, the browser hides the answer from a page that sends cookies. WebSocket needs no consent.
	{page: "http://127.0.0.1:page", server: loopback, options: "no credentials", cookie: true, websocket: withCookie},
	{page: "http://127.0.0.1:page", server: loopback, options: "no credentials", cookie: true, credentials: true, polling: hidden, websocket: withCookie},
	{page: "http://127.0.0.1:page", server: loopback, options: "no credentials", credentials: true, header: true, polling: hidden},

	// Subdomains, however deep, of one port.
	{page: "http://app.example.test:page", server: loopback, options: "wildcard"},
	{page: "http://an.app.example.test:page", server: loopback, options: "wildcard", credentials: true},
	{page: "http://app.example.test:page", server: loopback, options: "wildcard", header: true},
	{page: "http://example.test:page", server: loopback, options: "wildcard", polling: refused, websocket: refused},
	{page: "http://badexample.test:page", server: loopback, options: "wildcard", polling: refused, websocket: refused},
	{page: "http://app.example.test.evil.test:page", server: loopback, options: "wildcard", polling: refused, websocket: refused},
	{page: "http://app.example.test:other", server: loopback, options: "wildcard", polling: refused, websocket: refused},
	{page: "http://127.0.0.1:page", server: loopback, options: "wildcard", polling: refused, websocket: refused},

	// Any origin.
	{page: "http://localhost:page", server: loopback, options: "any"},
	{page: "http://127.0.0.1:own", server: loopback, options: "any", cookie: true, polling: withCookie, websocket: withCookie},
	// Then WebSocket has no cookies, and over polling the browser hides the answer from a page that sends them.
	{page: "http://127.0.0.1:page", server: loopback, options: "any", cookie: true},
	{page: "http://127.0.0.1:page", server: loopback, options: "any", cookie: true, credentials: true, polling: hidden},
	// CredentialsForAnyOrigin changes that.
	{page: "http://[::1]:page6", server: loopback, options: "any trusted", credentials: true},
	{page: "http://app.example.test:other", server: loopback, options: "any trusted", credentials: true, header: true},
	{page: "http://127.0.0.1:page", server: loopback, options: "any trusted", cookie: true, credentials: true, polling: withCookie, websocket: withCookie},

	// A sandboxed page has the origin "null".
	{page: "http://127.0.0.1:page/sandbox", server: loopback, options: "any"},
	{page: "http://127.0.0.1:page/sandbox", server: loopback, options: "null"},
	{page: "http://127.0.0.1:page", server: loopback, options: "null", polling: refused, websocket: refused},
	{page: "http://127.0.0.1:page/sandbox", server: loopback, options: "function"},
	{page: "http://127.0.0.1:page", server: loopback, options: "function", polling: refused, websocket: refused},
}

// TestOrigins opens pages of several origins in Chromium: who connects, what the
// page sees and what the server logs.
func TestOrigins(t *testing.T) {
	enableAtNight(t)
	t.Parallel()
	browser := chromium(t)
	pages, others := newOriginPages(t, "127.0.0.1:0"), newOriginPages(t, "127.0.0.1:0")
	ports := []string{":page6", ":" + newOriginPages(t, "[::1]:0"), ":page", ":" + pages, ":other", ":" + others}
	servers := make(map[string]*originServer)
	for name, options := range originOptions {
		servers[name] = newOriginServer(t, options, strings.NewReplacer(ports...))
	}
	script := startScript(t, "origins", "CHROMIUM="+browser)
	for i, row := range originTable {
		srv := servers[row.options]
		name := fmt.Sprintf("%s/%s to %s", row.options, row.page, row.server)
		for _, with := range []struct {
			what string
			set  bool
		}{{"credentials", row.credentials}, {"header", row.header}, {"cookie", row.cookie}} {
			if with.set {
				name += " with " + with.what
			}
		}
		t.Run(strings.ReplaceAll(name, "http://", ""), func(t *testing.T) {
			if strings.Contains(row.page, ":page6") && ports[1] == ":" {
				t.Skip("no IPv6 here")
			}
			url := strings.NewReplacer(append([]string{":own", ":" + srv.port}, ports...)...)
			row.page, row.server = url.Replace(row.page), url.Replace(row.server)
			srv.test(t, script, fmt.Sprint(i), row)
		})
	}
	require.NoError(t, script.stdin.Close())
	script.wait()
}

// test opens the page of a row, which connects over each transport.
func (srv *originServer) test(t *testing.T, script *script, id string, row originRow) {
	request := map[string]any{"Row": id, "Page": row.page, "Server": row.server, "Credentials": row.credentials, "Header": row.header}
	if row.cookie {
		request["Cookie"] = "alice"
	}
	line, err := json.Marshal(request)
	require.NoError(t, err)
	_, err = script.stdin.Write(append(line, '\n'))
	require.NoError(t, err)
	type outcome struct{ Outcome, Cookie string }
	var saw struct {
		Polling, WebSocket outcome
		Console            string
	}
	require.NoError(t, json.Unmarshal([]byte(script.next("what the page saw")), &saw))

	scheme, rest, _ := strings.Cut(row.page, "://")
	host, path, _ := strings.Cut(rest, "/")
	origin := scheme + "://" + host
	if path != "" {
		origin = "null"
	}
	_, serverHost, _ := strings.Cut(row.server, "://")
	var log []string
	messages := originMessages(t, origin, row.server)
	if row.header { // the preflight is checked
		messages[1] = "No 'Access-Control-Allow-Origin' header"
	}
	for _, transport := range []struct {
		want             originResult
		got              outcome
		failure, console string // what a refused page sees
	}{
		{row.polling, saw.Polling, "xhr poll error", messages[1]},
		{row.websocket, saw.WebSocket, "websocket error", messages[2]},
	} {
		outcome, cookie := "connected", ""
		switch transport.want {
		case withCookie:
			cookie = "alice"
		case hidden:
			outcome = transport.failure
			assert.Regexp(t, "'Access-Control-Allow-(Credentials|Origin)' header", saw.Console)
		case refused:
			outcome = transport.failure
			assert.Contains(t, query.ReplaceAllString(saw.Console, "?...'"), transport.console)
			log = append(log, "engineio: "+messages[0])
		}
		assert.Equal(t, outcome, transport.got.Outcome)
		assert.Equal(t, cookie, transport.got.Cookie)
	}
	if row.polling <= withCookie && row.websocket <= withCookie {
		assert.Empty(t, saw.Console)
	}
	gotLog, preflights := srv.take(id)
	assert.Equal(t, log, gotLog, "what the server logged")
	assert.Equal(t, row.header && origin != "http://"+serverHost, preflights > 0, "%d preflights", preflights)
}

var query = regexp.MustCompile(`\?[^']*'`)

// originMessages are the messages that docs/cors.md shows: the server's, and the browser's
// over polling and over WebSocket.
func originMessages(t *testing.T, origin, server string) []string {
	t.Helper()
	messages := docBlocks(t, "cors.md", "text")
	require.Len(t, messages, 3)
	_, host, _ := strings.Cut(server, "://")
	real := strings.NewReplacer("https://api.example.com", server, "wss://api.example.com", "ws://"+host,
		`"api.example.com"`, strconv.Quote(host), "https://app.example.com", origin)
	for i, m := range messages {
		messages[i] = query.ReplaceAllString(real.Replace(strings.TrimSpace(m)), "?...'")
	}
	return messages
}

// newOriginPages serves the page of a site that is not the server's, and returns
// its port, or "" if this machine does not have the address.
func newOriginPages(t *testing.T, addr string) string {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return ""
	}
	web := httptest.NewUnstartedServer(originPages())
	web.Listener.Close()
	web.Listener = listener
	web.Start()
	t.Cleanup(web.Close)
	return portOf(listener)
}

func portOf(l net.Listener) string { return fmt.Sprint(l.Addr().(*net.TCPAddr).Port) }

// originPages is an empty page with the client in it, at /sandbox without an
// origin of its own.
func originPages() http.Handler {
	mux := http.NewServeMux()
	page := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/sandbox" {
			w.Header().Set("Content-Security-Policy", "sandbox allow-scripts")
		}
		_, _ = io.WriteString(w, `<!doctype html><title>page</title><link rel="icon" href="data:,"><script src="/client.js"></script>`)
	}
	mux.HandleFunc("/{$}", page)
	mux.HandleFunc("/sandbox", page)
	mux.HandleFunc("/client.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join("node", "node_modules", "socket.io-client-4", "dist", "socket.io.min.js"))
	})
	return mux
}

// originServer is a server with one set of options.
type originServer struct {
	port string

	mu         sync.Mutex     // protects the following
	log        []string       // why pages were refused
	preflights map[string]int // by row
}

func newOriginServer(t *testing.T, options socketio.Options, ports *strings.Replacer) *originServer {
	t.Helper()
	s := &originServer{preflights: make(map[string]int)}
	var allowed []string
	for _, origin := range options.AllowedOrigins {
		if origin = ports.Replace(origin); !strings.HasSuffix(origin, ":") { // no IPv6 here
			allowed = append(allowed, origin)
		}
	}
	options.AllowedOrigins = allowed
	options.Logger = slog.New(sentences{s})
	srv := socketio.NewServer(&options)
	srv.On("connect", func(c *socketio.Context) error {
		value := ""
		if cookie, err := c.Request().Cookie("visitor"); err == nil {
			value = cookie.Value
		}
		return c.Emit("welcome", value)
	})
	count := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			s.mu.Lock()
			s.preflights[r.URL.Query().Get("row")]++
			s.mu.Unlock()
		}
		srv.ServeHTTP(w, r)
	})
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", count)
	mux.Handle("/", originPages())
	web := httptest.NewServer(mux)
	t.Cleanup(func() {
		assert.NoError(t, srv.Shutdown(context.WithoutCancel(t.Context())))
		web.Close()
	})
	s.port = portOf(web.Listener)
	return s
}

// take returns what was logged since the last call, and the preflights of a row.
func (s *originServer) take(row string) (log []string, preflights int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	log, s.log = s.log, nil
	return log, s.preflights[row]
}

// sentences is a slog.Handler that keeps the messages.
type sentences struct{ s *originServer }

func (h sentences) Enabled(context.Context, slog.Level) bool { return true }
func (h sentences) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h sentences) WithGroup(string) slog.Handler            { return h }
func (h sentences) Handle(_ context.Context, r slog.Record) error {
	if !strings.Contains(r.Message, "is not allowed for host") { // the first is at warn, the others at debug
		return nil
	}
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	h.s.log = append(h.s.log, r.Message)
	return nil
}
