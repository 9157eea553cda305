package lifecycle_test

import (
	"io"
	"net/http"
	"strings"
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
