package engineio_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// A client that fragments as it likes is understood, with pings in between, over TCP, TLS and with permessage-deflate.
func TestNetworkFragments(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for name, mode := range map[string]websocket.CompressionMode{"plain": websocket.CompressionDisabled,
			"deflate": websocket.CompressionNoContextTakeover, "deflate with context": websocket.CompressionContextTakeover} {
			if secure {
				name += " over TLS"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				h := newHost(t, &engineio.Options{PerMessageDeflate: true}, nil)
				h.echo = true
				web := httptest.NewUnstartedServer(h.srv)
				if secure {
					web.StartTLS()
				} else {
					web.Start()
				}
				t.Cleanup(web.Close)
				tr := web.Client().Transport.(*http.Transport)
				if secure {
					tr.TLSClientConfig.NextProtos = []string{"http/1.1"}
				}
				raw := &eiotest.Raw{Transport: tr, URL: web.URL}
				ws, _, err := raw.DialWS(t.Context(), &websocket.DialOptions{CompressionMode: mode, CompressionThreshold: 1})
				require.NoError(t, err)
				p := h.peer()
				_, _, err = ws.Read(t.Context())
				require.NoError(t, err)
				var pings sync.WaitGroup
				echo := func(cuts ...int) {
					t.Helper()
					message := "größer €\U0001f600 " + strings.Repeat("x", cuts[len(cuts)-1])
					w, err := ws.Writer(t.Context(), websocket.MessageText)
					require.NoError(t, err)
					rest := "4" + message
					for _, n := range cuts {
						n = min(n, len(rest))
						_, err = io.WriteString(w, rest[:n])
						require.NoError(t, err)
						rest = rest[n:]
						pings.Go(func() { _ = ws.Ping(t.Context()) }) // it waits for its pong
					}
					_, err = io.WriteString(w, rest)
					require.NoError(t, err)
					require.NoError(t, w.Close())
					_, b, err := ws.Read(t.Context())
					require.NoError(t, err)
					require.True(t, string(b) == "4"+message)
				}
				for i := range 20 {
					echo(i, 1, 1)
				}
				echo(0, 0, 5000)
				echo(4097, 70_000)
				echo(1, 400_000, 900_000)
				require.NoError(t, ws.Close(4000, "enough"))
				assert.NoError(t, p.wantClosed(engineio.ReasonTransportClose))
				pings.Wait()
			})
		}
	}
}

const (
	deflateOffer = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n"
	wsRequest    = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: server.test\r\nConnection: Upgrade\r\n" +
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)

// rawWebSocket opens a WebSocket by hand and returns what the server sends behind the open packet.
func rawWebSocket(t *testing.T, dial func(context.Context) (net.Conn, error), headers string) (net.Conn, *bufio.Reader) {
	conn, err := dial(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, wsRequest+headers+"\r\n")
	require.NoError(t, err)
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	require.Equal(t, headers != "", resp.Header.Get("Sec-WebSocket-Extensions") != "")
	head, err := br.Peek(2)
	require.NoError(t, err)
	n := 2 + int(head[1])
	if head[1] == 126 {
		head, err = br.Peek(4)
		require.NoError(t, err)
		n = 4 + int(head[2])<<8 + int(head[3])
	}
	_, err = br.Discard(n)
	require.NoError(t, err)
	return conn, br
}

