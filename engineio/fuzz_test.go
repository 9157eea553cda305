package engineio_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// statuses are those a client may see. There is no 500 among them.
var statuses = []int{200, 204, 400, 403, 404, 405, 413}

func wantStatuses(t *testing.T, got []int) {
	t.Helper()
	for _, status := range got {
		if !slices.Contains(statuses, status) {
			t.Errorf("status %d", status)
		}
	}
}

// Any body of a POST: what a plain reading of the protocol finds in it arrives, in order, and the answer says whether all
// of it was good.
func FuzzPayload(f *testing.F) {
	for _, body := range []string{"4a", "4a\x1ebAQID\x1e4", "", "\x1e", "4a\x1e", "3", "2", "1", "4a\x1e1\x1e4b", "5", "6", "0{}", "7", "b!", "bAQ==\x1eb",
		"bAQ\n==", "4\xff\xfe", "4" + strings.Repeat("x", 996), "4" + strings.Repeat("x", 1000), "\x1e4a", "4a\x1e2probe\x1e4b"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, &engineio.Options{Limits: engineio.Limits{MaxPayload: 1000}}, nil)
			do := func(method, query, body string) *httptest.ResponseRecorder {
				w := httptest.NewRecorder()
				h.srv.ServeHTTP(w, httptest.NewRequest(method, "/engine.io/?EIO=4&transport=polling"+query, strings.NewReader(body)))
				return w
			}
			require.Equal(t, http.StatusOK, do("GET", "", "").Code)
			p := h.peer()
			sid := "&sid=" + p.ID()

			messages, status, reason := plainPayload(string(body))
			if !utf8.Valid(body) {
				messages, status, reason = nil, http.StatusBadRequest, engineio.ReasonParseError
			}
			if len(body) > 1000 {
				messages, status, reason = nil, http.StatusRequestEntityTooLarge, engineio.ReasonTransportError
			}
			answer := do("POST", sid, string(body))
			require.Equal(t, status, answer.Code, answer.Body)
			p.want(messages...)
			p.wantNone()
			if reason != "" {
				p.wantClosed(reason)
				require.Equal(t, http.StatusBadRequest, do("POST", sid, "4x").Code)
			} else {
				require.Equal(t, "ok", answer.Body.String())
				require.Equal(t, http.StatusOK, do("POST", sid, "4x").Code)
				p.want("text x")
			}
			time.Sleep(time.Minute)
			require.Zero(t, h.srv.Len())
		})
	})
}

// plainPayload reads a payload as the protocol document says, packet by packet.
func plainPayload(body string) (messages []string, status int, reason engineio.Reason) {
	for s := range strings.SplitSeq(body, eiotest.Separator) {
		if s == "" {
			return messages, http.StatusBadRequest, engineio.ReasonParseError
		}
		switch s[0] {
		case '4':
			messages = append(messages, "text "+s[1:])
		case 'b':
			b, err := base64.StdEncoding.DecodeString(s[1:])
			if err != nil {
				return messages, http.StatusBadRequest, engineio.ReasonParseError
			}
			messages = append(messages, "binary "+string(b))
		case '1':
			return messages, http.StatusOK, engineio.ReasonClientDisconnect
		case '2':
			return messages, http.StatusBadRequest, engineio.ReasonTransportError
		case '0', '3', '5', '6':
		default:
			return messages, http.StatusBadRequest, engineio.ReasonParseError
		}
	}
	return messages, http.StatusOK, ""
}

