package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/faulty"
)

// These tests use the clients of Socket.IO 1 and 2. The clients go through one list of behaviours (node/old-list.js) over every
// transport that they have.
var oldClients = []string{"socket.io-client-1-7", "socket.io-client-2-0", "socket.io-client-2-5"}

// oldServer is a server with Options.AllowEIO3 and what the list needs.
func oldServer() *socketio.Server {
	srv := socketio.NewServer(&socketio.Options{AllowEIO3: true, PingInterval: 400 * time.Millisecond, PingTimeout: 8 * time.Second})
	oldHandlers(srv)
	return srv
}

// oldHandlers registers what the list needs.
func oldHandlers(srv *socketio.Server) {
	echo := func(c *socketio.Context, args ...any) (socketio.Args, error) { return args, nil }
	srv.On("connect", func(c *socketio.Context) error {
		return c.Emit("welcome", socketio.Args{c.ID(), c.Request().URL.Query().Get("token")})
	})
	srv.On("echo", echo)
	srv.On("ask", func(c *socketio.Context, q string) error {
		return c.Emit("question", socketio.Args{q, []byte{1, 2, 3, 4}}, socketio.OnAck(func(c *socketio.Context, answer string, data []byte) error {
			return c.Emit("answered", socketio.Args{answer, data})
		}))
	})
	srv.On("number", func(c *socketio.Context, n any) error { return c.Emit("number", n) })
	srv.On("size", func(c *socketio.Context, v any) int {
		switch v := v.(type) {
		case string:
			return len(v)
		case []byte:
			return len(v)
		}
		return -1
	})
	srv.On("make", func(c *socketio.Context, n int) string { return strings.Repeat("z", n) })
	srv.On("make binary", func(c *socketio.Context, n int) []byte { return make([]byte, n) })
	srv.On("join", func(c *socketio.Context) error { return c.Join("room") })
	srv.On("join and shout", func(c *socketio.Context) error {
		if err := c.Join("room"); err != nil {
			return err
		}
		return c.Emit("news", socketio.Args{"näws", []byte{1, 2, 3}}, socketio.To("room"))
	})
	chat := srv.Namespace("/chat")
	chat.On("connect", func(c *socketio.Context, auth map[string]string) error {
		return c.Emit("welcome", socketio.Args{c.ID(), auth})
	})
	chat.On("echo", echo)
	chat.On("go", func(c *socketio.Context) { c.Disconnect() })
	srv.Namespace("/deny").On("connect", func(c *socketio.Context) error { return &socketio.Error{Message: "denied"} })
	srv.Namespace("/data").On("connect", func(c *socketio.Context) error {
		return &socketio.Error{Message: "denied", Data: map[string]int{"code": 7}}
	})
}

// serveOld serves oldServer, and pages with an old client.
func serveOld(t *testing.T, addr string) *running {
	t.Helper()
	return serveOldPages(t, addr, oldServer())
}

// serveOldPages serves srv, and pages that go through the list.
func serveOldPages(t *testing.T, addr string, srv *socketio.Server) *running {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!doctype html><title>old</title><body><script src="/client/%s/dist/socket.io.js"></script><script src="/list.js"></script>`, r.FormValue("client"))
	})
	mux.Handle("/client/", http.StripPrefix("/client/", http.FileServer(http.Dir(filepath.Join("node", "node_modules")))))
	mux.HandleFunc("/list.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join("node", "old-list.js"))
	})
	r := &running{t, listener.Addr().String(), srv, &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}}
	go func() { _ = r.web.Serve(listener) }()
	t.Cleanup(r.stop)
	return r
}

// eachOld runs a test for each old client and transport.
func eachOld(t *testing.T, test func(t *testing.T, client, transport string)) {
	for _, client := range oldClients {
		for _, transport := range everyTransport {
			t.Run(client+"/"+transport, func(t *testing.T) {
				t.Parallel()
				test(t, client, transport)
			})
		}
	}
}

// TestOldClients has old clients and one of today go through the list.
func TestOldClients(t *testing.T) {
	enable(t)
	t.Parallel()
	eachOld(t, func(t *testing.T, client, transport string) {
		startScript(t, "old", "SERVER_URL="+serveOld(t, "127.0.0.1:0").url(), "CLIENT="+client, "TRANSPORT="+transport).wait()
	})
}

// TestOldClientsInABrowser has pages in Chromium go through the list, also with JSONP.
func TestOldClientsInABrowser(t *testing.T) {
	enableAtNight(t)
	t.Parallel()
	browser := chromium(t)
	server := serveOld(t, "127.0.0.1:0")
	startScript(t, "old-page", "PAGE_URL="+server.url(), "CHROMIUM="+browser, "CLIENTS="+strings.Join(oldClients, ",")).wait()
	assert.Zero(t, server.srv.Stats().Refused["malformed"])
}

// TestOldClientsOverABadNetwork goes through the list with delay, jitter and packet loss.
func TestOldClientsOverABadNetwork(t *testing.T) {
	enable(t)
	t.Parallel()
	eachOld(t, func(t *testing.T, client, transport string) {
		server := serveOld(t, "127.0.0.1:0")
		proxy, err := faulty.NewProxy(server.addr, 1)
		require.NoError(t, err)
		t.Cleanup(func() { proxy.Close() })
		proxy.Set(faulty.Conditions{
			Up:   faulty.Link{Delay: 5 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.01, Retransmit: 100 * time.Millisecond},
			Down: faulty.Link{Delay: 5 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.01, Retransmit: 100 * time.Millisecond},
		})
		startScript(t, "old", "SERVER_URL=http://"+proxy.Addr(), "CLIENT="+client, "TRANSPORT="+transport).wait()
	})
}

// TestOldClientsComeBack restarts the server under old clients.
func TestOldClientsComeBack(t *testing.T) {
	enable(t)
	t.Parallel()
	eachOld(t, func(t *testing.T, client, transport string) {
		server := serveOld(t, "127.0.0.1:0")
		script := startScript(t, "old-restart", "SERVER_URL="+server.url(), "CLIENT="+client, "TRANSPORT="+transport)
		script.expect("connected")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		require.NoError(t, server.srv.Shutdown(ctx))
		server.stop()
		script.expect("disconnected")
		serveOld(t, server.addr)
		script.expect("reconnected")
		script.wait()
	})
}
