package engineio_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// plain returns frames that must not be compressed.
func plain(s string) *engineio.Frames {
	return engineio.TextFrames(s).WithoutCompression()
}

func TestHTTPCompression(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for name, tt := range map[string]struct {
		opts   engineio.Options
		accept string
		send   *engineio.Frames // long if nil
		want   string           // encoding
		vary   bool             // the answer depends on Accept-Encoding
	}{
		"gzip":               {accept: "gzip", want: "gzip", vary: true},
		"deflate":            {accept: "deflate", want: "deflate", vary: true},
		"a browser":          {accept: "gzip, deflate, br, zstd", want: "gzip", vary: true},
		"weights":            {accept: "gzip;q=0.5, deflate;q=0.8", want: "deflate", vary: true},
		"weight zero":        {accept: "gzip;q=0, deflate", want: "deflate", vary: true},
		"both zero":          {accept: "gzip;q=0, deflate;q=0.0", vary: true},
		"any":                {accept: "*", want: "gzip", vary: true},
		"any but gzip":       {accept: "*, gzip;q=0", want: "deflate", vary: true},
		"capitals":           {accept: "GZip", want: "gzip", vary: true},
		"another":            {accept: "br", vary: true},
		"identity":           {accept: "identity", vary: true},
		"none":               {vary: true},
		"disabled":           {opts: engineio.Options{DisableHTTPCompression: true}, accept: "gzip"},
		"not to compress":    {accept: "gzip", send: plain(long)},
		"below default":      {accept: "gzip", send: engineio.TextFrames(long[:1022])},
		"at default":         {accept: "gzip", send: engineio.TextFrames(long[:1023]), want: "gzip", vary: true},
		"at own threshold":   {opts: engineio.Options{HTTPCompressionThreshold: 10}, accept: "gzip", send: engineio.TextFrames("123456789"), want: "gzip", vary: true},
		"below own":          {opts: engineio.Options{HTTPCompressionThreshold: 10}, accept: "gzip", send: engineio.TextFrames("12345678")},
		"binary":             {accept: "gzip", send: engineio.BinaryFrames([]byte(long)), want: "gzip", vary: true},
		"threshold too high": {opts: engineio.Options{HTTPCompressionThreshold: 5000}, accept: "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, &tt.opts, nil)
				raw, p := h.raw()
				if tt.accept != "" {
					raw.Header = http.Header{"Accept-Encoding": {tt.accept}}
				}
				if tt.send == nil {
					tt.send = engineio.TextFrames(long)
				}
				require.NoError(t, p.Send(tt.send))
				resp, err := raw.Get(t.Context())
				require.NoError(t, err)
				assert.Equal(t, tt.want, resp.Header.Get("Content-Encoding"))
				assert.Equal(t, tt.vary, strings.Contains(strings.Join(resp.Header.Values("Vary"), ","), "Accept-Encoding"))
				assert.Equal(t, "text/plain; charset=UTF-8", resp.Header.Get("Content-Type"))
				body, err := eiotest.Decompress(resp)
				require.NoError(t, err)
				if tt.want != "" && len(body) > 1000 {
					assert.Less(t, len(resp.Body), len(body)/2)
				}

				// The same bytes as without compression.
				require.NoError(t, p.Send(tt.send))
				raw.Header = nil
				resp, err = raw.Get(t.Context())
				wantOK(t, resp, err, body)
			})
		})
	}
}

// One message that may be compressed is enough for the payload.
func TestHTTPCompressionOfMixedPayload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		raw.Header = http.Header{"Accept-Encoding": {"gzip"}}
		require.NoError(t, p.Send(plain(strings.Repeat("x", 1000))))
		require.NoError(t, p.Send(engineio.TextFrames(strings.Repeat("y", 1000))))
		resp, err := raw.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "gzip", resp.Header.Get("Content-Encoding"))
		body, err := eiotest.Decompress(resp)
		require.NoError(t, err)
		assert.Equal(t, "4"+strings.Repeat("x", 1000)+"\x1e4"+strings.Repeat("y", 1000), body)
	})
}

// A compressed answer says how long it is: proxies and clients need not read it in chunks.
func TestHTTPCompressionSaysLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		raw.Header = http.Header{"Accept-Encoding": {"gzip"}}
		var long strings.Builder
		for n := range 10_000 {
			fmt.Fprintf(&long, "%d,", n*n)
		}
		require.NoError(t, p.Send(engineio.TextFrames(long.String())))
		resp, err := raw.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "gzip", resp.Header.Get("Content-Encoding"))
		assert.Equal(t, strconv.Itoa(len(resp.Body)), resp.Header.Get("Content-Length"))
		body, err := eiotest.Decompress(resp)
		require.NoError(t, err)
		assert.Equal(t, "4"+long.String(), body)
	})
}

