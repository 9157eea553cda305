package engineio_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/faulty"
)

// narrow connects WebSockets to a host over loopback connections with small buffers, so that it takes little for the
// network to be full.
func narrow(t *testing.T, opts *engineio.Options) (*host, func() *prober) {
	t.Helper()
	h := newHost(t, opts, nil)
	web := httptest.NewUnstartedServer(h.srv)
	web.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			_ = c.(*net.TCPConn).SetWriteBuffer(32 << 10)
		}
	}
	web.Start()
	t.Cleanup(web.Close)
	return h, func() *prober {
		tr := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err == nil {
				err = c.(*net.TCPConn).SetReadBuffer(32 << 10)
			}
			return c, err
		}}
		t.Cleanup(tr.CloseIdleConnections)
		pr := dialProbe(t, &eiotest.Raw{Transport: tr, URL: web.URL})
		_, _, err := pr.Read(t.Context()) // open
		require.NoError(t, err)
		return pr
	}
}

// numbered is message i of a sequence: of any size up to 100 kB, more often small.
func numbered(i int) (data string, binary bool) {
	r := rand.New(rand.NewPCG(uint64(i), 0))
	s := fmt.Sprint(i, ":")
	return s + strings.Repeat(string(rune('a'+i%26)), r.IntN(1<<r.IntN(17))), i%5 == 0
}

// full sends a message that the network does not take while the client does not read.
func full(t *testing.T, p *peer) {
	t.Helper()
	p.text(strings.Repeat("x", 8<<20))
}

// A client that reads in fits and starts gets everything, in order and unharmed, and its pings answered.
func TestNetworkThatIsFullNowAndThen(t *testing.T) {
	h, dial := narrow(t, &engineio.Options{Limits: engineio.Limits{SendQueueLimit: 256 << 20}})
	ws := dial()
	p := h.peer()
	const n = 500
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			data, binary := numbered(i)
			if err := p.Send(frames(data, binary)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var pings sync.WaitGroup
	pings.Go(func() {
		for range 50 {
			if err := ws.Ping(ctx); err != nil {
				t.Errorf("ping: %v", err)
				return
			}
		}
	})
	for i := range n {
		if i%50 == 10 {
			time.Sleep(20 * time.Millisecond)
		}
		kind, b, err := ws.Read(ctx)
		require.NoError(t, err, "message %d", i)
		data, binary := numbered(i)
		if !binary {
			data = "4" + data
		}
		require.Equal(t, binary, kind == websocket.MessageBinary)
		require.True(t, string(b) == data, "message %d of %d bytes is %.20q and has %d bytes", i, len(data), b, len(b))
	}
	require.NoError(t, next(t, sent))
	// The pongs of the last pings come while this reads.
	go func() { _, _, _ = ws.Read(ctx) }()
	pings.Wait()
}

// A client that stops reading is closed, in time, and others notice nothing.
func TestNetworkStalledClient(t *testing.T) {
	const timeout = 200 * time.Millisecond
	h, dial := narrow(t, &engineio.Options{WriteTimeout: timeout})
	dial()
	stalled := h.peer()
	ws := dial()
	other := h.peer()
	begin := time.Now()
	full(t, stalled)
	for i := 0; stalled.Context().Err() == nil; i++ {
		other.text(fmt.Sprint(i))
		ws.want(fmt.Sprint("4", i))
		if time.Since(begin) > patience {
			require.FailNow(t, "the stalled client was not closed")
		}
	}
	assert.ErrorContains(t, stalled.wantClosed(engineio.ReasonSlowClient), "timeout")
	other.text("still there")
	ws.want("4still there")
}

// A client whose answers do not arrive any more is found, although it takes all it is sent at once: a connection that is
// half open.
func TestNetworkHalfOpen(t *testing.T) {
	h := newHost(t, &engineio.Options{PingInterval: 20 * time.Millisecond, PingTimeout: 600 * time.Millisecond}, nil)
	web := httptest.NewServer(h.srv)
	defer web.Close()
	conn, err := net.Dial("tcp", web.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: server.test\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	require.NoError(t, err)
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(io.Discard, conn) // it reads all, and answers nothing
	}()
	p := h.peer()
	for begin := time.Now(); p.Context().Err() == nil; {
		if err := p.Send(engineio.TextFrames("an event")); err != nil {
			require.ErrorIs(t, err, engineio.ErrClosed) // found between the look and the event
		}
		require.Less(t, time.Since(begin), patience, "the client has not been found to be gone")
		time.Sleep(time.Millisecond) // between two events
	}
	p.wantClosed(engineio.ReasonPingTimeout)
	require.NoError(t, conn.Close())
	<-read
}

// What waits for a client whose network is full is bounded, whatever is on its way.
func TestNetworkSendQueueLimit(t *testing.T) {
	h, dial := narrow(t, &engineio.Options{Limits: engineio.Limits{SendQueueLimit: 8<<20 + 50_000}})
	dial()
	p := h.peer()
	full(t, p)
	var err error
	sent := 0
	for ; err == nil && sent < 1000; sent++ {
		err = p.Send(engineio.TextFrames(strings.Repeat("x", 1000)))
	}
	assert.ErrorIs(t, err, engineio.ErrSendQueueFull)
	assert.InDelta(t, 46, sent, 3)
	assert.NoError(t, p.Context().Err(), "the queue is full, and the client may still read")
	p.Close(engineio.ReasonSlowClient, err)
	assert.ErrorIs(t, p.wantClosed(engineio.ReasonSlowClient), engineio.ErrSendQueueFull)
}

// A client whose network is full and that closes, vanishes or is closed is gone soon, with its goroutines.
func TestNetworkFullAtTheEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		end    func(*prober, *peer)
		reason engineio.Reason
	}{
		"client vanishes": {func(ws *prober, _ *peer) { _ = ws.CloseNow() }, engineio.ReasonTransportClose},
		"close packet":    {func(ws *prober, _ *peer) { ws.send("1") }, engineio.ReasonClientDisconnect},
		"faulty packet":   {func(ws *prober, _ *peer) { ws.send("x") }, engineio.ReasonParseError},
		"server closes":   {func(_ *prober, p *peer) { p.Close(engineio.ReasonServerDisconnect, nil) }, engineio.ReasonServerDisconnect},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each takes the write timeout, which a busy machine must not outlast
			h, dial := narrow(t, &engineio.Options{WriteTimeout: 3 * time.Second})
			ws := dial()
			p := h.peer()
			full(t, p)
			tt.end(ws, p)
			p.wantClosed(tt.reason)
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			require.NoError(t, h.srv.Shutdown(ctx))
		})
	}
}

