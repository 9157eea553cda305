package soak

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
)

// link is an Engine.IO connection of a client, by WebSocket, by polling, or by polling and then
// WebSocket. For polling it has two network connections, like a browser: one for the GET that
// waits, one for POSTs.
type link struct {
	*run
	user *client
	sid  string

	ws        wire.WebSocket
	onWS      bool // messages go by WebSocket
	upgrade   upgradeStage
	abandon   upgradeStage // where an upgrade is given up
	begun     int64        // when the upgrade was
	get, post wire.HTTPClient
	poll      []byte    // the GET
	outbox    []message // waits for the POST under way, or for the upgrade

	closing bool // we have said goodbye
	vanish  bool // the client has stopped polling, without a goodbye
	dead    bool // nothing that happens on it matters any more
}

type upgradeStage uint8

const (
	upgradeNone   upgradeStage = iota
	upgradeOpen                // the WebSocket is being opened
	upgradeProbe               // the probe was sent
	upgradePause               // and answered: no new requests
	upgradeFailed              // given up
)

var (
	probe    = wire.TextFrame("2probe")
	upgraded = wire.TextFrame("5")
	pong     = message{wire.OpText, []byte("3")} // an Engine.IO packet, not a message
	farewell = wire.AppendFrame(nil, wire.OpClose, []byte{1000 >> 8, 1000 & 0xff})
)

// open begins the connection.
func (l *link) open(polling bool) error {
	if !polling {
		return l.dialWS(wire.Handshake(l.addr, ""))
	}
	for _, h := range []*wire.HTTPClient{&l.get, &l.post} {
		h.Loop = l.Loop
		h.Refused = func(status int, body []byte) error {
			return l.lost(fmt.Errorf("HTTP status %d: %.200s", status, body))
		}
		h.Failed = func(err error) error { return l.lost(fmt.Errorf("the connection ended before the answer: %w", err)) }
	}
	l.get.Response, l.post.Response = l.polled, l.posted
	return l.get.Do(wire.Get(l.addr, ""))
}

func (l *link) dialWS(request []byte) error {
	l.ws = wire.WebSocket{User: l, Request: request}
	l.ws.Refused = func(head []byte) error { return l.lost(fmt.Errorf("WebSocket refused: %.200s", head)) }
	var err error
	if l.ws.Conn, err = l.Dial(&l.ws); err != nil {
		return err
	}
	if l.user.slow {
		return l.ws.SmallBuffer()
	}
	return nil
}

// lost is called when the server or the network has ended the link.
func (l *link) lost(err error) error {
	if l.dead {
		return nil
	}
	if l.vanish {
		l.kill(false)
		return nil
	}
	if l.closing && !l.onWS { // the last requests of a session that ends may fail
		err = nil
	}
	l.kill(false)
	return l.user.lost(err)
}

// kill closes all network connections, with a reset or in good order.
func (l *link) kill(reset bool) {
	l.dead = true
	if l.ws.Conn != nil {
		if reset {
			l.ws.Reset()
		} else {
			l.ws.Close()
		}
	}
	if reset {
		l.get.Reset()
		l.post.Reset()
		return
	}
	l.get.Close()
	l.post.Close()
}

// packet handles an Engine.IO packet, or a binary message.
func (l *link) packet(op byte, p []byte) error {
	if op == wire.OpBinary {
		return l.user.message(op, p)
	}
	if len(p) == 0 {
		return l.user.broken(errors.New("empty Engine.IO packet"))
	}
	switch kind, data := p[0], p[1:]; kind {
	case '0':
		var open struct {
			SID string `json:"sid"`
		}
		if err := json.Unmarshal(data, &open); err != nil || open.SID == "" || l.sid != "" {
			return l.user.broken(fmt.Errorf("open packet %.200q", p))
		}
		l.sid = open.SID
		return l.user.opened()
	case '1':
		return l.lost(nil)
	case '2':
		return l.raw(pong)
	case '4':
		return l.user.message(op, data)
	case '6':
		return nil
	case 'b':
		if l.onWS {
			break
		}
		data, err := base64.StdEncoding.AppendDecode(nil, data)
		if err != nil {
			break
		}
		return l.user.message(wire.OpBinary, data)
	}
	return l.user.broken(fmt.Errorf("Engine.IO packet %.200q", p))
}

// polled gets the answer to a GET.
func (l *link) polled(body []byte) error {
	if l.vanish {
		l.kill(false)
		return nil
	}
	for len(body) > 0 && !l.dead {
		p, rest, _ := bytes.Cut(body, []byte{0x1e})
		if err := l.packet(wire.OpText, p); err != nil {
			return err
		}
		body = rest
	}
	switch {
	case l.dead || l.closing:
		return nil
	case l.upgrade == upgradePause:
		return l.finishUpgrade()
	}
	if l.poll == nil {
		l.poll = wire.Get(l.addr, l.sid)
	}
	return l.get.Do(l.poll)
}

