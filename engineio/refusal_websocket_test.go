package engineio_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// A ResponseWriter that cannot be hijacked, such as that of HTTP/2 or of middleware, is no reason to panic or hang.
func TestWebSocketWithoutHijacker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		tr := eiotest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.srv.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
		}), nil)
		_, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: eiotest.WebSocket, Transport: tr})
		wantRefused(t, nil, err, http.StatusNotImplemented, "3", "this connection cannot become a WebSocket")
		assert.Empty(t, h.peers, "the application does not hear of it")
		assert.Zero(t, h.srv.Stats().Opened)

		c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Transport: tr})
		require.NoError(t, err)
		defer c.Abort()
		p := h.peer()
		var refused *eiotest.RefusedError
		assert.ErrorAs(t, c.Upgrade(t.Context()), &refused)
		p.isOpen(c)
	})
}

// A Hijacker that fails is found out when OnConnect has accepted: the session ends, once, with the refusal that the client
// gets; nothing of it is left. An upgrade that fails like that leaves the session as it was.
func TestWebSocketWhoseHijackFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		tr := eiotest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.srv.ServeHTTP(unhijackable{w}, r)
		}), nil)
		_, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: eiotest.WebSocket, Transport: tr})
		wantRefused(t, nil, err, http.StatusNotImplemented, "3", "this connection cannot become a WebSocket (middleware says no)")
		p := h.peer()
		why := p.wantClosed(engineio.ReasonTransportError)
		assert.ErrorContains(t, why, "middleware says no")
		assert.ErrorIs(t, p.SendText("late"), engineio.ErrClosed)
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
		stats := h.srv.Stats()
		assert.Equal(t, uint64(1), stats.Opened)
		assert.Equal(t, uint64(1), stats.Closed[engineio.ReasonTransportError])
		assert.Equal(t, uint64(1), stats.Refused["no upgrade"])
		assert.Zero(t, stats.WebSocket)

		c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Transport: tr})
		require.NoError(t, err)
		defer c.Abort()
		p = h.peer()
		var refused *eiotest.RefusedError
		assert.ErrorAs(t, c.Upgrade(t.Context()), &refused)
		p.isOpen(c)
	})
}

// A client that offers subprotocols gets the first, with compression or without.
func TestSubprotocols(t *testing.T) {
	for name, opts := range map[string]*engineio.Options{"plain": nil, "deflate": {PerMessageDeflate: true}} {
		for _, mode := range []eiotest.Mode{eiotest.WebSocket, eiotest.Upgrade} {
			t.Run(name+"/"+string(mode), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHost(t, opts, nil)
					raw := &eiotest.Raw{Transport: h.tr}
					if mode.Current() == eiotest.Upgrade {
						raw, _ = h.raw()
					}
					for _, offer := range [][]string{{"arduino"}, {"b.x", "a"}, nil} {
						ws, resp, err := raw.DialWS(t.Context(), &websocket.DialOptions{Subprotocols: offer, CompressionMode: websocket.CompressionNoContextTakeover})
						require.NoError(t, err)
						want := ""
						if offer != nil {
							want = offer[0]
						}
						assert.Equal(t, want, resp.Header.Get("Sec-Websocket-Protocol"))
						assert.Equal(t, want, ws.Subprotocol())
						assert.Equal(t, opts != nil, resp.Header.Get("Sec-Websocket-Extensions") != "")
						_ = ws.CloseNow()
					}
				})
			})
		}
	}
}
