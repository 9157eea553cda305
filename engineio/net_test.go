package engineio_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// network serves a host over a loopback listener. read counts the bytes that clients read.
func network(t *testing.T, opts *engineio.Options) (h *host, client func() *eiotest.Raw, read *atomic.Int64) {
	t.Helper()
	h = newHost(t, opts, nil)
	web := httptest.NewServer(h.srv)
	t.Cleanup(web.Close)
	read = new(atomic.Int64)
	return h, func() *eiotest.Raw { // polling clients say goodbye with leave, or Shutdown waits for them
		tr := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			return countingConn{c, read}, err
		}}
		t.Cleanup(tr.CloseIdleConnections)
		return &eiotest.Raw{Transport: tr, URL: web.URL}
	}, read
}

type countingConn struct {
	net.Conn
	n *atomic.Int64
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// The wire format over real connections, without the in-memory client.
func TestNetworkPolling(t *testing.T) {
	h, client, _ := network(t, nil)
	h.echo = true
	raw := client()
	_, _, err := raw.Handshake(t.Context())
	require.NoError(t, err)
	p := h.peer()
	assert.Contains(t, p.Request().RemoteAddr, "127.0.0.1:")
	big := strings.Repeat("x", 900_000)
	for _, body := range []string{"4hello", "4a\x1ebAQID\x1e4b", "4" + big} {
		resp, err := raw.Post(t.Context(), body)
		wantOK(t, resp, err, "ok")
		got := ""
		for len(got) < len(body) {
			resp, err := raw.Get(t.Context())
			require.NoError(t, err)
			if got != "" {
				got += eiotest.Separator
			}
			got += resp.Body
		}
		require.True(t, got == body)
	}
	leave(t, raw)
	assert.NoError(t, p.wantClosed(engineio.ReasonClientDisconnect))
}

// leave ends a polling session as a client does, with a poll under way.
func leave(t *testing.T, raw *eiotest.Raw) {
	if _, err := raw.Post(t.Context(), "1"); err != nil {
		t.Error(err)
	}
	if resp, err := raw.Get(t.Context()); err != nil || resp.Body != "6" {
		t.Errorf("the poll after a close packet: %+v, %v", resp, err)
	}
}

func TestNetworkWebSocket(t *testing.T) {
	h, client, _ := network(t, nil)
	h.echo = true
	ws, resp, err := client().DialWS(t.Context(), nil)
	require.NoError(t, err)
	defer ws.CloseNow()
	assert.Empty(t, resp.Header.Get("Sec-Websocket-Extensions"))
	p := h.peer()
	pr := &prober{t, ws}
	_, open, err := ws.Read(t.Context())
	require.NoError(t, err)
	assert.Contains(t, string(open), p.ID())
	big := "4" + strings.Repeat("x", 900_000)
	pr.send("4hello", big)
	pr.want("4hello", big)
	require.NoError(t, ws.Close(websocket.StatusNormalClosure, ""))
	assert.NoError(t, p.wantClosed(engineio.ReasonTransportClose))
}

func TestNetworkUpgrade(t *testing.T) {
	h, client, _ := network(t, nil)
	raw := client()
	_, _, err := raw.Handshake(t.Context())
	require.NoError(t, err)
	p := h.peer()
	poll := get(t, raw)
	ws := dialProbe(t, raw, "2probe")
	ws.want("3probe")
	wantOK(t, next(t, poll), nil, "6")
	p.text("buffered")
	ws.send("5", "4hello")
	p.want("text hello")
	ws.want("4buffered")
	p.Close(engineio.ReasonServerDisconnect, nil)
	ws.wantClose()
	p.wantClosed(engineio.ReasonServerDisconnect)
}

// Clients that vanish: a process that dies, a tab that is closed.
func TestNetworkVanishes(t *testing.T) {
	h := newHost(t, nil, nil)
	polls := make(chan bool, 10)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("sid") {
			polls <- true
		}
		h.srv.ServeHTTP(w, r)
	}))
	defer web.Close()
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	raw := &eiotest.Raw{Transport: tr, URL: web.URL}
	ws, _, err := raw.DialWS(t.Context(), nil)
	require.NoError(t, err)
	p := h.peer()
	require.NoError(t, ws.CloseNow())
	p.wantClosed(engineio.ReasonTransportClose)

	_, _, err = raw.Handshake(t.Context())
	require.NoError(t, err)
	p = h.peer()
	ctx, cancel := context.WithCancel(t.Context())
	poll := async(t, func() (*eiotest.Response, error) { return raw.Get(ctx) })
	next(t, polls)
	cancel()
	p.wantClosed(engineio.ReasonTransportError)
	assert.Nil(t, next(t, poll))
}