// posted gets the answer to a POST.
func (l *link) posted(body []byte) error {
	switch {
	case l.dead || l.vanish:
		return nil
	case string(body) != "ok":
		return l.user.broken(fmt.Errorf("POST answered with %.200q", body))
	case l.upgrade == upgradePause:
		return l.finishUpgrade()
	case len(l.outbox) == 0 && l.closing:
		return l.lost(nil)
	}
	return l.flush()
}

// send sends messages in one piece.
func (l *link) send(messages []message) error {
	for i := range messages {
		if m := &messages[i]; m.op == wire.OpText {
			m.data = append([]byte{'4'}, m.data...)
		}
	}
	return l.raw(messages...)
}

// raw is send for texts that are complete Engine.IO packets.
func (l *link) raw(messages ...message) error {
	if l.dead || l.vanish {
		return nil
	}
	l.outbox = append(l.outbox, messages...)
	return l.flush()
}

func (l *link) flush() error {
	if len(l.outbox) == 0 {
		return nil
	}
	var b []byte
	switch {
	case l.onWS:
		for _, m := range l.outbox {
			b = wire.AppendFrame(b, m.op, m.data)
		}
		l.outbox = nil
		return l.ws.Write(b)
	case l.post.Waiting || l.upgrade == upgradePause:
		return nil
	}
	for i, m := range l.outbox {
		if i > 0 {
			b = append(b, 0x1e)
		}
		if m.op == wire.OpBinary {
			b = base64.StdEncoding.AppendEncode(append(b, 'b'), m.data)
		} else {
			b = append(b, m.data...)
		}
	}
	l.outbox = nil
	return l.post.Do(wire.Post(l.addr, l.sid, string(b)))
}

// beginUpgrade moves a link that polls to WebSocket, or tries to.
func (l *link) beginUpgrade(abandon upgradeStage) error {
	l.upgrade, l.abandon, l.begun = upgradeOpen, abandon, l.Clock()
	return l.dialWS(wire.Handshake(l.addr, l.sid))
}

// upgrading reports whether an upgrade is under way.
func (l *link) upgrading() bool {
	return l.upgrade >= upgradeOpen && l.upgrade <= upgradePause && !l.onWS
}

// abandonUpgrade ends the WebSocket; the session goes on by polling.
func (l *link) abandonUpgrade() error {
	l.ws.Close()
	l.upgrade = upgradeFailed
	return l.user.abandoned()
}

func (l *link) Upgraded() error {
	if l.upgrade == upgradeNone {
		l.onWS = true
		return nil
	}
	if l.abandon == upgradeOpen {
		return l.abandonUpgrade()
	}
	l.upgrade = upgradeProbe
	return l.ws.Write(probe)
}

func (l *link) Receive(op byte, p []byte) error {
	if l.dead {
		return nil
	}
	if l.upgrade != upgradeProbe {
		return l.packet(op, p)
	}
	if string(p) != "3probe" {
		return l.user.broken(fmt.Errorf("the probe was answered with %.200q", p))
	}
	if l.abandon == upgradeProbe {
		return l.abandonUpgrade()
	}
	l.upgrade = upgradePause
	return l.finishUpgrade()
}

// finishUpgrade completes the upgrade when no request is under way.
func (l *link) finishUpgrade() error {
	if l.get.Waiting || l.post.Waiting {
		return nil
	}
	l.onWS, l.upgrade = true, upgradeNone
	l.get.Close()
	l.post.Close()
	l.timing(kindUpgrade, l.begun)
	if err := l.ws.Write(upgraded); err != nil {
		return err
	}
	return l.flush()
}

func (l *link) Batch() error { return nil }

func (l *link) Goodbye() error {
	switch {
	case l.dead:
		return nil
	case l.upgrading():
		return l.lost(errors.New("the server closed the WebSocket of an upgrade"))
	}
	l.dead = true
	l.ws.Finish()
	return l.user.lost(nil)
}

func (l *link) Gone(why error) error {
	if l.closing && why == io.EOF {
		why = nil
	}
	return l.lost(why)
}

// bye sends messages and then leaves as the official client does: with a close frame or a CLOSE
// packet.
func (l *link) bye(messages []message) error {
	if err := l.send(messages); err != nil {
		return err
	}
	l.closing = true
	if l.onWS {
		return l.ws.Write(farewell)
	}
	return l.raw(message{wire.OpText, []byte("1")})
}