// What has nothing to compress is not, and a client that accepts compression works in everything else, too.
func TestClientThatAcceptsCompression(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		for _, encoding := range []string{"gzip", "deflate"} {
			h := newHost(t, nil, nil)
			h.echo = true
			c, _ := h.connectWith(eiotest.Options{Mode: mode, Header: http.Header{"Accept-Encoding": {encoding}}})
			for i := range 30 {
				s := strings.Repeat("text ", i*50)
				require.NoError(t, c.Send(s))
				require.NoError(t, c.SendBinary([]byte(s)))
				wantMessages(t, c, "text "+s, "binary "+s)
			}
		}
	})
}

// counter counts what arrives through it.
type counter struct {
	http.RoundTripper
	extensions string // of the last response
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err == nil {
		c.extensions = resp.Header.Get("Sec-Websocket-Extensions")
	}
	return resp, err
}

func TestPerMessageDeflateIsNegotiated(t *testing.T) {
	for name, tt := range map[string]struct {
		server bool
		client websocket.CompressionMode
		want   bool
	}{
		"both":                        {true, websocket.CompressionNoContextTakeover, true},
		"both, with context takeover": {true, websocket.CompressionContextTakeover, true},
		"server only":                 {true, websocket.CompressionDisabled, false},
		"client only":                 {false, websocket.CompressionContextTakeover, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, &engineio.Options{PerMessageDeflate: tt.server}, nil)
				count := &counter{RoundTripper: h.tr}
				raw := eiotest.Raw{Transport: count}
				ws, _, err := raw.DialWS(t.Context(), &websocket.DialOptions{CompressionMode: tt.client})
				require.NoError(t, err)
				defer ws.CloseNow()
				assert.Equal(t, tt.want, strings.HasPrefix(count.extensions, "permessage-deflate"), count.extensions)
			})
		})
	}
}

// Compressed or not, messages arrive as they were sent, in order.
func TestPerMessageDeflate(t *testing.T) {
	for name, client := range map[string]websocket.CompressionMode{
		"no context takeover": websocket.CompressionNoContextTakeover,
		"context takeover":    websocket.CompressionContextTakeover,
		"no compression":      websocket.CompressionDisabled,
	} {
		t.Run(name, func(t *testing.T) {
			eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
				h := newHost(t, &engineio.Options{PerMessageDeflate: true, PerMessageDeflateThreshold: 100, Limits: engineio.Limits{SendQueueLimit: 100 << 20}}, nil)
				h.echo = true
				c, p := h.connectWith(eiotest.Options{Mode: mode, WebSocket: &websocket.DialOptions{CompressionMode: client, CompressionThreshold: 50}})
				var want []string
				for _, m := range exactly() {
					want = append(want, describe(m.Data, m.Binary))
					if m.Binary {
						require.NoError(t, c.SendBinary(m.Data))
					} else {
						require.NoError(t, c.Send(string(m.Data)))
					}
				}
				wantMessages(t, c, want...)
				synctest.Wait()
				mixed := strings.Repeat("mixed ", 100)
				require.NoError(t, p.Send(plain(mixed)))
				require.NoError(t, p.Send(engineio.TextFrames(mixed)))
				require.NoError(t, p.Send(engineio.TextFrames(mixed, []byte(mixed), nil)))
				require.NoError(t, p.Send(plain("last")))
				wantMessages(t, c, "text "+mixed, "text "+mixed, "text "+mixed, "binary "+mixed, "binary ", "text last")
			}, eiotest.WebSocket, eiotest.Upgrade)
		})
	}
}

// The limit of a message is one of its size after decompression: a small frame that becomes a large message is refused.
func TestDecompressionBomb(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{PerMessageDeflate: true, Limits: engineio.Limits{MaxPayload: 10_000}}, nil)
		c, p := h.connectWith(eiotest.Options{Mode: eiotest.WebSocket, WebSocket: &websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover}})
		require.NoError(t, c.Send(strings.Repeat("x", 1_000_000)))
		assert.Equal(t, websocket.StatusMessageTooBig, wantEnd(t, c, eiotest.CloseWebSocket).Code)
		p.wantClosed(engineio.ReasonTransportClose)
		p.wantNone()
	})
}
