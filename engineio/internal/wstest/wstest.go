// Package wstest has what tests of WebSockets need on both sides of a connection.
package wstest

import (
	"encoding/binary"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// ClientFrame returns a frame in the form in which clients send it. first is its first byte.
func ClientFrame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0xfe), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0xff), uint64(n))
	}
	key := []byte{0xa1, 0xb2, byte(len(payload)), 0x04}
	b = append(b, key...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return b
}

// ParseFrames reads unmasked, unfragmented frames of RFC 6455.
func ParseFrames(t testing.TB, wire []byte) (ops []byte, payloads [][]byte) {
	t.Helper()
	for len(wire) > 0 {
		require.GreaterOrEqual(t, len(wire), 2)
		size, header := uint64(wire[1]), 2
		require.Less(t, size, uint64(128), "the server must not mask")
		switch size {
		case 126:
			size, header = uint64(binary.BigEndian.Uint16(wire[2:])), 4
			require.GreaterOrEqual(t, size, uint64(126), "length in its shortest form")
		case 127:
			size, header = binary.BigEndian.Uint64(wire[2:]), 10
			require.GreaterOrEqual(t, size, uint64(1<<16), "length in its shortest form")
		}
		ops = append(ops, wire[0])
		payloads = append(payloads, wire[header:header+int(size)])
		wire = wire[header+int(size):]
	}
	return ops, payloads
}

// TCPPair returns the ends of a TCP connection.
func TCPPair(t testing.TB) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	client, err = net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	server, err = ln.Accept()
	require.NoError(t, err)
	return client, server
}
