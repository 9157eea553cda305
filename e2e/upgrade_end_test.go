package e2e

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio"
)

// TestEndDuringUpgrade ends a socket, its connection and the server while the
// client has paused polling and has not yet sent its UPGRADE packet.
func TestEndDuringUpgrade(t *testing.T) {
	enable(t)
	t.Parallel()
	for how, reason := range map[string]string{
		"disconnect": "io server disconnect",
		"close":      "io server disconnect",
		"shutdown":   "transport close",
	} {
		for _, client := range []string{"socket.io-client-3", "socket.io-client-4"} {
			t.Run(how+"/"+client, func(t *testing.T) {
				t.Parallel()
				srv := socketio.NewServer(&socketio.Options{
					Logger:         slog.New(slog.DiscardHandler),
					UpgradeTimeout: time.Minute, // node may take long to start another node
				})
				t.Cleanup(func() { assert.NoError(t, srv.Close()) })
				mux := http.NewServeMux()
				connected := make(chan struct{})
				mux.HandleFunc("/connected", func(http.ResponseWriter, *http.Request) { close(connected) })
				mux.HandleFunc("/socket.io/", func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Upgrade") != "" {
						<-connected
					}
					srv.ServeHTTP(w, r)
				})
				shutdown := make(chan error, 1)
				mux.HandleFunc("/end", func(w http.ResponseWriter, r *http.Request) {
					switch s := srv.Socket(r.FormValue("sid")); {
					case s == nil:
						http.Error(w, "no such socket", http.StatusNotFound)
					case how == "disconnect":
						s.Disconnect()
					case how == "close":
						s.CloseConnection()
					default:
						go func() { shutdown <- srv.Shutdown(t.Context()) }()
						<-s.Context().Done()
					}
				})
				web := httptest.NewServer(mux)
				defer web.Close()
				script := startScript(t, "upgrade-end", "SERVER_URL="+web.URL, "CLIENT="+client, "TRANSPORT=upgrade", "REASON="+reason)
				script.wait()
				if how == "shutdown" {
					assert.NoError(t, <-shutdown)
				}
			})
		}
	}
}
