package loadgen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
)

type stage uint8

const (
	stageOpening    stage = iota // waits for the Engine.IO handshake
	stageConnecting              // waits for the namespace
	stageReady
)

// client is a Socket.IO client on WebSocket.
type client struct {
	wire.WebSocket
	run    *run
	index  int
	addr   string // of its server
	stage  stage
	dialed int64 // when it dialed

	checked bool    // its first answer was right
	sent    []int64 // when the messages in flight were sent, a ring
	next    int     // where in it the next message goes
	oldest  int     // where in it the oldest unanswered one is
	answers int     // how many have come for which no new message has been sent yet
	got     int     // how many deliveries have come
	group   *group
	stalled bool // it does not read any more
}

var (
	connectFrame  = wire.TextFrame("40")
	pongFrame     = wire.TextFrame("3")
	goodbyeFrames = wire.AppendFrame(wire.TextFrame("41"), wire.OpClose, []byte{1000 >> 8, 1000 & 0xff})
)

// handshakes is how many clients connect at the same time while a scenario is set up.
const handshakes = 64

// connectAll connects n clients, some at a time, and returns when all are ready.
func (r *run) connectAll(n, parallel int) error {
	_, err := r.connectTo(r.Server, n, parallel)
	return err
}

// connectTo connects n more clients with one of the servers, and returns them.
func (r *run) connectTo(s Server, n, parallel int) ([]*client, error) {
	request := wire.Handshake(s.Addr(), "")
	first := len(r.clients)
	for i := range n {
		for r.dialing >= parallel {
			if err := r.Step(); err != nil {
				return nil, err
			}
		}
		c := &client{run: r, index: i, addr: s.Addr(), WebSocket: wire.WebSocket{Request: request}}
		r.clients = append(r.clients, c)
		if err := r.connect(c); err != nil {
			return nil, err
		}
	}
	err := r.RunUntil(func() bool { return r.ready == len(r.clients) })
	return r.clients[first:], err
}

// connect dials for a client that has no connection.
func (r *run) connect(c *client) error {
	c.WebSocket = wire.WebSocket{User: c, Request: c.Request}
	c.stage = stageOpening
	c.dialed = r.Clock()
	conn, err := r.DialTo(c.addr, c)
	if err != nil {
		return err
	}
	c.Conn = conn
	r.dialing++
	if r.small {
		return conn.SmallBuffer()
	}
	return nil
}

func (c *client) Upgraded() error { return nil }
func (c *client) Goodbye() error  { return nil } // Gone follows

func (c *client) Receive(op byte, p []byte) error {
	if op == wire.OpText && len(p) == 1 && p[0] == '2' {
		return c.Write(pongFrame)
	}
	switch c.stage {
	case stageReady:
		return c.run.onMessage(c, op, p)
	case stageOpening:
		if len(p) == 0 || p[0] != '0' {
			return fmt.Errorf("loadgen: no Engine.IO handshake but %.100q", p)
		}
		c.stage = stageConnecting
		return c.Write(connectFrame)
	case stageConnecting:
		if !bytes.HasPrefix(p, []byte("40")) {
			return fmt.Errorf("loadgen: no namespace but %.100q", p)
		}
		c.stage = stageReady
		c.run.dialing--
		c.run.ready++
		if c.run.onReady != nil {
			return c.run.onReady(c)
		}
	}
	return nil
}

func (c *client) Batch() error {
	if c.stage == stageReady && c.run.onBatch != nil {
		return c.run.onBatch(c)
	}
	return nil
}

// retryDelay is how long a client waits whose connection failed.
const retryDelay = 50 * time.Millisecond

func (c *client) Gone(why error) error {
	r := c.run
	if c.stalled {
		r.cut++
		return nil
	}
	if c.stage != stageReady {
		r.dialing--
	} else {
		r.ready--
	}
	if !r.retry {
		return fmt.Errorf("loadgen: client %d was disconnected: %w", c.index, why)
	}
	r.result.Retries++
	r.After(retryDelay, func() {
		if err := r.connect(c); err != nil {
			r.Fail(err)
		}
	})
	return nil
}

// check compares the arguments in a packet, which begin at its first bracket, with a JSON array.
func check(packet []byte, want string) error {
	at := bytes.IndexByte(packet, '[')
	if at < 0 {
		return fmt.Errorf("loadgen: %.100q has no arguments, want %.100s", packet, want)
	}
	if string(packet[at:]) == want {
		return nil
	}
	var g, w []any // the order of an object's keys is free
	if err := json.Unmarshal(packet[at:], &g); err != nil {
		return fmt.Errorf("loadgen: %.100q: %w", packet, err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		return err
	}
	if len(g) == len(w)+1 && bytes.HasPrefix(packet, []byte("42")) {
		if _, offset := g[len(w)].(string); offset { // a server with connection state recovery adds it
			g = g[:len(w)]
		}
	}
	gotJSON, err := json.Marshal(g) // with keys in order
	if err != nil {
		return err
	}
	wantJSON, err := json.Marshal(w)
	if err != nil {
		return err
	}
	if !bytes.Equal(gotJSON, wantJSON) {
		return fmt.Errorf("loadgen: the server answered %.200q, want the arguments %.200s", packet, want)
	}
	return nil
}
