package rawconn_test

import (
	"bytes"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio/internal/rawconn"
	"github.com/seed-d124fa34/socketio/engineio/internal/wstest"
)

// What has been read before comes first, then what the network brings, through the descriptor and without it.
func TestInbox(t *testing.T) {
	for _, direct := range []bool{true, false} {
		client, server := wstest.TCPPair(t)
		network := server
		if !direct {
			network = struct{ net.Conn }{server}
		}
		raw := rawconn.Access(network)
		in := rawconn.NewInbox(network, raw, []byte("before"))
		assert.Equal(t, "before", string(in.Buffered()))
		in.Advance(3)
		_, err := client.Write([]byte("after"))
		require.NoError(t, err)
		for len(in.Buffered()) < len("oreafter") {
			require.NoError(t, in.Fill())
		}
		assert.Equal(t, "oreafter", string(in.Buffered()))
		assert.False(t, in.Empty())
		in.Discard()
		assert.True(t, in.Empty())
		assert.False(t, in.HoldsBuffer())

		large := bytes.Repeat([]byte("x"), 100)
		_, err = client.Write(large)
		require.NoError(t, err)
		got := make([]byte, len(large))
		for n := 0; n < len(got); {
			m, err := in.ReadInto(got[n:])
			require.NoError(t, err)
			n += m
		}
		assert.Equal(t, large, got)
		require.NoError(t, client.Close())
		assert.Equal(t, rawconn.ErrCutOff, in.Fill())
		assert.Equal(t, rawconn.ErrCutOff, in.Err())
		_ = server.Close()
	}
}

// WriteAtOnce never waits: what the network does not take is left to its caller.
func TestWriteAtOnce(t *testing.T) {
	client, server := wstest.TCPPair(t)
	defer client.Close()
	defer server.Close()
	raw := rawconn.Access(server)
	if raw == nil {
		t.Skip("file descriptors are out of reach here")
	}
	n, err := rawconn.WriteAtOnce(raw, []byte("hello"))
	require.NoError(t, err)
	assert.Equal(t, 5, n)
	much := make([]byte, 1<<20)
	for n > 0 { // until the buffers of both sides are full
		n, err = rawconn.WriteAtOnce(raw, much)
		require.NoError(t, err)
	}
	if held, known := rawconn.Unacknowledged(raw); known {
		assert.Positive(t, held)
	}
	_, known := rawconn.Unacknowledged(nil)
	assert.False(t, known)
	require.NoError(t, server.Close())
	_, err = rawconn.WriteAtOnce(raw, much)
	assert.Error(t, err)
}
