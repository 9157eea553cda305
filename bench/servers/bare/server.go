package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"sync"

	"github.com/coder/websocket"

	"github.com/seed-d124fa34/socketio/bench/workload"
)

type server struct {
	queue   bool
	answer  *packet
	joined  *packet // acknowledges a join
	fanOut  bool    // the answer goes to a room, not to the sender
	oneRoom bool    // which is everyone

	mu       sync.RWMutex
	rooms    map[string]*room // "" is everyone
	sessions map[string]*session
}

// room has the recipients of a message. It changes only while clients connect.
type room struct {
	mu      sync.RWMutex
	members map[peer]struct{}
}

// peer is a client on WebSocket.
type peer interface {
	reply(p *packet) error // from the goroutine that reads
	push(p *packet) error  // from any goroutine
}

var joinPrefix = []byte(`["` + workload.Join + `","`)

const openTail = `","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`

func openPacket(sid string) string      { return `0{"sid":"` + sid + openTail }
func connectedPacket(sid string) string { return `40{"sid":"` + sid + `"}` }

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("transport") != "websocket" {
		s.poll(w, r, q.Get("sid"))
		return
	}
	var queued *queueConn
	if s.queue {
		queued = &queueConn{}
		w = hijackWriter{w, queued}
	}
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 20)
	var p peer = plainConn{c}
	if queued != nil {
		p = queued
	}
	if sid := q.Get("sid"); sid != "" {
		err = s.upgrade(c, p, sid)
	} else {
		err = p.reply(newPacket(openPacket(rand.Text()), nil))
	}
	if err == nil {
		s.serve(c, p)
	}
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 4096); return &b }}

// read reads a message into a pooled buffer, and calls f with it.
func read(c *websocket.Conn, f func(typ websocket.MessageType, msg []byte) error) error {
	typ, r, err := c.Reader(context.Background())
	if err != nil {
		return err
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	n := 0
	for {
		m, err := r.Read((*buf)[n:])
		n += m
		if err == io.EOF {
			return f(typ, (*buf)[:n])
		}
		if err != nil {
			return err
		}
		if n == len(*buf) {
			return io.ErrShortBuffer
		}
	}
}

// serve answers messages until the connection ends.
func (s *server) serve(c *websocket.Conn, p peer) {
	everyone := s.room("")
	var own *room // the first it joined
	defer func() {
		everyone.remove(p)
		if own != nil {
			own.remove(p)
		}
	}()
	for {
		err := read(c, func(typ websocket.MessageType, msg []byte) error {
			switch {
			case typ == websocket.MessageText && s.answer.binary != nil && len(msg) > 2 && msg[1] == '5':
				return nil // the attachment comes next
			case len(msg) == 2 && string(msg) == "41":
				return nil // the close frame comes next
			case len(msg) >= 2 && len(msg) < 8 && msg[1] == '0':
				if s.oneRoom {
					everyone.add(p)
				}
				return p.reply(newPacket(connectedPacket(rand.Text()), nil))
			case !s.fanOut:
				return p.reply(s.answer)
			case s.oneRoom:
				return everyone.send(s.answer)
			case own == nil || bytes.Contains(msg[:min(16, len(msg))], joinPrefix):
				if own == nil {
					_, name, _ := bytes.Cut(msg, joinPrefix)
					own = s.room(string(name))
					own.add(p)
				}
				return p.reply(s.joined)
			}
			return own.send(s.answer)
		})
		if err != nil {
			return
		}
	}
}

func (s *server) room(name string) *room {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[name]
	if r == nil {
		r = &room{}
		s.rooms[name] = r
	}
	return r
}

func (r *room) add(p peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members == nil {
		r.members = map[peer]struct{}{}
	}
	r.members[p] = struct{}{}
}

func (r *room) remove(p peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.members, p)
}

// send sends the packet to each member. It holds a lock during writes. A real server must not do so, but
// it is the cheapest way.
func (r *room) send(p *packet) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for m := range r.members {
		if err := m.push(p); err != nil {
			return err
		}
	}
	return nil
}