const wsHeaders = "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// request writes a request as it stands on the wire.
func request(method, query, headers, body string) string {
	if body != "" {
		headers += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	return fmt.Sprintf("%s /engine.io/?%s HTTP/1.1\r\n%s\r\n%s", method, query, headers, body)
}

// frame is a WebSocket frame of a client, masked with zeros: its payload stays readable for the fuzzing engine.
func frame(first byte, payload string) string {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return string(append(b, 0, 0, 0, 0)) + payload
}

// Anything on the wire, over several connections: whole requests in any order, half ones, others than HTTP. Every answer
// is one of the documented ones, and three minutes later nothing is left.
func FuzzServe(f *testing.F) {
	script := func(steps ...string) { f.Add([]byte(strings.Join(steps, eiotest.StepEnd)), byte(0)) }
	const host = "Host: a\r\n"
	open := "0" + request("GET", "EIO=4&transport=polling", host, "")
	get := request("GET", "EIO=4&transport=polling&sid=SID", host, "")
	post := func(body string) string { return request("POST", "EIO=4&transport=polling&sid=SID", host, body) }
	upgrade := request("GET", "EIO=4&transport=websocket&sid=SID", wsHeaders, "")
	script(open, "1"+get, "0"+post("4hello\x1ebAQID"), "1"+get, "0"+post("1"))
	script(open, "1"+get, "2"+get)                                                                        // overlapping polls
	script(open, "1"+post("4aaaaaaaaa")[:95], "2"+post("4b"))                                             // overlapping POSTs
	script(open, "1"+get, "b", "0"+post("4a"))                                                            // an aborted poll
	script(open, "1"+get, "2"+upgrade, "2"+frame(0x81, "2probe"), "2"+frame(0x81, "5")+frame(0x82, "bb")) // an upgrade
	script(open, "1"+upgrade, "b", "1"+upgrade, "1"+frame(0x81, "nonsense"), "2"+upgrade+frame(0x81, "2probe"), "c", "0"+get)
	script(open, "1"+upgrade+frame(0x81, "2probe")+frame(0x81, "5"), "2"+upgrade, "0"+get)
	script("0" + request("GET", "EIO=4&transport=websocket", wsHeaders, "") + frame(0x81, "4hi") + frame(0x88, ""))
	script("0"+request("GET", "EIO=4&transport=websocket", wsHeaders+"Sec-WebSocket-Extensions: permessage-deflate\r\n", "")+frame(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00"), "a")
	script("0"+request("OPTIONS", "EIO=4&transport=polling", host+"Origin: http://a\r\nAccess-Control-Request-Headers: X\r\n", ""), "0"+
		request("GET", "EIO=4&transport=polling", host+"Origin: http://evil\r\n", ""))
	script(open, "0"+request("PUT", "EIO=4&transport=polling&sid=SID", host, "4a"), "1"+request("HEAD", "EIO=4&transport=polling&sid=SID", host, ""))
	script("0"+request("GET", "EIO=3&transport=polling", host, ""), "0"+request("GET", "transport=%zz", host, ""), "0"+request("GET", "EIO=4&transport=polling&j=1", host, ""))
	script("0GET /engine.io HTTP/1.1\r\nHost: a\r\n\r\n", "1GET /else HTTP/1.0\r\n\r\n", "2PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	script(open, "0POST /engine.io/?EIO=4&transport=polling&sid=SID HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n4ab\r\n", "00\r\n\r\n", "1"+get)
	script(open, "0"+post(strings.Repeat("4abcdefgh\x1e", 200)))
	script(open, "1"+request("GET", "EIO=4&transport=polling&sid=SID", host+"Accept-Encoding: gzip;q=0.5, *;q=1\r\n", ""), "0"+post("4"+strings.Repeat("x", 400)))
	script(open, "wZ", "0"+get, "w\x14", "0"+post("3"), "w\x19", "0"+get)
	script(open, "0"+post("4x")[:50], "w\xff", "a")

	f.Fuzz(func(t *testing.T, input []byte, flags byte) {
		if len(input) > 1<<16 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			opts := &engineio.Options{Limits: engineio.Limits{MaxPayload: 1000, SendQueueLimit: 4000}, HTTPCompressionThreshold: 100, PerMessageDeflate: flags&1 != 0, PerMessageDeflateThreshold: 1}
			if flags&2 != 0 {
				opts.AllowedOrigins = []string{"*"}
			}
			if flags&4 != 0 {
				opts.Cookie, opts.TrustForwarded = &http.Cookie{}, true
			}
			h := newHost(t, opts, nil)
			h.echo = true
			h.onNew = func(p *peer) (engineio.Receiver, error) {
				if p.Request().URL.Query().Has("refuse") {
					return nil, io.EOF
				}
				return p, nil
			}
			p := eiotest.Play(t, h.srv, eiotest.ParseScript(input))
			wantStatuses(t, p.Statuses)
			if n := h.srv.Len(); n != 0 {
				t.Errorf("%d connections are left after minutes of silence", n)
			}
			if log := p.Close(); log != "" {
				t.Errorf("net/http complains: %s", log)
			}
		})
	})
}

// Any bytes behind the handshake of a WebSocket, or of an upgrade to one: the server's own frames stay well-formed,
// it ends, and it understands the same whether the bytes come through memory or through a socket, in one piece or two.
func FuzzFrames(f *testing.F) {
	// Flags.
	const (
		deflate = 1 << iota
		upgrade
		socket
		cutHeaders
	)
	for _, seed := range []string{
		frame(0x81, "4hello") + frame(0x82, "\x01\x02") + frame(0x88, "\x03\xe8bye"),
		frame(0x01, "4he") + frame(0x89, "ping") + frame(0x80, "llo") + frame(0x8a, "pong"),
		frame(0x81, "2probe") + frame(0x81, "5") + frame(0x81, "4x"),
		frame(0x81, "2probe") + frame(0x82, "5"),
		frame(0x81, "4") + frame(0x81, "3") + frame(0x81, "1") + frame(0x81, "4x"),
		frame(0x81, "2"), frame(0x81, ""), frame(0x82, ""), frame(0x81, "bAQID"), frame(0x81, "9"),
		frame(0x91, "4a"), frame(0xa1, "4a"), frame(0xc1, "4a"), frame(0x83, "a"), frame(0x8b, "a"), // reserved bits and types
		frame(0x80, "4a"), frame(0x01, "4a") + frame(0x81, "4b"), frame(0x09, "x"), // fragments out of place
		"\x81\x02hi", "\x81\xfe\x00\x01\x00\x00\x00\x004", // no mask; a length longer than need be
		"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x004", "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", "\x89\xfe\x00\x7e\x00\x00\x00\x00",
		frame(0x81, "4"+strings.Repeat("x", 999)), frame(0x81, "4"+strings.Repeat("x", 1000)), frame(0x82, strings.Repeat("y", 70_000)),
		frame(0x88, "\x03"), frame(0x88, "\x03\xed"), frame(0x88, "") + frame(0x81, "4x"), frame(0x8a, strings.Repeat("x", 125)),
		frame(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00"), frame(0x41, "\xf2\x48\xcd") + frame(0x80, "\xc9\xc9\x07\x00"), frame(0xc1, "\xff\xff"),
		strings.Repeat(frame(0x89, strings.Repeat("p", 125)), 40), "GET / HTTP/1.1\r\n\r\n", "\x81\x82mask\x59\x19",
		frame(0x81, "4hello")[:6], frame(0x82, strings.Repeat("x", 700))[:8+512], frame(0x02, "part"), // cut off
	} {
		for flags := range byte(8) {
			f.Add([]byte(seed), uint16(3), flags)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, cut uint16, flags byte) {
		if len(data) > 1<<17 {
			return
		}
		headers, query := wsHeaders, "EIO=4&transport=websocket"
		if flags&deflate != 0 {
			headers += "Sec-WebSocket-Extensions: permessage-deflate\r\n"
		}
		if flags&upgrade != 0 {
			query += "&sid=SID"
		}
		shake := []byte(request("GET", query, headers, ""))
		at := int(cut) % (len(data) + 1)
		if flags&cutHeaders != 0 { // frames in the segment of the handshake
			shake, data, at = append(shake, data[:at]...), data[at:], 0
		}
		opts := &engineio.Options{Limits: engineio.Limits{MaxPayload: 1000}, PerMessageDeflate: true, PerMessageDeflateThreshold: 1}

		var inMemory []string
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, opts, nil)
			h.echo = true
			p := eiotest.Play(t, h.srv, []eiotest.Step{
				{Conn: 0, Data: []byte(request("GET", "EIO=4&transport=polling", "Host: a\r\n", ""))},
				{Conn: 1, Data: shake}, {Conn: 1, Data: data[:at]}, {Conn: 1, Data: data[at:], Half: true},
			})
			wantStatuses(t, p.Statuses)
			if n := h.srv.Len(); n != 0 {
				t.Errorf("%d connections are left after minutes of silence", n)
			}
			checkFrames(t, p.Received[1], flags&deflate != 0)
			if log := p.Close(); log != "" {
				t.Errorf("net/http complains: %s", log)
			}
			inMemory = h.messages()
		})
		if flags&socket == 0 || flags&upgrade != 0 || len(data) > 4000 {
			return
		}
		h := newHost(t, opts, nil)
		h.echo = true
		received := overSocket(t, h.srv, shake, data[:at], data[at:])
		checkFrames(t, received, flags&deflate != 0)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		require.NoError(t, h.srv.Shutdown(ctx))
		require.Equal(t, inMemory, h.messages())
	})
}

