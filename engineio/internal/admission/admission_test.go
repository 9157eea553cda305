package admission

import (
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDefaultConnections(t *testing.T) {
	for files, want := range map[uint64]int{0: 100_000, 256: 512, 1024: 2048, 50_000: 100_000, 50_001: 100_000, 1 << 20: 100_000, math.MaxInt64: 100_000, math.MaxUint64: 100_000} {
		assert.Equal(t, want, connectionsFor(files), "%d files", files)
	}
	assert.Equal(t, connectionsFor(openFiles()), DefaultConnections())
}

// All large headers together are bounded; ordinary ones always pass, and what has ended is given back.
func TestHeadersTogether(t *testing.T) {
	request := func(cookie int) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/engine.io/?EIO=4&transport=polling", nil)
		r.Header.Set("Cookie", strings.Repeat("x", cookie))
		return r
	}
	var h Headers
	_, err := h.Take(request(70_000))
	assert.Equal(t, ErrHeader, err)
	assert.Zero(t, h.Held())

	var sizes []int
	for {
		size, err := h.Take(request(60_000))
		if err != nil {
			assert.Equal(t, ErrHeaders, err)
			break
		}
		sizes = append(sizes, size)
	}
	assert.InDelta(t, headerBudget/60_000, len(sizes), 10)
	size, err := h.Take(request(4000))
	assert.Zero(t, size)
	assert.NoError(t, err)
	for _, size := range sizes {
		h.Give(size)
	}
	assert.Zero(t, h.Held())
}
