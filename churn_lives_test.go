package socketio_test

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

// life is what a client does from its first byte to its last. It returns when it would vanish: its connections are
// then cut.
type life struct {
	name    string
	lingers bool // the server keeps something for five seconds
	live    func(v *guest)
}

var lives = []life{
	{"connect and leave, polling", false, func(v *guest) {
		s := v.openPolling("")
		s.post("40")
		s.pollFor(`"sid"`)
		s.post(`421["echo","x"]`)
		s.pollFor("431[")
		s.post("41", "1")
		s.poll()
	}},
	{"connect and leave, WebSocket", false, func(v *guest) {
		ws := v.joined()
		ws.send(`421["echo","x"]`)
		ws.until("431[")
		ws.send("41")
		ws.write(frameOf(0x88, "\x03\xe8"))
		ws.end()
	}},
	{"connect and leave, upgrade", false, func(v *guest) {
		s := v.openPolling("")
		s.post("40")
		s.pollFor(`"sid"`)
		ws := v.upgraded(s)
		ws.send(`421["echo","x"]`)
		ws.until("431[")
		ws.write(frameOf(0x88, ""))
		ws.end()
	}},
	{"connect and vanish, WebSocket", false, func(v *guest) { v.joined().send(`421["echo","x"]`) }},
	{"leave and connect again", false, func(v *guest) {
		ws := v.joined()
		ws.send("41", "40", `42["echo","x"]`, "40/quiet,")
		ws.until("echo")
	}},
	{"the server disconnects", false, func(v *guest) {
		ws := v.joined()
		ws.send(v.pick(`42["bye"]`, `42["part"]`))
		ws.until("41")
	}},
	{"the server closes a session that does not poll", true, func(v *guest) {
		s := v.openPolling("")
		s.post("40")
		s.pollFor(`"sid"`)
		s.post(`42["bye"]`)
	}},
	{"handlers panic", false, func(v *guest) {
		ws := v.joined()
		ws.send(`421["panic"]`, `42["panic"]`, `42["echo","x"]`)
		ws.until("echo")
	}},

	{"refused by the engine", false, func(v *guest) {
		conn := v.open()
		for _, query := range []string{"EIO=3&transport=polling", "EIO=4&transport=carrier", "EIO=4&transport=polling&sid=none", "EIO=4&transport=polling&refuse=1"} {
			if resp, _ := v.request(conn, "GET", query, nil, ""); resp.StatusCode < 400 {
				v.fail("status %d for %s", resp.StatusCode, query)
			}
		}
		resp, _ := v.request(conn, "GET", "EIO=4&transport=polling", http.Header{"Origin": {"http://evil.test"}}, "")
		if resp.StatusCode != 403 {
			v.fail("status %d for another origin", resp.StatusCode)
		}
	}},
	{"a WebSocket refused by the engine", false, func(v *guest) {
		resp, _ := v.request(v.open(), "GET", "EIO=4&transport=websocket&refuse=1", wsHeader, "")
		if resp.StatusCode != 500 { // Options.Session failed
			v.fail("status %d", resp.StatusCode)
		}
	}},
	{"refused by the namespace", false, func(v *guest) {
		ws := v.webSocket("")
		ws.send(v.pick(`40{"refuse":1}`, `40{"panic":1}`, "40/unknown,"))
		ws.until("44")
	}},
	{"refused by the namespace, polling", true, func(v *guest) {
		s := v.openPolling("")
		s.post(v.pick(`40{"refuse":1}`, `40{"panic":1}`, "40/unknown,"))
		s.pollFor("44")
	}},

	{"a connection and nothing", false, func(v *guest) { v.open() }},
	{"half a request", false, func(v *guest) {
		all := "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"
		v.raw(v.open(), all[:1+v.IntN(len(all)-1)])
	}},
	{"a WebSocket without CONNECT", true, func(v *guest) {
		ws := v.webSocket("")
		if v.IntN(2) == 0 {
			ws.end() // by the server, after ConnectTimeout
		}
	}},
	{"a handshake and nothing", true, func(v *guest) { v.openPolling("") }},
	{"an answer to a handshake that nobody reads", true, func(v *guest) {
		v.raw(v.open(), "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n")
	}},
	{"half a WebSocket handshake", false, func(v *guest) {
		v.raw(v.open(), "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
	}},

	{"an abandoned poll", false, func(v *guest) {
		s := v.openPolling("")
		s.post("40")
		s.pollFor(`"sid"`)
		v.raw(v.open(), pollRequest(s.sid))
		v.pause(5)
	}},
	{"a session that stops polling", false, func(v *guest) { // ping timeout
		s := v.openPolling("")
		s.post("40")
		s.pollFor(`"sid"`)
	}},
	{"overlapping polls", false, func(v *guest) {
		s := v.openPolling("")
		s.post("40")
		s.pollFor(`"sid"`)
		v.raw(v.open(), pollRequest(s.sid))
		v.raw(v.open(), pollRequest(s.sid))
		v.pause(5)
	}},
	{"half a POST", false, func(v *guest) {
		s := v.openPolling("")
		s.post("40")
		s.pollFor(`"sid"`)
		v.raw(v.open(), "POST /socket.io/?EIO=4&transport=polling&sid="+s.sid+" HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n42[\"ech")
		v.pause(5)
	}},

	{"an upgrade that ends after the handshake", false, func(v *guest) { v.abortedUpgrade() }},
	{"an upgrade without a probe", false, func(v *guest) { v.abortedUpgrade(v.pick("40", "5", "nonsense", "")) }},
	{"an upgrade that ends with the probe", false, func(v *guest) { v.abortedUpgrade("2probe") }},
	{"an upgrade that ends after the probe", false, func(v *guest) { v.abortedUpgrade("2probe", "read") }},
	{"an upgrade that goes wrong after the probe", false, func(v *guest) { v.abortedUpgrade("2probe", "read", "4x") }},
	{"an upgrade that waits for its timeout", false, func(v *guest) {
		v.abortedUpgrade("2probe", "read", "wait")
	}},
	{"an upgrade that vanishes with its last step", false, func(v *guest) { v.abortedUpgrade("2probe", "read", "5") }},
	{"half the request of an upgrade", false, func(v *guest) {
		s := v.openPolling("")
		s.post("40")
		s.pollFor(`"sid"`)
		v.raw(v.open(), "GET /socket.io/?EIO=4&transport=websocket&sid="+s.sid+" HTTP/1.1\r\nUpgrade: webso")
		s.post("1")
		s.poll()
	}},

	{"dropped in the middle of a binary packet", false, func(v *guest) {
		ws := v.joined()
		ws.send(`452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
		if v.IntN(2) == 0 {
			ws.write(frameOf(0x82, "\x01\x02\x03"))
		}
	}},
	{"dropped in the middle of a frame", false, func(v *guest) {
		ws := v.joined()
		frame := frameOf(0x82, strings.Repeat("x", 10_000))
		ws.send(`451-["echo",{"_placeholder":true,"num":0}]`)
		ws.write(frame[:1+v.IntN(len(frame)-1)])
	}},
	{"dropped in the middle of a binary packet, polling", false, func(v *guest) {
		s := v.openPolling("")
		s.post("40")
		s.pollFor(`"sid"`)
		s.post(`452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, "bAQID")
	}},
	{"no packet", false, func(v *guest) {
		ws := v.joined()
		ws.send(v.pick("4nonsense", "9", "42[", "42/never,[\"x\"]", "451-[\"x\"]", "42[\"connect\"]"))
		ws.end()
	}},
	{"no frame", false, func(v *guest) {
		ws := v.joined()
		ws.write(v.pick("\xff\xff\xff\xff", "\x81\x05hello", "GET / HTTP/1.1\r\n\r\n", "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff0000"))
		ws.end()
	}},

	{"dropped while the server writes", false, func(v *guest) {
		ws := v.joined()
		ws.send(`42["flood",2]`)
		_, _ = io.ReadFull(ws.r, make([]byte, 1000+v.IntN(50_000)))
	}},
	{"never reads", false, func(v *guest) { // slow client
		ws := v.joined()
		ws.send(`42["flood",40]`)
		v.pause(5)
	}},
	{"dropped while the server writes, polling", false, func(v *guest) {
		s := v.openPolling("")
		s.post("40")
		s.pollFor(`"sid"`)
		s.post(`42["flood",2]`)
		conn := v.open()
		v.raw(conn, pollRequest(s.sid))
		_, _ = io.ReadFull(conn.r, make([]byte, 1000+v.IntN(50_000)))
	}},
	{"gone during the connect handler", false, func(v *guest) {
		ws := v.webSocket("")
		ws.send(`40{"slow":true}`, `42["echo","x"]`)
		v.pause(v.IntN(5))
	}},
	{"gone during the connect handler, polling", true, func(v *guest) {
		s := v.openPolling("")
		s.post(`40{"slow":true}`)
		s.post(v.pick("1", "41", "9"))
	}},
	{"in many rooms", false, func(v *guest) {
		ws := v.joined()
		ws.send(`42["rooms",30]`)
		ws.until("joined")
	}},
	{"owes acknowledgements", false, func(v *guest) {
		ws := v.joined()
		ws.send(`42["ask"]`)
		for range 3 {
			ws.until("question")
		}
	}},
	{"answers twice, and what nobody asked", false, func(v *guest) {
		ws := v.joined()
		ws.send(`42["ask"]`, "431[]", "431[]", "43999[]")
		ws.until("question")
	}},
	{"does not answer pings", false, func(v *guest) {
		ws := v.joined()
		ws.end() // by the server
	}},
}

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
