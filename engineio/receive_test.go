package engineio

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio/internal/rawconn"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
	"github.com/seed-d124fa34/socketio/engineio/internal/wstest"
)

// transcript is what comes of the bytes that a client sends in pieces of some
// size: the messages, how it ends, and what the client is sent, as frames. The client
// ends its direction when it has sent everything and the other when the server has.
func transcript(t *testing.T, stream []byte, piece, limit int, pair func(testing.TB) (client, server net.Conn)) []string {
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
	srv, err := NewServer(&Options{OnConnect: func(*Conn) (Receiver, error) { return nil, nil }, Limits: Limits{MaxPayload: limit}})
	require.NoError(t, err)
	c := newConn(srv, httptest.NewRequest("GET", "/", nil), "id", WebSocket, revision4)
	record := new(record)
	c.receiver = record
	c.writing = false
	tr := websock.NewConn(server, &websock.Options{WriteTimeout: time.Minute, Limit: limit, ControlRate: defaultControlRate}, nil)
	c.ws = tr
	srv.wg.Add(2) // of the connection and of the goroutine that reads
	c.serveWebSocket(tr, anything)
	srv.wg.Wait()
	assert.False(t, tr.HoldsBuffer(), "the buffer is given back at the end")
	<-received
	cut := strings.HasSuffix(record.got[len(record.got)-1], rawconn.ErrCutOff.Error())
	ops, payloads := wstest.ParseFrames(t, sent.Bytes())
	for i, op := range ops {
		if op == 0x88 && cut {
			break // the flusher says goodbye or not, as the network connection is being closed
		}
		record.got = append(record.got, fmt.Sprintf("%x %q", op, payloads[i]))
	}
	return record.got
}

// record is a Receiver.
type record struct {
	ReceiverFuncs
	got []string
}

func (r *record) Message(data []byte, binary bool) <-chan struct{} {
	if len(data) > 100 {
		data = fmt.Appendf(nil, "%d %s", len(data), data[len(data)-1:])
	}
	r.got = append(r.got, fmt.Sprintf("%v %q", binary, data))
	return nil
}

func (r *record) Closed(reason Reason, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	r.got = append(r.got, fmt.Sprintf("%s: %s", reason, text))
}

