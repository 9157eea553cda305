package e2e

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
)

// tailServer serves what frontail serves: the page and its files, the same client library, and the events.
func tailServer(t *testing.T, addr string, lines []string) *running {
	t.Helper()
	modules := filepath.Join("node", "node_modules")
	web := filepath.Join(modules, "frontail", "web")
	page, err := os.ReadFile(filepath.Join(web, "index.html"))
	require.NoError(t, err, "run npm ci in e2e/node")
	script, err := os.ReadFile(filepath.Join(modules, "socket.io-client", "dist", "socket.io.js"))
	require.NoError(t, err)
	require.Contains(t, string(script[:100]), "Socket.IO v2.3.0")

	srv := socketio.NewServer(&socketio.Options{AllowEIO3: true})
	srv.Namespace("/log").On("connect", func(c *socketio.Context) error {
		_ = c.Emit("options:lines", 2)
		_ = c.Emit("options:highlightConfig", map[string]any{"words": map[string]string{"line": "color:red"}})
		for _, line := range lines {
			if err := c.Emit("line", line); err != nil {
				return err
			}
		}
		return nil
	})
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(filepath.Join(web, "assets"))))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = strings.NewReplacer("__TITLE__", "a log", "__THEME__", "default", "__PATH__", "", "__NAMESPACE__", "log").WriteString(w, string(page))
	})
	mux.HandleFunc("/socket.io/socket.io.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = w.Write(script)
	})
	mux.Handle("/socket.io/", srv)
	listener, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	r := &running{t, listener.Addr().String(), srv, &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}}
	go func() { _ = r.web.Serve(listener) }()
	t.Cleanup(r.stop)
	return r
}

// TestPublicPage opens the page of frontail on this server. frontail is an npm program that shows a log, and still uses
// Socket.IO 2.
func TestPublicPage(t *testing.T) {
	enableAtNight(t)
	t.Parallel()
	server := tailServer(t, "127.0.0.1:0", []string{"first", "second é€", "third <b>line</b>"})
	script := startScript(t, "tail", "PAGE_URL="+server.url(), "CHROMIUM="+chromium(t))
	emit := func(lines ...string) {
		for _, line := range lines {
			assert.NoError(t, server.srv.Namespace("/log").Emit("line", line))
		}
	}
	script.expect("loaded")
	emit("live 1")
	script.expect("paused")
	emit("unseen", "unseen")
	script.expect("filtered")
	emit("hay", "a needle")
	script.expect("restart, please")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, server.srv.Shutdown(ctx))
	server.stop()
	tailServer(t, server.addr, []string{"needle after the restart"})
	script.wait()
}
