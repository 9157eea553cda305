package engineio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clientFrame returns a frame as clients send it; first is its first byte.
func clientFrame(first byte, payload string) []byte {
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

// transcript is what comes of the bytes that a client sends in pieces of some
// size: the messages, what the client is sent, and how it ends. With library,
// only the library reads.
func transcript(t *testing.T, stream []byte, piece, limit int, library bool, pair func(*testing.T) (client, server net.Conn)) []string {
	client, server := pair(t)
	defer client.Close()
	defer server.Close()
	var sent bytes.Buffer
	received := make(chan bool)
	go func() {
		defer close(received)
		_, _ = io.Copy(&sent, client)
	}()
	go func() {
		for len(stream) > 0 {
			n := min(piece, len(stream))
			if _, err := client.Write(stream[:n]); err != nil {
				return
			}
			stream = stream[n:]
		}
		_ = client.(*net.TCPConn).CloseWrite()
	}()
	raw := rawConn(server)
	tr := &wsTransport{limit: limit, wsConn: &wsConn{Conn: server, timeout: time.Minute, in: newInbox(server, raw, nil), trying: newTryWriter(raw)}}
	next := tr.next
	if library {
		next = tr.nextByLibrary
	}
	var got []string
	for {
		data, binary, err := next()
		if err == nil {
			got = append(got, fmt.Sprintf("%v %q", binary, data))
			continue
		}
		switch {
		case err == errPeerClosed:
			got = append(got, "closed by the client")
		case errors.Is(err, websocket.ErrMessageTooBig):
			got = append(got, "too big")
		default:
			got = append(got, "broken")
		}
		tr.shut()
		assert.True(t, tr.in.raw == nil || tr.in.buf == nil, "the buffer is given back at the end")
		<-received
		return append(got, fmt.Sprintf("%q", sent.String()))
	}
}

func tcpPair(t *testing.T) (client, server net.Conn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	client, err = net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	server, err = ln.Accept()
	require.NoError(t, err)
	return client, server
}

// What an inbox reads by itself comes out as the library reads it.
func TestInboxReadsAsLibrary(t *testing.T) {
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	unmasked := []byte{0x81, 2, '4', 'x'}
	long := strings.Repeat("long ", 700)
	huge := strings.Repeat("huge ", 20_000)
	closing := func(status int, why string) []byte {
		return clientFrame(finClose, string([]byte{byte(status >> 8), byte(status)})+why)
	}
	text := func(s string) []byte { return clientFrame(finText, s) }
	streams := map[string][]byte{
		"nothing":           nil,
		"messages":          join(text("4a"), text(""), clientFrame(finBinary, "\x00\xff"), text("4bcdefghijklmnop")),
		"126 bytes":         join(text(strings.Repeat("x", 125)), text(strings.Repeat("y", 126)), text(strings.Repeat("z", 127))),
		"more than a burst": join(text(long), text(long), text("4x"), text(long), text(long)),
		"about a burst":     join(text(long), text(strings.Repeat("e", burstSize-8)), text(strings.Repeat("f", burstSize-7)), text("4x")),
		"huge":              join(text("4a"), text(huge), text("4b"), clientFrame(finBinary, huge), text("4c")),
		"longest form":      {0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, '4'},
		"fragments":         join(text("4a"), clientFrame(1, "4b"), clientFrame(0, "c"), clientFrame(0x80, "d"), text("4e")),
		"ping in fragments": join(clientFrame(1, "4b"), clientFrame(0x89, "hello"), clientFrame(0x80, "d"), text("4e")),
		"pings":             join(clientFrame(0x89, ""), clientFrame(0x89, "hello"), text("4a"), clientFrame(0x8a, "unasked"), text("4b")),
		"close":             join(text("4a"), closing(1000, "bye"), text("4late")),
		"close, no status":  join(text("4a"), clientFrame(finClose, ""), text("4late")),
		"close, own status": join(closing(3000, ""), text("4late")),
		"close, going away": closing(1001, strings.Repeat("r", 123)),
		"close, half":       join(text("4a"), clientFrame(finClose, "x")),
		"close, bad status": closing(1005, ""),
		"close, low status": closing(7, ""),
		"close, 1011":       closing(1011, "oh"),
		"close, cut off":    closing(1000, "bye")[:7],
		"long control":      join(text("4a"), clientFrame(0x89, strings.Repeat("p", 126))),
		"control in parts":  join(text("4a"), clientFrame(0x09, "p")),
		"unmasked":          join(text("4a"), unmasked),
		"reserved bit":      join(text("4a"), clientFrame(0xc1, "4b")),
		"reserved op":       join(text("4a"), clientFrame(0x83, "4b")),
		"reserved control":  join(text("4a"), clientFrame(0x8b, "4b")),
		"continuing what":   join(text("4a"), clientFrame(0x80, "4b")),
		"too big":           join(text("4a"), text(strings.Repeat("b", 200_001)), text("4c")),
		"cut off":           text("4hello")[:9],
		"cut off in header": join(text("4a"), text(long)[:3]),
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 100 {
		var b []byte
		for range 1 + random.IntN(8) {
			first := byte(0x80 | 1 + random.IntN(2))
			if random.IntN(8) == 0 {
				first = byte(random.IntN(256))
			}
			size := random.IntN(40)
			if random.IntN(8) == 0 {
				size = random.IntN(2 * burstSize)
			}
			b = append(b, clientFrame(first, strings.Repeat("r", size))...)
		}
		streams[fmt.Sprintf("random %d", i)] = b
	}
	hidden := func(t *testing.T) (net.Conn, net.Conn) {
		client, server := tcpPair(t)
		return client, struct{ net.Conn }{server} // as one with TLS
	}
	for name, stream := range streams {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := transcript(t, stream, len(stream)+1, 200_000, true, tcpPair)
			assert.Equal(t, want, transcript(t, stream, len(stream)+1, 200_000, false, tcpPair), "TCP")
			for _, piece := range []int{1, 7, 1000} {
				if len(stream) < 2000*piece {
					assert.Equal(t, want, transcript(t, stream, piece, 200_000, false, tcpPair), "TCP, %d at a time", piece)
					assert.Equal(t, want, transcript(t, stream, piece, 200_000, false, hidden), "no descriptor, %d at a time", piece)
				}
			}
		})
	}
}