// With permessage-deflate fewer bytes cross the wire, but for messages below the threshold and those that shall not be
// compressed.
func TestNetworkPerMessageDeflate(t *testing.T) {
	h, client, read := network(t, &engineio.Options{PerMessageDeflate: true, PerMessageDeflateThreshold: 500})
	ws, resp, err := client().DialWS(t.Context(), &websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover})
	require.NoError(t, err)
	defer ws.CloseNow()
	assert.Contains(t, resp.Header.Get("Sec-Websocket-Extensions"), "permessage-deflate")
	p := h.peer()
	_, _, err = ws.Read(t.Context())
	require.NoError(t, err)
	long, short := strings.Repeat("x", 20_000), strings.Repeat("x", 400)
	for name, tt := range map[string]struct {
		send       *engineio.Frames
		want       string
		compressed bool
	}{
		"text":            {engineio.TextFrames(long), "4" + long, true},
		"binary":          {engineio.BinaryFrames([]byte(long)), long, true},
		"below threshold": {engineio.TextFrames(short), "4" + short, false},
		"not to compress": {plain(long), "4" + long, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := read.Load()
			require.NoError(t, p.Send(tt.send))
			_, b, err := ws.Read(t.Context())
			require.NoError(t, err)
			assert.True(t, string(b) == tt.want)
			if n := read.Load() - before; tt.compressed {
				assert.Less(t, n, int64(1000))
			} else {
				assert.Greater(t, n, int64(len(tt.want)))
			}
		})
	}
}

func TestNetworkHTTPCompression(t *testing.T) {
	h, client, read := network(t, nil)
	raw := client()
	_, _, err := raw.Handshake(t.Context())
	require.NoError(t, err)
	p := h.peer()
	p.text(strings.Repeat("x", 50_000))
	raw.Header = http.Header{"Accept-Encoding": {"gzip"}}
	before := read.Load()
	resp, err := raw.Get(t.Context())
	require.NoError(t, err)
	assert.Less(t, read.Load()-before, int64(2000))
	body, err := eiotest.Decompress(resp)
	require.NoError(t, err)
	assert.True(t, body == "4"+strings.Repeat("x", 50_000))
	leave(t, raw)
}

// Many clients at once, of both transports.
func TestNetworkManyClients(t *testing.T) {
	h, client, _ := network(t, nil)
	h.echo = true
	var clients sync.WaitGroup
	for i := range 20 {
		raw := client()
		clients.Go(func() {
			if i%2 == 0 {
				if _, _, err := raw.Handshake(t.Context()); err != nil {
					t.Error(err)
					return
				}
				for j := range 20 {
					want := fmt.Sprint("4", i, ".", j)
					if _, err := raw.Post(t.Context(), want); err != nil {
						t.Error(err)
					}
					if resp, err := raw.Get(t.Context()); err != nil || resp.Body != want {
						t.Errorf("got %+v, %v", resp, err)
					}
				}
				leave(t, raw)
				return
			}
			ws, _, err := raw.DialWS(t.Context(), nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer ws.CloseNow()
			_, _, _ = ws.Read(t.Context())
			for j := range 20 {
				want := fmt.Sprint("4", i, ".", j)
				_ = ws.Write(t.Context(), websocket.MessageText, []byte(want))
				if _, b, err := ws.Read(t.Context()); err != nil || string(b) != want {
					t.Errorf("got %q, %v", b, err)
				}
			}
		})
	}
	clients.Wait()
}

// net/http's timeouts, which are made for short requests, harm neither polls nor WebSockets.
func TestNetworkServerTimeouts(t *testing.T) {
	h := newHost(t, &engineio.Options{PingInterval: 300 * time.Millisecond}, nil)
	web := httptest.NewUnstartedServer(h.srv)
	web.Config.WriteTimeout = 100 * time.Millisecond
	web.Config.ReadTimeout = 100 * time.Millisecond
	web.Start()
	defer web.Close()
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	raw := eiotest.Raw{Transport: tr, URL: web.URL}
	ws, _, err := raw.DialWS(t.Context(), nil)
	require.NoError(t, err)
	defer ws.CloseNow()
	pr := &prober{t, ws}
	_, _, err = ws.Read(t.Context())
	require.NoError(t, err)
	pr.want("2")
	pr.send("3")
	pr.want("2")

	_, _, err = raw.Handshake(t.Context())
	require.NoError(t, err)
	resp, err := raw.Get(t.Context())
	wantOK(t, resp, err, "2")
	leave(t, &raw)
}

// A client in TCP's fragments: each byte on its own.
func TestNetworkByteByByte(t *testing.T) {
	h := newHost(t, nil, nil)
	web := httptest.NewServer(h.srv)
	defer web.Close()
	conn, err := net.Dial("tcp", web.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	for _, b := range []byte("GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: server.test\r\nConnection: Upgrade\r\n" +
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
		"\x81\x86\x00\x00\x00\x004early") {
		_, err = conn.Write([]byte{b})
		require.NoError(t, err)
	}
	h.peer().want("text early")
	b := make([]byte, len("HTTP/1.1 101 "))
	_, err = io.ReadFull(conn, b)
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1 101 ", string(b))
}

// The close frame is sent although the time that an earlier write had is over.
func TestNetworkCloseFrameAfterSilence(t *testing.T) {
	h, client, _ := network(t, &engineio.Options{PingInterval: 300 * time.Millisecond, PingTimeout: 300 * time.Millisecond, WriteTimeout: 200 * time.Millisecond})
	ws, _, err := client().DialWS(t.Context(), nil)
	require.NoError(t, err)
	defer ws.CloseNow()
	p := h.peer()
	for err == nil {
		_, _, err = ws.Read(t.Context())
	}
	assert.Equal(t, websocket.StatusNoStatusRcvd, websocket.CloseStatus(err), err)
	p.wantClosed(engineio.ReasonPingTimeout)
}
