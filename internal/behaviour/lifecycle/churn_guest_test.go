package lifecycle_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// failure ends a life that did not go as it should.
type failure struct{ error }

// guest lives one life.
type guest struct {
	*rand.Rand
	dial  func() (net.Conn, error)
	conns []net.Conn
}

func (v *guest) run(l life) (err error) {
	defer func() {
		for _, c := range v.conns {
			_ = c.Close()
		}
		if r := recover(); r != nil {
			f, ok := r.(failure)
			if !ok {
				panic(r)
			}
			err = f.error
		}
	}()
	l.live(v)
	v.pause(v.IntN(3))
	return nil
}

func (v *guest) fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func (v *guest) check(err error) {
	if err != nil {
		v.fail("%w", err)
	}
}

func (v *guest) pick(of ...string) string { return of[v.IntN(len(of))] }

// pause lets the server get somewhere, or not.
func (v *guest) pause(ms int) { time.Sleep(time.Duration(ms) * time.Millisecond) }

// link is a connection with a buffer.
type link struct {
	net.Conn
	r *bufio.Reader
}

func (v *guest) open() *link {
	conn, err := v.dial()
	v.check(err)
	v.conns = append(v.conns, conn)
	v.check(conn.SetDeadline(time.Now().Add(30 * time.Second)))
	return &link{conn, bufio.NewReaderSize(conn, 512)}
}

// raw writes, whatever becomes of it.
func (v *guest) raw(c *link, s string) { _, _ = io.WriteString(c, s) }

func (v *guest) request(c *link, method, query string, header http.Header, body string) (*http.Response, string) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s /socket.io/?%s HTTP/1.1\r\nHost: server.test\r\n", method, query)
	_ = header.Write(&b)
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	v.raw(c, b.String())
	resp, err := http.ReadResponse(c.r, nil)
	v.check(err)
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, ""
	}
	answer, err := io.ReadAll(resp.Body)
	v.check(err)
	return resp, string(answer)
}

// pollSession is a session over polling.
type pollSession struct {
	v    *guest
	conn *link
	sid  string
}

func (v *guest) openPolling(query string) *pollSession {
	s := &pollSession{v: v, conn: v.open()}
	resp, body := v.request(s.conn, "GET", "EIO=4&transport=polling"+query, nil, "")
	if resp.StatusCode != 200 || len(body) < 31 {
		v.fail("handshake: status %d, %s", resp.StatusCode, body)
	}
	s.sid = body[9:31]
	return s
}

// post sends packets; a session that the server has ended is fine.
func (s *pollSession) post(packets ...string) {
	_, _ = s.v.request(s.conn, "POST", "EIO=4&transport=polling&sid="+s.sid, nil, strings.Join(packets, eiotest.Separator))
}

func (s *pollSession) poll() string {
	resp, body := s.v.request(s.conn, "GET", "EIO=4&transport=polling&sid="+s.sid, nil, "")
	if resp.StatusCode != 200 {
		return ""
	}
	return body
}

func (s *pollSession) pollFor(part string) {
	for {
		switch body := s.poll(); {
		case strings.Contains(body, part):
			return
		case body == "":
			s.v.fail("the session ended before %s", part)
		}
	}
}

func pollRequest(sid string) string {
	return "GET /socket.io/?EIO=4&transport=polling&sid=" + sid + " HTTP/1.1\r\nHost: server.test\r\n\r\n"
}

var wsHeader = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
	"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}

// frameOf is a WebSocket frame with a mask of zeros.
func frameOf(first byte, payload string) string {
	b := []byte{first, 0x80 | byte(len(payload))}
	if len(payload) > 125 {
		b[1] = 0x80 | 126
		b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	}
	return string(append(b, 0, 0, 0, 0)) + payload
}

// wsSession is a session over WebSocket.
type wsSession struct {
	v *guest
	*link
}

func (v *guest) webSocket(query string) *wsSession {
	ws := &wsSession{v, v.open()}
	header := wsHeader
	if v.IntN(2) == 0 {
		header = header.Clone()
		header.Set("Sec-WebSocket-Extensions", "permessage-deflate")
	}
	resp, body := v.request(ws.link, "GET", "EIO=4&transport=websocket"+query, header, "")
	if resp.StatusCode != http.StatusSwitchingProtocols {
		v.fail("WebSocket handshake: status %d, %s", resp.StatusCode, body)
	}
	return ws
}

// joined is a client in the main namespace.
func (v *guest) joined() *wsSession {
	ws := v.webSocket("")
	ws.send("40")
	ws.until("40{")
	return ws
}

func (ws *wsSession) write(frames string) { ws.v.raw(ws.link, frames) }

func (ws *wsSession) send(packets ...string) {
	for _, p := range packets {
		ws.write(frameOf(0x81, p))
	}
}

// frame reads a frame; compressed ones are left as they are.
func (ws *wsSession) frame() (first byte, payload string, err error) {
	var h [8]byte
	if _, err = io.ReadFull(ws.r, h[:2]); err != nil {
		return 0, "", err
	}
	first = h[0]
	n := int(h[1])
	switch n {
	case 126:
		if _, err = io.ReadFull(ws.r, h[:2]); err == nil {
			n = int(binary.BigEndian.Uint16(h[:2]))
		}
	case 127:
		if _, err = io.ReadFull(ws.r, h[:8]); err == nil {
			n = int(binary.BigEndian.Uint64(h[:8]))
		}
	}
	if err != nil {
		return 0, "", err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(ws.r, b)
	return first, string(b), err
}

// until reads and answers pings, until a packet with a part comes.
func (ws *wsSession) until(part string) {
	for {
		first, payload, err := ws.frame()
		switch {
		case err != nil:
			ws.v.fail("the connection ended before %s: %w", part, err)
		case first == 0x88:
			ws.v.fail("the server closed the connection before %s", part)
		case first&0x70 != 0: // compressed: large ones only
		case payload == "2":
			ws.send("3")
		case strings.Contains(payload, part):
			return
		}
	}
}

// end reads to the close frame, or to the end of the connection.
func (ws *wsSession) end() {
	for {
		first, _, err := ws.frame()
		var netErr net.Error
		switch {
		case errors.As(err, &netErr) && netErr.Timeout():
			ws.v.fail("the server does not end the connection")
		case err != nil || first == 0x88:
			return
		}
	}
}

// upgraded upgrades a session as a client should.
func (v *guest) upgraded(s *pollSession) *wsSession {
	ws := v.webSocket("&sid=" + s.sid)
	ws.send("2probe")
	ws.until("3probe")
	ws.send("5")
	return ws
}

// abortedUpgrade begins an upgrade, with a poll under way, and drops it after some steps; some sessions go on
// without it.
func (v *guest) abortedUpgrade(steps ...string) {
	s := v.openPolling("")
	s.post("40")
	s.pollFor(`"sid"`)
	if v.IntN(2) == 0 {
		v.raw(v.open(), pollRequest(s.sid))
	}
	ws := v.webSocket("&sid=" + s.sid)
	for _, step := range steps {
		switch step {
		case "read":
			ws.until("3probe")
		case "wait":
			v.pause(300)
		default:
			ws.send(step)
		}
	}
	_ = ws.Close()
	if v.IntN(2) == 0 {
		s.post(`42["echo","x"]`)
		s.post("1")
		s.poll()
	}
}