// What breaks a rule gets the close frame that says so, the end of the stream, and only then the end of the connection,
// with permessage-deflate, too.
func TestWebSocketRefusals(t *testing.T) {
	const mask = "\x00\x00\x00\x00"
	for name, tt := range map[string]struct {
		frame  string
		status string
		reason engineio.Reason
	}{
		"not UTF-8":            {"\x81\x83" + mask + "4\xc0\xaf", "\x88\x02\x03\xef", engineio.ReasonTransportError},
		"not UTF-8, fragments": {"\x01\x82" + mask + "4\xed" + "\x00\x81" + mask + "\xa0" + "\x80\x81" + mask + "\x80", "\x88\x02\x03\xef", engineio.ReasonTransportError},
		"too big":              {"\x82\xfe\x03\xe9" + mask + strings.Repeat("x", 1001), "\x88\x02\x03\xf1", engineio.ReasonTransportClose},
		"too big, fragments":   {"\x02\xfe\x03\xe8" + mask + strings.Repeat("x", 1000) + "\x80\x81" + mask + "x", "\x88\x02\x03\xf1", engineio.ReasonTransportClose},
		"unmasked":             {"\x81\x014", "\x88\x02\x03\xea", engineio.ReasonTransportError},
		"reserved opcode":      {"\x83\x80" + mask, "\x88\x02\x03\xea", engineio.ReasonTransportError},
		"reserved bit":         {"\xa1\x80" + mask, "\x88\x02\x03\xea", engineio.ReasonTransportError},
		"bad close status":     {"\x88\x82" + mask + "\x03\xed", "\x88\x02\x03\xea", engineio.ReasonTransportError},
	} {
		for _, headers := range []string{"", deflateOffer} {
			t.Run(name+headers, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHost(t, &engineio.Options{Limits: engineio.Limits{MaxPayload: 1000}, PerMessageDeflate: true}, nil)
					begin := time.Now()
					conn, br := rawWebSocket(t, h.tr.DialConn, headers)
					p := h.peer()
					_, err := io.WriteString(conn, tt.frame)
					require.NoError(t, err)
					assert.Error(t, p.wantClosed(tt.reason))
					p.wantNone()
					got, err := io.ReadAll(br) // the server ends its direction
					require.NoError(t, err)
					require.GreaterOrEqual(t, len(got), 4)
					assert.Equal(t, tt.status[2:], string(got[2:4]))
					if headers == "" || !strings.HasSuffix(tt.status, "\xea") { // the library explains
						assert.Equal(t, tt.status, string(got))
					}
					_, err = io.WriteString(conn, "\x88\x80"+mask)
					require.NoError(t, err, "the server still reads")
					assert.Equal(t, 1, h.srv.Len())
					conn.Close()
					synctest.Wait()
					assert.Zero(t, h.srv.Len())
					assert.Zero(t, time.Since(begin), "nobody had to wait")
				})
			})
		}
	}
}

// A client that goes on sending after the end is read a little, and then slowly: what is read is bounded, and so is the
// time. A connection that the client is to end is left alone for that long, so that it gets what was sent.
func TestWebSocketReadsLittleAfterTheEnd(t *testing.T) {
	chunk := "\x82\xfe\x03\xf8\x00\x00\x00\x00" + strings.Repeat("x", 1016) // 1 KiB
	for _, headers := range []string{"", deflateOffer} {
		for name, tt := range map[string]struct {
			end    func(p *peer, conn net.Conn)
			status string
			took   time.Duration
		}{
			"closed":    {func(p *peer, _ net.Conn) { p.Close(engineio.ReasonServerDisconnect, nil) }, "\x88\x00", 5 * time.Second},
			"shut down": {func(p *peer, _ net.Conn) { p.Close(engineio.ReasonServerShutdown, nil) }, "\x88\x02\x03\xe9", 5 * time.Second},
			"refused":   {func(_ *peer, conn net.Conn) { _, _ = io.WriteString(conn, "\x81\x81\x00\x00\x00\x00\xff") }, "\x88\x02\x03\xef", 2 * time.Second},
		} {
			t.Run(name+headers, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHost(t, &engineio.Options{PerMessageDeflate: true}, &eiotest.TransportOptions{ToServer: 1 << 10})
					conn, br := rawWebSocket(t, h.tr.DialConn, headers)
					p := h.peer()
					tt.end(p, conn)
					synctest.Wait()
					begin, sent := time.Now(), 0
					for {
						n, err := io.WriteString(conn, chunk)
						sent += n
						if err != nil {
							break
						}
					}
					took := time.Since(begin)
					assert.LessOrEqual(t, took, tt.took+200*time.Millisecond)
					assert.GreaterOrEqual(t, took, time.Second)
					assert.Less(t, sent, 300_000)
					assert.Greater(t, sent, 64<<10)
					got, err := io.ReadAll(br)
					require.NoError(t, err)
					assert.Equal(t, tt.status, string(got))
					synctest.Wait()
					assert.Zero(t, h.srv.Len())
				})
			})
		}
	}
}

// What a client sends behind its close frame is nothing.
func TestWebSocketNothingAfterTheClientsClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		conn, br := rawWebSocket(t, h.tr.DialConn, "")
		p := h.peer()
		_, err := io.WriteString(conn, "\x81\x82\x00\x00\x00\x004a\x88\x85\x00\x00\x00\x00\x0f\xa0bye\x81\x82\x00\x00\x00\x004b\xff\xff")
		require.NoError(t, err)
		p.want("text a")
		assert.NoError(t, p.wantClosed(engineio.ReasonTransportClose))
		got, err := io.ReadAll(br)
		require.NoError(t, err)
		assert.Equal(t, "\x88\x05\x0f\xa0bye", string(got))
		p.wantNone()
	})
}
