package websock

import (
	"net"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
	"github.com/seed-d124fa34/socketio/engineio/internal/rawconn"
	"github.com/seed-d124fa34/socketio/engineio/internal/wstest"
)

func text(s string) *outgoing.Unit {
	u := new(outgoing.Unit)
	outgoing.Init(u, s, true, nil)
	return u
}

// Next reads the bytes first that net/http has read behind the handshake.
func TestInboxBefore(t *testing.T) {
	client, server := wstest.TCPPair(t)
	defer client.Close()
	defer server.Close()
	stream := append(wstest.ClientFrame(0x81, "4a"), wstest.ClientFrame(0x81, "4b")...)
	for _, raw := range []bool{true, false} {
		network := server
		if !raw {
			network = struct{ net.Conn }{server} // a connection without a file descriptor
		}
		tr := NewConn(network, &Options{Limit: 100, ControlRate: 1000}, stream[:9])
		_, err := client.Write(stream[9:])
		require.NoError(t, err)
		for _, want := range []string{"4a", "4b"} {
			data, _, err := tr.Next()
			require.NoError(t, err)
			assert.Equal(t, want, string(data))
		}
	}
}

// Reading a message allocates nothing, and a connection that waits for one holds no buffer.
func TestInboxAllocates(t *testing.T) {
	client, server := wstest.TCPPair(t)
	defer client.Close()
	defer server.Close()
	if rawconn.Access(server) == nil {
		t.Skip("file descriptors are out of reach here")
	}
	tr := NewConn(server, &Options{Limit: 100, ControlRate: 1000}, nil)
	frame := wstest.ClientFrame(0x81, "4hello")
	read := func() {
		_, _ = client.Write(frame)
		if _, _, err := tr.Next(); err != nil {
			t.Error(err)
		}
	}
	read()
	assert.Less(t, testing.AllocsPerRun(200, read), 0.5) // the garbage collector may empty the pool
}

// Nothing follows a close frame, whatever is queued when it is written.
func TestNothingFollowsTheCloseFrame(t *testing.T) {
	for _, front := range []string{"", "pong"} {
		c := new(Conn)
		if front != "" {
			c.control = []byte(front)
		}
		c.QueueClose(1001)
		assert.False(t, c.QueueClose(0), "one close frame")
		batch := []*outgoing.Unit{text("late"), text(strings.Repeat("late", 20_000))}
		p, n, _ := c.assembleLocked(batch)
		assert.Equal(t, front+"\x88\x02\x03\xe9", string(p))
		assert.Equal(t, len(batch), n, "dropped")
		p, n, _ = c.assembleLocked(batch)
		assert.Empty(t, p)
		assert.Equal(t, len(batch), n)
	}
	// The library may write its answer to the client's close frame in the middle.
	message := string(text(strings.Repeat("x", 300)).Wire())
	assert.Zero(t, closeFrameEnd([]byte(message+message)))
	assert.Equal(t, len(message)+4, closeFrameEnd([]byte(message+"\x88\x02\x03\xe8"+message)))
}

// An idle WebSocket is small, because what few connections need is behind pointers. The figure is
// a size class of Go's allocator.
func TestConnIsSmall(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the figure is for 64 bits")
	}
	assert.LessOrEqual(t, int(unsafe.Sizeof(Conn{})), 288)
}