// Pings that a client sends while it does not read are answered when it reads again.
func TestNetworkPingWhileFull(t *testing.T) {
	h, dial := narrow(t, nil)
	ws := dial()
	p := h.peer()
	full(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	pong := make(chan error, 1)
	go func() { pong <- ws.Ping(ctx) }()
	ws.send("4behind the ping")
	p.want("text behind the ping") // so the ping has arrived
	_, _, err := ws.Read(ctx)
	require.NoError(t, err)
	go func() { _, _, _ = ws.Read(ctx) }()
	require.NoError(t, next(t, pong))
}

// A client that closes gets the close frame that answers its own (RFC 6455, section 7.1.2), also right behind a message.
func TestClientCloseIsAnswered(t *testing.T) {
	h, client, _ := network(t, nil)
	for i := range 200 {
		ws := dialProbe(t, client())
		p := h.peer()
		_, _, err := ws.Read(t.Context())
		require.NoError(t, err)
		message := strings.Repeat("x", i*500)
		p.text(message)
		_, _, err = ws.Read(t.Context())
		require.NoError(t, err)
		require.NoError(t, ws.Close(websocket.StatusNormalClosure, ""), "connection %d", i)
	}
}

// A client behind a slow link that gets a large answer to its poll while it upgrades does upgrade, however long the answer
// takes: it sends its UPGRADE packet behind it.
func TestNetworkUpgradeOnASlowLink(t *testing.T) {
	h := newHost(t, &engineio.Options{UpgradeTimeout: 500 * time.Millisecond}, nil)
	web := httptest.NewServer(h.srv)
	defer web.Close()
	proxy, err := faulty.NewProxy(web.Listener.Addr().String(), 1)
	require.NoError(t, err)
	defer proxy.Close()
	proxy.Set(faulty.Conditions{Down: faulty.Link{Bandwidth: 400_000}})
	tr := &http.Transport{DisableCompression: true}
	defer tr.CloseIdleConnections()
	raw := &eiotest.Raw{Transport: tr, URL: "http://" + proxy.Addr()}
	_, _, err = raw.Handshake(t.Context())
	require.NoError(t, err)
	p := h.peer()
	greeting := strings.Repeat("g", 800_000)
	p.text(greeting)
	poll := get(t, raw)
	require.Eventually(t, func() bool { return h.srv.Stats().BytesOut > uint64(len(greeting)) }, patience, time.Millisecond)
	ws := dialProbe(t, raw, "2probe")
	ws.want("3probe")
	resp := next(t, poll)
	require.NotNil(t, resp)
	require.Equal(t, 1+len(greeting), len(resp.Body))
	ws.send("5", "4hello")
	p.want("text hello")
	p.text("back")
	ws.want("4back")
	p.Close(engineio.ReasonServerDisconnect, nil)
}