// What clients send comes out whole, whatever pieces it comes in, and so does what is wrong with it.
func TestWebSocketReads(t *testing.T) {
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	long := strings.Repeat("long ", 700)
	huge := strings.Repeat("huge ", 20_000)
	closing := func(status int, why string) []byte {
		return wstest.ClientFrame(0x88, string([]byte{byte(status >> 8), byte(status)})+why)
	}
	text := func(s string) []byte { return wstest.ClientFrame(0x81, "4"+s) }
	bin := func(s string) []byte { return wstest.ClientFrame(0x82, s) }
	const (
		cut     = "transport close: engineio: the network connection ended without a close frame"
		bye     = "transport close: "
		wrong   = "transport error: websocket: the client sent "
		tooBig  = "transport close: engineio: message larger than 200000 bytes (Options.Limits.MaxPayload)"
		status2 = `88 "\x03\xea"`
		status7 = `88 "\x03\xef"`
		status9 = `88 "\x03\xf1"`
	)
	for name, tt := range map[string]struct {
		stream []byte
		want   []string
	}{
		"nothing":           {nil, []string{cut}},
		"messages":          {join(text("a"), text(""), bin("\x00\xff"), text("bcdefghijklmnop")), []string{`false "a"`, `false ""`, `true "\x00\xff"`, `false "bcdefghijklmnop"`, cut}},
		"more than a burst": {join(text(long), text(long), text("x"), text(long), text(long)), []string{`false "3500  "`, `false "3500  "`, `false "x"`, `false "3500  "`, `false "3500  "`, cut}},
		"about a burst": {join(text(long), text(strings.Repeat("e", rawconn.BurstSize-9)), text(strings.Repeat("f", rawconn.BurstSize-8)), text("x")),
			[]string{`false "3500  "`, `false "4087 e"`, `false "4088 f"`, `false "x"`, cut}},
		"huge":      {join(text("a"), text(huge), text("b"), bin(huge), text("c")), []string{`false "a"`, `false "100000  "`, `false "b"`, `true "100000  "`, `false "c"`, cut}},
		"fragments": {join(text("a"), wstest.ClientFrame(1, "4b"), wstest.ClientFrame(0, "c"), wstest.ClientFrame(0x80, "d"), text("e")), []string{`false "a"`, `false "bcd"`, `false "e"`, cut}},
		"huge in fragments": {join(wstest.ClientFrame(1, "4"+huge), wstest.ClientFrame(0, huge[:99_000]), wstest.ClientFrame(0x80, "d"), text("e")),
			[]string{`false "199001 d"`, `false "e"`, cut}},
		"ping in fragments": {join(wstest.ClientFrame(1, "4b"), wstest.ClientFrame(0x89, "hello"), wstest.ClientFrame(0x80, "d"), text("e")), []string{`false "bd"`, `false "e"`, cut, `8a "hello"`}},
		"pings": {join(wstest.ClientFrame(0x89, ""), wstest.ClientFrame(0x89, "hello"), text("a"), wstest.ClientFrame(0x8a, "unasked"), text("b")),
			[]string{`false "a"`, `false "b"`, cut, `8a ""`, `8a "hello"`}},
		"longest ping":         {wstest.ClientFrame(0x89, strings.Repeat("p", 125)), []string{cut, fmt.Sprintf("8a %q", strings.Repeat("p", 125))}},
		"close":                {join(text("a"), closing(1000, "bye"), text("late")), []string{`false "a"`, bye, `88 "\x03\xe8bye"`}},
		"close in fragments":   {join(wstest.ClientFrame(1, "4a"), closing(1000, "bye")), []string{bye, `88 "\x03\xe8bye"`}},
		"close, no status":     {join(text("a"), wstest.ClientFrame(0x88, ""), text("late")), []string{`false "a"`, bye, `88 ""`}},
		"close, own status":    {join(closing(3000, ""), text("late")), []string{bye, `88 "\v\xb8"`}},
		"close, 1011":          {closing(1011, "oh"), []string{bye, `88 "\x03\xf3oh"`}},
		"close, half":          {join(text("a"), wstest.ClientFrame(0x88, "x")), []string{`false "a"`, wrong + "a close frame with half a status", status2}},
		"close, bad status":    {closing(1005, ""), []string{wrong + "a close frame with a status that may not be sent", status2}},
		"close, bad reason":    {closing(1000, "\xff"), []string{wrong + "a close frame whose reason is not UTF-8", status7}},
		"close, cut off":       {closing(1000, "bye")[:7], []string{cut}},
		"long control":         {join(text("a"), wstest.ClientFrame(0x89, strings.Repeat("p", 126))), []string{`false "a"`, wrong + "a control frame of more than 125 bytes", status2}},
		"control in parts":     {join(text("a"), wstest.ClientFrame(0x09, "p")), []string{`false "a"`, wrong + "a control frame in fragments", status2}},
		"unmasked":             {join(text("a"), []byte{0x81, 2, '4', 'x'}, text("b")), []string{`false "a"`, wrong + "a frame without a mask", status2}},
		"reserved bit":         {join(text("a"), wstest.ClientFrame(0xc1, "4b")), []string{`false "a"`, wrong + "a frame with a reserved bit, but no extension was negotiated", status2}},
		"reserved op":          {join(text("a"), wstest.ClientFrame(0x83, "4b")), []string{`false "a"`, wrong + "a frame with a reserved opcode", status2}},
		"continuing what":      {join(text("a"), wstest.ClientFrame(0x80, "4b")), []string{`false "a"`, wrong + "a continuation frame outside a message", status2}},
		"unfinished":           {join(wstest.ClientFrame(1, "4a"), text("b")), []string{"transport error: websocket: the client began a message before the end of the last one", status2}},
		"too big":              {join(text("a"), bin(strings.Repeat("b", 200_001))[:5000]), []string{`false "a"`, tooBig, status9}},
		"too big in fragments": {join(wstest.ClientFrame(1, "4"), wstest.ClientFrame(0, huge), wstest.ClientFrame(0x80, huge)[:5000]), []string{tooBig, status9}},
		"as big as can be":     {bin(strings.Repeat("b", 200_000)), []string{`true "200000 b"`, cut}},
		"not UTF-8":            {join(text("a"), text("\xc0\xaf"), text("c")), []string{`false "a"`, wrong + "a text message that is not UTF-8", status7}},
		"not UTF-8, huge":      {text("a" + huge + "\xed\xa0\x80"), []string{wrong + "a text message that is not UTF-8", status7}},
		"half a character":     {join(wstest.ClientFrame(1, "4\xf0\x9f"), wstest.ClientFrame(0x80, "\x98")), []string{wrong + "a text message that is not UTF-8", status7}},
		"in two halves":        {join(wstest.ClientFrame(1, "4\xf0\x9f"), wstest.ClientFrame(0x80, "\x98\x80")), []string{`false "😀"`, cut}},
		"cut off":              {text("hello")[:9], []string{cut}},
		"cut off in a message": {wstest.ClientFrame(1, "4hello"), []string{cut}},
		"cut off, huge":        {text(huge)[:50_000], []string{cut}},
	} {
		hidden := func(t testing.TB) (net.Conn, net.Conn) {
			client, server := wstest.TCPPair(t)
			return client, struct{ halfConn }{server.(*net.TCPConn)} // as one with TLS
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, piece := range []int{len(tt.stream) + 1, 1, 7, 1000} {
				if len(tt.stream) < 2000*piece {
					assert.Equal(t, tt.want, transcript(t, tt.stream, piece, 200_000, wstest.TCPPair), "TCP, %d at a time", piece)
					assert.Equal(t, tt.want, transcript(t, tt.stream, piece, 200_000, hidden), "no descriptor, %d at a time", piece)
				}
			}
		})
	}
}