// The limit is Options.MaxPayload, also when it is less than a burst.
func TestInboxLimit(t *testing.T) {
	stream := append(clientFrame(finText, strings.Repeat("a", 100)), clientFrame(finText, strings.Repeat("b", 101))...)
	want := transcript(t, stream, 1000, 100, true, tcpPair)
	require.Equal(t, "too big", want[1])
	assert.Equal(t, want, transcript(t, stream, 1000, 100, false, tcpPair))
}

// What net/http has read beyond the handshake comes first.
func TestInboxBefore(t *testing.T) {
	client, server := tcpPair(t)
	defer client.Close()
	defer server.Close()
	stream := append(clientFrame(finText, "4a"), clientFrame(finText, "4b")...)
	for _, raw := range []bool{true, false} {
		in := newInbox(server, rawConn(server), stream[:9])
		if !raw {
			in = newInbox(server, nil, stream[:9])
		}
		tr := &wsTransport{limit: 100, wsConn: &wsConn{Conn: server, in: in}}
		_, err := client.Write(stream[9:])
		require.NoError(t, err)
		for _, want := range []string{"4a", "4b"} {
			data, _, err := tr.next()
			require.NoError(t, err)
			assert.Equal(t, want, string(data))
		}
	}
}

func TestUnmask(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for size := range 70 {
		key := random.Uint32()
		plain := make([]byte, size)
		for i := range plain {
			plain[i] = byte(random.Uint32())
		}
		masked := bytes.Clone(plain)
		for i := range masked {
			masked[i] ^= byte(key >> (i % 4 * 8))
		}
		unmask(masked, key)
		require.Equal(t, plain, masked)
	}
}

// Reading a message takes no memory, and waiting for one no buffer.
func TestInboxAllocates(t *testing.T) {
	client, server := tcpPair(t)
	defer client.Close()
	defer server.Close()
	raw := rawConn(server)
	if raw == nil {
		t.Skip("file descriptors are out of reach here")
	}
	tr := &wsTransport{limit: 100, wsConn: &wsConn{Conn: server, in: newInbox(server, raw, nil)}}
	frame := clientFrame(finText, "4hello")
	read := func() {
		_, _ = client.Write(frame)
		if _, _, err := tr.next(); err != nil {
			t.Error(err)
		}
	}
	read()
	assert.Less(t, testing.AllocsPerRun(200, read), 0.5) // now and then the pool is emptied
}

type ignore struct{}

func (ignore) Message([]byte, bool) <-chan struct{} { return nil }
func (ignore) Closed(Reason, error)                 {}

// The stack that handling messages took is given up when the client falls silent.
func TestReaderIsReplaced(t *testing.T) {
	text := func(s string) []byte { return clientFrame(finText, s) }
	for _, tt := range []struct {
		name    string
		opening bool
		frames  []string
		want    bool
	}{
		{"after the first message", true, []string{"4a"}, true},
		{"not while there is more", true, []string{"4a", "4b"}, false},
		{"when only pings are answered", false, []string{"4a", "3", "3"}, true},
		{"not between messages", false, []string{"4a", "3", "4b", "3", "4c", "3"}, false},
		{"not if it never handled a message", false, []string{"3", "3", "3"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := tcpPair(t)
			defer client.Close()
			defer server.Close()
			srv, err := NewServer(&Options{OnConnect: func(*Conn) (Receiver, error) { return nil, nil }})
			require.NoError(t, err)
			c := newConn(srv, new(http.Request), "id")
			c.receiver = ignore{}
			srv.wg.Add(1)
			var stream []byte
			for _, f := range tt.frames {
				stream = append(stream, text(f)...)
			}
			_, err = client.Write(stream)
			require.NoError(t, err)
			require.NoError(t, client.(*net.TCPConn).CloseWrite())
			raw := rawConn(server)
			tr := &wsTransport{limit: 100, wsConn: &wsConn{Conn: server, in: newInbox(server, raw, nil), trying: newTryWriter(raw)}}
			again, room := c.readWebSocket(tr, tt.opening)
			assert.Equal(t, tt.want, again)
			assert.Nil(t, room)
			c.end(ReasonTransportClose, nil, abort)
			srv.wg.Wait()
		})
	}
}
