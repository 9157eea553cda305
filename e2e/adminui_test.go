package e2e

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/adminui"
)

// TestAdminUI drives the official admin page, as npm has it, in Chromium. CI leaves out,
// for a change, the mode that only refuses what another mode allows.
func TestAdminUI(t *testing.T) {
	enable(t)
	t.Parallel()
	browser := chromium(t)
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost)
	require.NoError(t, err)
	page := http.FileServer(http.Dir(filepath.Join("node", "node_modules", "@socket.io", "admin-ui", "ui", "dist")))

	for name, opts := range map[string]adminui.Options{
		"development": {Mode: adminui.Development},
		"read-only":   {Mode: adminui.Development, ReadOnly: true},
		"production":  {},
	} {
		if quick() && opts.ReadOnly {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := socketio.NewServer(&socketio.Options{Logger: slog.New(slog.DiscardHandler), Recovery: &socketio.Recovery{
				For: func(r *http.Request) bool { return r.URL.Query().Get("recover") == "1" },
			}})
			srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
			srv.On("say", func(c *socketio.Context, text string) error {
				return c.Emit("said", text, socketio.Broadcast())
			})
			srv.On("rooms", func(c *socketio.Context) (any, error) { return c.Rooms(), nil })
			opts.Username, opts.PasswordHash, opts.ServerID = "admin", string(hash), "the-server"
			opts.Logger = slog.New(slog.DiscardHandler)
			ui, err := adminui.Instrument(srv, opts)
			require.NoError(t, err)
			mux := http.NewServeMux()
			mux.Handle("/socket.io/", srv)
			mux.Handle("/", page)
			web := httptest.NewServer(mux)
			t.Cleanup(func() {
				ui.Close()
				require.NoError(t, srv.Shutdown(context.Background()))
				web.Close()
			})
			startScript(t, "adminui", "SERVER_URL="+web.URL, "CHROMIUM="+browser, "MODE="+name).wait()
		})
	}
}