// halfConn is what a connection of TLS can do.
type halfConn interface {
	net.Conn
	CloseWrite() error
}

// The limit is Options.Limits.MaxPayload, also when it is less than a burst.
func TestWebSocketLimit(t *testing.T) {
	stream := append(wstest.ClientFrame(0x82, strings.Repeat("a", 100)), wstest.ClientFrame(0x82, strings.Repeat("b", 101))...)
	got := transcript(t, stream, 1000, 100, wstest.TCPPair)
	require.Len(t, got, 3)
	assert.Contains(t, got[1], "message larger than 100 bytes")
	assert.Equal(t, `88 "\x03\xf1"`, got[2])
}

// The goroutine that reads ends when the client falls silent.
func TestReaderEndsWithSilence(t *testing.T) {
	text := func(s string) []byte { return wstest.ClientFrame(0x81, s) }
	for _, tt := range []struct {
		name   string
		e      expectation
		frames []string
		want   bool
	}{
		{"after the first message", opening, []string{"4a"}, true},
		{"not while there is more", opening, []string{"4a", "4b"}, false},
		{"when only pings are answered", anything, []string{"4a", "3", "3"}, true},
		{"not after one pong", anything, []string{"4a", "3"}, false},
		{"not between messages", anything, []string{"4a", "3", "4b", "3", "4c", "3"}, false},
		{"after one pong, if it was silent", pong, []string{"3"}, true},
		{"not if it was silent, and sends messages", pong, []string{"4a", "3", "4b", "3"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := wstest.TCPPair(t)
			defer client.Close()
			defer server.Close()
			srv, err := NewServer(&Options{OnConnect: func(*Conn) (Receiver, error) { return nil, nil }})
			require.NoError(t, err)
			c := newConn(srv, new(http.Request), "id", WebSocket, revision4)
			c.receiver = ReceiverFuncs{}
			srv.wg.Add(1)
			var stream []byte
			for _, f := range tt.frames {
				stream = append(stream, text(f)...)
			}
			_, err = client.Write(stream)
			require.NoError(t, err)
			require.NoError(t, client.(*net.TCPConn).CloseWrite())
			tr := websock.NewConn(server, &websock.Options{WriteTimeout: time.Minute, Limit: 100, ControlRate: defaultControlRate}, nil)
			silent, room := c.readWebSocket(tr, tt.e)
			assert.Equal(t, tt.want, silent)
			assert.Nil(t, room)
			c.end(ReasonTransportClose, nil, abort)
			srv.wg.Wait()
		})
	}
}
