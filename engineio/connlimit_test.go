package engineio_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// A negative MaxConnections is no limit; see TestMaxConnections for one.
func TestMaxConnectionsNegative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{Limits: engineio.Limits{MaxConnections: -1}}, nil)
		for range 10 {
			h.raw()
		}
	})
}

// Handshakes with absurd headers are refused, however they come by their size; what an application needs is kept.
func TestHandshakeHeaders(t *testing.T) {
	many := http.Header{}
	for i := range 600 {
		many.Set(fmt.Sprintf("X-%d", i), "")
	}
	for name, tt := range map[string]struct {
		header http.Header
		good   bool
	}{
		"cookies":        {http.Header{"Cookie": {strings.Repeat("x", 30_000)}}, true},
		"a large cookie": {http.Header{"Cookie": {strings.Repeat("x", 70_000)}}, false},
		"many fields":    {many, false},
	} {
		eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
			h := newHost(t, nil, nil)
			c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: mode, Transport: h.tr, Header: tt.header})
			if !tt.good {
				wantRefused(t, nil, err, http.StatusRequestHeaderFieldsTooLarge, "3", "the request header is too large")
				assert.Empty(t, h.peers, name)
				return
			}
			require.NoError(t, err)
			defer c.Abort()
			assert.Equal(t, tt.header["Cookie"], h.peer().Request().Header["Cookie"], name)
		}, eiotest.Polling, eiotest.WebSocket)
	}
}
