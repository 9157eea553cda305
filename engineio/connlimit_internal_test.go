package engineio

import (
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDefaultMaxConnections(t *testing.T) {
	for files, want := range map[uint64]int{0: 100_000, 256: 512, 1024: 2048, 50_000: 100_000, 50_001: 100_000, 1 << 20: 100_000, math.MaxInt64: 100_000, math.MaxUint64: 100_000} {
		assert.Equal(t, want, defaultConnections(files), "%d files", files)
	}
	for set, want := range map[int]int{0: defaultConnections(openFiles()), -1: -1, 7: 7} {
		o, err := (&Options{OnConnect: func(*Conn) (Receiver, error) { return nil, nil }, Limits: Limits{MaxConnections: set}}).withDefaults()
		require.NoError(t, err)
		assert.Equal(t, want, o.Limits.MaxConnections)
	}
}

// All large headers together are bounded; ordinary ones always pass, and what has ended is given back.
func TestHandshakeHeadersTogether(t *testing.T) { synctest.Test(t, testHandshakeHeadersTogether) }

func testHandshakeHeadersTogether(t *testing.T) {
	srv, err := NewServer(&Options{OnConnect: func(c *Conn) (Receiver, error) { return nil, &Refusal{Message: "no"} }})
	require.NoError(t, err)
	request := func(cookie int) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/engine.io/?EIO=4&transport=polling", nil)
		r.Header.Set("Cookie", strings.Repeat("x", cookie))
		return r
	}
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, request(60_000))
	require.Equal(t, http.StatusForbidden, w.Code)
	synctest.Wait()
	assert.Zero(t, srv.headers.held.Load(), "that of a refused handshake is given back")

	var sizes []int
	for {
		size, refusal := srv.headers.take(request(60_000))
		if refusal != nil {
			assert.Equal(t, refuseHeaders, refusal)
			break
		}
		sizes = append(sizes, size)
	}
	assert.InDelta(t, headerBudget/60_000, len(sizes), 10)
	size, refusal := srv.headers.take(request(4000))
	assert.Zero(t, size)
	assert.Nil(t, refusal)
	w = httptest.NewRecorder()
	srv.ServeHTTP(w, request(60_000))
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, w.Code)
	for _, size := range sizes {
		srv.headers.give(size)
	}
	assert.Zero(t, srv.headers.held.Load())
}