// messages returns what all connections received that are a WebSocket.
func (h *host) messages() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, p := range h.all {
		close(p.msgs)
		for m := range p.msgs {
			all = append(all, m)
		}
	}
	return all
}

// overSocket serves one connection of the operating system's, writes the pieces to it and reads to its end.
func overSocket(t *testing.T, handler http.Handler, pieces ...[]byte) []byte {
	client, server := socketPair(t)
	web := &http.Server{Handler: handler}
	l := &oneListener{conn: make(chan net.Conn, 1), done: make(chan struct{})}
	l.conn <- server
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = web.Serve(l)
	}()
	go func() {
		for _, p := range pieces {
			_, _ = client.Write(p)
		}
		_ = client.(interface{ CloseWrite() error }).CloseWrite()
	}()
	_ = client.SetReadDeadline(time.Now().Add(patience))
	received, err := io.ReadAll(client)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Error("the server does not end")
	}
	_ = client.Close()
	_ = web.Close()
	<-served
	return received
}

// oneListener accepts one connection.
type oneListener struct {
	conn chan net.Conn
	done chan struct{}
}

func (l *oneListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *oneListener) Close() error   { close(l.done); return nil }
func (l *oneListener) Addr() net.Addr { return &net.UnixAddr{} }

// checkFrames checks what a client received behind the answer to its handshake (RFC 6455, section 5.2).
func checkFrames(t *testing.T, received []byte, deflate bool) {
	t.Helper()
	if !bytes.HasPrefix(received, []byte("HTTP/1.1 101 ")) {
		return // refused
	}
	_, b, _ := bytes.Cut(received, []byte("\r\n\r\n"))
	closed := false
	for len(b) >= 2 {
		first, n, header := b[0], int(b[1]), 2
		op, fin, reserved := first&0xf, first&0x80 != 0, first&0x70
		switch {
		case closed:
			t.Fatalf("a frame after the close frame: %.20x", b)
		case n&0x80 != 0:
			t.Fatalf("a masked frame: %.20x", b)
		case reserved != 0 && (!deflate || reserved != 0x40 || op > 2):
			t.Fatalf("reserved bits: %.20x", b)
		case op > 2 && op < 8 || op > 10:
			t.Fatalf("opcode %d: %.20x", op, b)
		case op >= 8 && (!fin || n > 125):
			t.Fatalf("a control frame in pieces: %.20x", b)
		}
		switch {
		case n == 126 && len(b) >= 4:
			n, header = int(binary.BigEndian.Uint16(b[2:])), 4
		case n == 127 && len(b) >= 10:
			n, header = int(binary.BigEndian.Uint64(b[2:])), 10
		case n > 125:
			return // cut off
		}
		if len(b) < header+n {
			return // cut off
		}
		b = b[header+n:]
		closed = op == 8
	}
}
