package engineio

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// echoing tells a channel of what it receives.
type echoing struct {
	ReceiverFuncs
	got chan string
}

func (e echoing) Message(data []byte, _ bool) (room <-chan struct{}) {
	e.got <- string(data)
	return nil
}

// stalledServer serves WebSockets over Unix sockets with small buffers: over TCP, a client whose receive buffer is full
// of pongs drops acknowledgements of what it sends.
func stalledServer(t *testing.T, opts Options) (dial func() (*Conn, echoing, *websocket.Conn)) {
	t.Helper()
	type opened struct {
		c *Conn
		e echoing
	}
	conns := make(chan opened, 1)
	opts.OnConnect = func(c *Conn) (Receiver, error) {
		e := echoing{got: make(chan string, 10_000)}
		conns <- opened{c, e}
		return e, nil
	}
	s, err := NewServer(&opts)
	require.NoError(t, err)
	web := httptest.NewUnstartedServer(s)
	dir, err := os.MkdirTemp("", "eio") // short enough for a socket's name
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, web.Listener.Close())
	web.Listener, err = net.Listen("unix", dir+"/s")
	require.NoError(t, err)
	web.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			_ = c.(*net.UnixConn).SetWriteBuffer(16 << 10)
		}
	}
	web.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // cut them all off
		_ = s.Shutdown(ctx)
		s.wg.Wait()
		web.Close()
	})
	return func() (*Conn, echoing, *websocket.Conn) {
		tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", dir+"/s")
		}}
		t.Cleanup(tr.CloseIdleConnections)
		o := &websocket.DialOptions{HTTPClient: &http.Client{Transport: tr}}
		if opts.PerMessageDeflate {
			o.CompressionMode = websocket.CompressionNoContextTakeover
		}
		ws, _, err := websocket.Dial(t.Context(), "ws://server.test/engine.io/?EIO=4&transport=websocket", o)
		require.NoError(t, err)
		t.Cleanup(func() { _ = ws.CloseNow() })
		ws.SetReadLimit(-1)
		_, _, err = ws.Read(t.Context()) // open
		require.NoError(t, err)
		n := <-conns
		return n.c, n.e, ws
	}
}

// fillWithPongs has the client send pings without reading until the network takes no more pongs and some wait.
func fillWithPongs(t *testing.T, c *Conn, e echoing, ws *websocket.Conn) {
	t.Helper()
	ctx := t.Context() // a ping whose context ends while it is being written closes the client
	for {
		if c.ws.HasControl() { // on their own, or behind those on which the network is waited for
			return
		}
		for range 10 {
			go func() { _ = ws.Ping(ctx) }() // waits for a pong, which nobody reads
		}
		require.NoError(t, ws.Write(ctx, websocket.MessageText, []byte("4x")))
		<-e.got // some of the pings have arrived
	}
}

// A client that stops reading with pongs queued, and is then sent a large frame, does not delay another client of the
// same flusher, nor whoever emits to it.
func TestStalledClientDelaysNobody(t *testing.T) {
	noise := strings.Repeat("0123456789abcdef", 8<<10)
	for name, tt := range map[string]struct {
		size    int
		deflate bool
	}{
		"one frame above 32 kB": {40_000, false},
		"one frame above 64 kB": {100_000, false},
		"compressed":            {100_000, true},
	} {
		t.Run(name, func(t *testing.T) {
			// Whatever waits for the network waits for longer than the test does for the other client.
			dial := stalledServer(t, Options{WriteTimeout: 10 * time.Minute, PerMessageDeflate: tt.deflate, Limits: Limits{SendQueueLimit: 500_000},
				PingInterval: time.Hour})
			stalled, e, ws := dial()
			fillWithPongs(t, stalled, e, ws)
			other, _, good := dial()
			for other.flusher != stalled.flusher {
				other, _, good = dial()
			}
			done := make(chan error, 1)
			go func() {
				var err error
				for range 100 { // more than the queue holds
					if err = stalled.Send(TextFrames(noise[:tt.size])); err != nil {
						break
					}
					if err = other.Send(TextFrames("hello")); err != nil {
						break
					}
					var b []byte
					if _, b, err = good.Read(t.Context()); err != nil || string(b) != "4hello" {
						break
					}
				}
				done <- err
			}()
			select {
			case err := <-done:
				require.ErrorIs(t, err, ErrSendQueueFull)
			case <-time.After(time.Minute):
				require.FailNow(t, "the other client, or who emits, waits for the one that does not read")
			}
			// Having read again, the stalled client gets everything whole.
			require.NoError(t, stalled.Context().Err())
			for range 3 {
				_, b, err := ws.Read(t.Context())
				require.NoError(t, err)
				require.Equal(t, "4"+noise[:tt.size], string(b))
			}
		})
	}
}
