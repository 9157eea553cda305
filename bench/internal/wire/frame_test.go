package wire

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// unmask reads a client's frame as a server does.
func unmask(t *testing.T, b []byte) (op byte, payload []byte) {
	t.Helper()
	require.EqualValues(t, 0x80, b[0]&0xf0, "complete, not compressed")
	require.NotZero(t, b[1]&0x80, "masked")
	size, head := int(b[1]&0x7f), 2
	switch size {
	case 126:
		size, head = int(binary.BigEndian.Uint16(b[2:])), 4
		require.GreaterOrEqual(t, size, 126, "the shortest form of the length")
	case 127:
		size, head = int(binary.BigEndian.Uint64(b[2:])), 10
		require.GreaterOrEqual(t, size, 1<<16, "the shortest form of the length")
	}
	key := b[head : head+4]
	require.NotEqual(t, make([]byte, 4), key, "a zero key would make the server's work easier")
	payload = bytes.Clone(b[head+4:])
	require.Len(t, payload, size)
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return b[0] & 0xf, payload
}

func TestAppendFrame(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 65_535, 65_536, 70_000} {
		want := bytes.Repeat([]byte("abcdefg"), size/7+1)[:size]
		op, got := unmask(t, AppendFrame(nil, OpBinary, want))
		require.EqualValues(t, OpBinary, op)
		require.Equal(t, want, got, "size %d", size)
	}
}

// serverFrame makes a frame as servers do.
func serverFrame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

func TestNextFrame(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65_535, 65_536} {
		payload := bytes.Repeat([]byte{'x'}, size)
		b := serverFrame(0x81, payload)
		f, n, err := nextFrame(append(bytes.Clone(b), "more"...))
		require.NoError(t, err)
		require.Equal(t, len(b), n)
		require.True(t, f.fin)
		require.EqualValues(t, OpText, f.op)
		require.Equal(t, payload, f.payload)
		for _, short := range []int{0, 1, 2, 3, 4, 9, 10, len(b) - 1} {
			if short < len(b) {
				_, n, err := nextFrame(b[:short])
				require.NoError(t, err)
				require.Zero(t, n, "%d of %d bytes are not a frame", short, len(b))
			}
		}
	}
	f, _, err := nextFrame([]byte{0x02, 0})
	require.NoError(t, err)
	require.False(t, f.fin)
	require.EqualValues(t, OpBinary, f.op)
}

func TestNextFrameRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"compressed": {0xc1, 0},
		"masked":     {0x81, 0x80, 0, 0, 0, 0},
		"too large":  {0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0},
	} {
		_, _, err := nextFrame(b)
		require.ErrorIs(t, err, errFrame, name)
	}
}

func TestParseResponse(t *testing.T) {
	for _, c := range []struct {
		name, text string
		body       string
		close      bool
	}{
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", false},
		{"empty", "HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", "", false},
		{"close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "ok", true},
		{"old", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", true},
		{"old, kept", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok", "ok", false},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", "hello", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, n, err := parseResponse([]byte(c.text+"next"), false)
			require.NoError(t, err)
			require.Equal(t, len(c.text), n)
			require.Equal(t, 200, r.status)
			require.Equal(t, c.body, string(r.body))
			require.Equal(t, c.close, r.close)
			for short := range len(c.text) {
				_, n, err := parseResponse([]byte(c.text)[:short], false)
				require.NoError(t, err)
				require.Zero(t, n, "%q is not a response", c.text[:short])
			}
		})
	}
}

func TestParseResponseWithoutLength(t *testing.T) {
	text := []byte("HTTP/1.0 400 BAD REQUEST\r\n\r\nto the end")
	_, n, err := parseResponse(text, false)
	require.NoError(t, err)
	require.Zero(t, n, "more may come")
	r, n, err := parseResponse(text, true)
	require.NoError(t, err)
	require.Equal(t, len(text), n)
	require.Equal(t, 400, r.status)
	require.Equal(t, "to the end", string(r.body))
}

func TestParseResponseRefuses(t *testing.T) {
	for _, head := range []string{"SSH-2.0-OpenSSH_9", "HTTP/1.1 abc OK", "HTTP/1.1 200 OK\r\nContent-Length: -1",
		"HTTP/1.1 200 OK\r\nContent-Length: x", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"} {
		_, _, err := parseResponse([]byte(head+"\r\n\r\nzz\r\n"), false)
		require.ErrorIs(t, err, errResponse, head)
	}
}

func TestRequests(t *testing.T) {
	require.Equal(t, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n", string(Get("h", "")))
	b := string(Post("h", "s1", "40"))
	require.Contains(t, b, "POST /socket.io/?EIO=4&transport=polling&sid=s1 HTTP/1.1\r\n")
	require.Contains(t, b, "Content-Length: 2\r\n\r\n40")
}
