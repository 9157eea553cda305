package engineio

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio/internal/admission"
)

// The memory of large headers is given back when a handshake is refused, and bounded over all connections.
func TestHandshakeHeadersTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, err := NewServer(&Options{OnConnect: func(*Conn) (Receiver, error) { return nil, &Refusal{Message: "no"} }})
		require.NoError(t, err)
		request := func(cookie int) *http.Request {
			r := httptest.NewRequest(http.MethodGet, "/engine.io/?EIO=4&transport=polling", nil)
			r.Header.Set("Cookie", strings.Repeat("x", cookie))
			return r
		}
		status := func(r *http.Request) int {
			w := httptest.NewRecorder()
			srv.ServeHTTP(w, r)
			synctest.Wait()
			return w.Code
		}
		require.Equal(t, http.StatusForbidden, status(request(60_000)))
		assert.Zero(t, srv.headers.Held())

		held := 0
		for err == nil {
			var size int
			size, err = srv.headers.Take(request(60_000))
			held += size
		}
		require.Equal(t, admission.ErrHeaders, err)
		assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, status(request(60_000)))
		assert.Equal(t, http.StatusForbidden, status(request(4000)), "ordinary ones always pass")
		srv.headers.Give(held)
		assert.Zero(t, srv.headers.Held())
	})
}

func TestDefaultMaxConnections(t *testing.T) {
	for set, want := range map[int]int{0: admission.DefaultConnections(), -1: -1, 7: 7} {
		o, err := (&Options{OnConnect: func(*Conn) (Receiver, error) { return nil, nil }, Limits: Limits{MaxConnections: set}}).withDefaults()
		require.NoError(t, err)
		assert.Equal(t, want, o.Limits.MaxConnections)
	}
}
