package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/race"
)

// What an idle WebSocket client may take at most after a collection, in bytes: of the heap and of stacks, the client's end
// of the network connection (about 600 bytes) included. It is not what the process takes: see docs/performance.md.
const (
	idleHeap   = 5600
	idleStacks = 400 // no goroutine
)

// The memory of an idle client is what bounds how many a server can have. If this fails, a profile says what has grown:
//
//	go test -run TestIdleClientBytes -memprofile mem.out -memprofilerate 1 ./cmd/baseline
func TestIdleClientBytes(t *testing.T) {
	switch {
	case race.Enabled:
		t.Skip("the race detector takes memory, too")
	case runtime.GOOS != "linux":
		t.Skip("idle clients have goroutines on this system")
	}
	const clients = 500
	srv := socketio.NewServer(nil)
	web := httptest.NewServer(srv)
	defer web.Close()
	defer srv.Close()
	connect := func() net.Conn {
		conn, err := net.Dial("tcp", web.Listener.Addr().String())
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		_, err = io.WriteString(conn, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		require.NoError(t, err)
		in := bufio.NewReader(conn)
		resp, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
		_, err = conn.Write([]byte{0x81, 0x82, 0, 0, 0, 0, '4', '0'}) // a CONNECT packet
		require.NoError(t, err)
		for text := ""; !strings.Contains(text, "40{"); {
			b, err := in.ReadByte()
			require.NoError(t, err)
			text += string(b)
		}
		require.NoError(t, conn.SetDeadline(time.Time{}))
		return conn
	}
	connect() // what the first one needs, all have
	heap, stacks := inUse()
	var conns []net.Conn
	for range clients {
		conns = append(conns, connect())
	}
	perClient := func() (int64, int64) {
		h, s := inUse()
		return (h - heap) / clients, (s - stacks) / clients
	}
	h, s := perClient()
	for end := time.Now().Add(20 * time.Second); (h > idleHeap || s > idleStacks) && time.Now().Before(end); h, s = perClient() {
		time.Sleep(10 * time.Millisecond) // until the goroutines of the handshakes have ended
	}
	t.Logf("%d bytes of heap and %d of stacks for each client", h, s)
	require.LessOrEqual(t, h, int64(idleHeap))
	require.LessOrEqual(t, s, int64(idleStacks))
	runtime.KeepAlive(conns)
	for _, conn := range conns {
		require.NoError(t, conn.Close())
	}
}

// inUse returns how many bytes of the heap and of stacks are in use after a collection.
func inUse() (heap, stacks int64) {
	runtime.GC()
	runtime.GC() // what pools kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.StackInuse)
}
