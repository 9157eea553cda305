package e2e

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio"
)

// TestSubprotocols: the official client's option protocols works over WebSocket and across the upgrade, with compression
// and without.
func TestSubprotocols(t *testing.T) {
	enable(t)
	t.Parallel()
	for _, deflate := range []string{"0", "1"} {
		for _, transport := range []string{"websocket", "upgrade"} {
			t.Run(transport+"/deflate "+deflate, func(t *testing.T) {
				srv := socketio.NewServer(&socketio.Options{Logger: slog.New(slog.DiscardHandler), PerMessageDeflate: deflate == "1"})
				web := httptest.NewServer(srv)
				t.Cleanup(func() {
					assert.NoError(t, srv.Shutdown(context.WithoutCancel(t.Context())))
					web.Close()
				})
				startScript(t, "subprotocols", "SERVER_URL="+web.URL, "TRANSPORT="+transport, "DEFLATE="+deflate).wait()
			})
		}
	}
}
