package docs_test

import (
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// A producer that is faster than its clients sends short lines, which arrive whole. LINES sets how many.
func TestProducersThatWait(t *testing.T) {
	n := 50_000
	if s := os.Getenv("LINES"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	srv := socketio.NewServer(nil)
	lines := func() iter.Seq[string] {
		return func(yield func(string) bool) {
			for i := range n {
				if !yield(fmt.Sprint("line ", i)) {
					return
				}
			}
		}
	}
	srv.On("tail", func(c *socketio.Context) {
		s := c.Socket
		go func() { // a handler that waits here would hold back the client's next event
			for line := range lines() {
				if s.Buffered() > 256<<10 && s.Flush(s.Context()) != nil {
					return // the client has left
				}
				if s.Emit("line", line) != nil {
					return
				}
			}
		}()
	})
	web := httptest.NewServer(srv)
	defer web.Close()
	defer srv.Shutdown(t.Context())
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()

	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	// receive has a client take the lines: next returns the packets that have arrived.
	receive := func(t *testing.T, next func() []string) {
		most, base := uint64(0), heap()
		for i := 0; i < n; {
			for _, p := range next() {
				if p == "2" {
					continue // a ping: the test is over before it would matter
				}
				require.Equal(t, fmt.Sprintf(`42["line","line %d"]`, i), p)
				if i++; i%(n/10) == 0 {
					most = max(most, heap())
				}
			}
		}
		grown := int64(most) - int64(base)
		t.Logf("%d lines, heap %+d kB at most", n, grown/1000)
		require.Less(t, grown, int64(32<<20), "growth of the heap")
	}
	t.Run("websocket", func(t *testing.T) {
		raw := &eiotest.Raw{Transport: tr, URL: web.URL, Path: "/socket.io/"}
		ws, _, err := raw.DialWS(t.Context(), nil)
		require.NoError(t, err)
		defer ws.CloseNow()
		next := func() []string {
			_, b, err := ws.Read(t.Context())
			require.NoError(t, err)
			return []string{string(b)}
		}
		next() // open
		require.NoError(t, ws.Write(t.Context(), websocket.MessageText, []byte("40")))
		next() // CONNECT
		require.NoError(t, ws.Write(t.Context(), websocket.MessageText, []byte(`42["tail"]`)))
		receive(t, next)
	})
	t.Run("polling", func(t *testing.T) {
		raw := &eiotest.Raw{Transport: tr, URL: web.URL, Path: "/socket.io/"}
		_, _, err := raw.Handshake(t.Context())
		require.NoError(t, err)
		post := func(s string) {
			_, err := raw.Post(t.Context(), s)
			require.NoError(t, err)
		}
		next := func() []string {
			resp, err := raw.Get(t.Context())
			require.NoError(t, err)
			return strings.Split(resp.Body, eiotest.Separator)
		}
		post("40")
		next() // CONNECT
		post(`42["tail"]`)
		receive(t, next)
		post("1")
		next()
	})
}
