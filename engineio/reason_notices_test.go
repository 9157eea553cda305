package engineio_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// warnings returns the lines of the log at level warn.
func (h *host) warnings() (lines []string) {
	for line := range strings.Lines(h.logged()) {
		if strings.Contains(line, "level=WARN") {
			lines = append(lines, line)
		}
	}
	return lines
}

// Each kind of cut is one line at warn with what changes it, however often it comes; what was left out is counted.
func TestCutsAreNoticed(t *testing.T) {
	post := func(body string) func(*testing.T, *host) {
		return func(t *testing.T, h *host) {
			raw, p := h.raw()
			_, err := raw.Post(t.Context(), body)
			require.NoError(t, err)
			next(t, p.ended)
		}
	}
	for name, tt := range map[string]struct {
		cut  func(*testing.T, *host)
		want []string
	}{
		"message above the limit": {post("4" + strings.Repeat("x", 100)), []string{"Options.Limits.MaxPayload", "reason=\"transport error\""}},
		"message above the limit, WebSocket": {func(t *testing.T, h *host) {
			c, p := h.connect(eiotest.WebSocket)
			_ = c.Send(strings.Repeat("x", 100))
			next(t, p.ended)
		}, []string{"Options.Limits.MaxPayload", "reason=\"transport close\""}},
		"protocol error": {post("xyz"), []string{"broke the protocol", "unknown packet type"}},
		"overlapping polls": {func(t *testing.T, h *host) {
			raw, p := h.raw()
			go raw.Get(t.Context())
			synctest.Wait()
			_, err := raw.Get(t.Context())
			require.NoError(t, err)
			next(t, p.ended)
		}, []string{"two of its requests", "a poll came while another one waited"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, &engineio.Options{Limits: engineio.Limits{MaxPayload: 50}}, nil)
				for range 5 {
					tt.cut(t, h)
				}
				synctest.Wait()
				lines := h.warnings()
				require.Len(t, lines, 1)
				for _, want := range append(tt.want, "remote=") {
					assert.Contains(t, lines[0], want)
				}
				for _, p := range h.all {
					assert.NotContains(t, h.logged(), p.ID(), "a session id in the log")
				}
				time.Sleep(time.Minute)
				tt.cut(t, h)
				synctest.Wait()
				lines = h.warnings()
				require.Len(t, lines, 2)
				assert.Contains(t, lines[1], "omitted=4")
			})
		})
	}
}

// What happens every day is no warning.
func TestOrdinaryEndsAreNotNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		for _, mode := range []eiotest.Mode{eiotest.Polling, eiotest.WebSocket} {
			c, p := h.connect(mode)
			c.Close()
			next(t, p.ended)
			c, p = h.connect(mode)
			c.Abort()
			next(t, p.ended)
			_, p = h.connect(mode)
			p.Close(engineio.ReasonServerDisconnect, nil)
			next(t, p.ended)
		}
		assert.Empty(t, h.warnings())
	})
}

// writerWithout is middleware that keeps deadlines away.
type writerWithout struct{ http.ResponseWriter }

func TestDefeatedDeadlinesAreNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		tr := eiotest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.srv.ServeHTTP(writerWithout{w}, r)
		}), nil)
		for range 3 {
			raw := eiotest.Raw{Transport: tr}
			_, _, err := raw.Handshake(t.Context())
			require.NoError(t, err)
			_, err = raw.Post(t.Context(), "4x")
			require.NoError(t, err)
		}
		lines := h.warnings()
		require.Len(t, lines, 1)
		assert.Contains(t, lines[0], "SetWriteDeadline")
	})
}
