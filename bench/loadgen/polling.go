package loadgen

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
)

// poller is a Socket.IO client on the polling transport. Like a browser it has
// two connections: one with a GET that waits, one for POST.
type poller struct {
	run   *run
	addr  string
	get   wire.HTTPClient
	post  wire.HTTPClient
	sid   string
	poll  []byte               // the GET
	ready func() error         // called once, when the client is in the namespace
	event func(p []byte) error // called for each packet after that
	sent  func() error         // called when a POST has been answered
}

// separator stands between the packets of a payload.
const separator = 0x1e

// connect begins the connection. Both kinds of requests may use the same HTTPClient until ready is
// called.
func (p *poller) connect() error {
	p.addr = p.run.Server.Addr()
	p.get.Loop, p.post.Loop = p.run.Loop, p.run.Loop
	p.get.Response = p.opened
	return p.get.Do(wire.Get(p.addr, ""))
}

// opened handles the Engine.IO handshake.
func (p *poller) opened(body []byte) error {
	var open struct {
		SID string `json:"sid"`
	}
	if len(body) == 0 || body[0] != '0' || json.Unmarshal(body[1:], &open) != nil || open.SID == "" {
		return fmt.Errorf("loadgen: no Engine.IO handshake but %.100q", body)
	}
	p.sid = open.SID
	p.poll = wire.Get(p.addr, p.sid)
	p.get.Response = p.entered
	return p.get.Do(wire.Post(p.addr, p.sid, "40"))
}

// entered handles the answer to the POST with the CONNECT packet.
func (p *poller) entered(body []byte) error {
	if err := ok(body); err != nil {
		return err
	}
	p.get.Response = p.polled
	return p.get.Do(p.poll)
}

func ok(body []byte) error {
	if string(body) != "ok" && string(body) != "OK" {
		return fmt.Errorf("loadgen: POST answered with %.100q", body)
	}
	return nil
}

// polled handles the answer to a GET, and sends the next one.
func (p *poller) polled(body []byte) error {
	for len(body) > 0 {
		packet, rest, _ := bytes.Cut(body, []byte{separator})
		if err := p.receive(packet); err != nil {
			return err
		}
		body = rest
	}
	if p.get.Waiting {
		return nil
	}
	return p.get.Do(p.poll)
}

func (p *poller) receive(packet []byte) error {
	switch {
	case len(packet) == 1:
		return nil // a noop; scenarios are shorter than the ping interval
	case p.ready == nil:
		return p.event(packet)
	case !bytes.HasPrefix(packet, []byte("40")):
		return fmt.Errorf("loadgen: no namespace but %.100q", packet)
	}
	ready := p.ready
	p.ready = nil
	p.post.Response = func(body []byte) error {
		if err := ok(body); err != nil {
			return err
		}
		return p.sent()
	}
	return ready()
}

func (p *poller) close() {
	p.get.Close()
	p.post.Close()
}
