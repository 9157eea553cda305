package engineio

import (
	"time"

	"github.com/seed-d124fa34/socketio/internal/pace"
)

// pause is what a connection has once its Receiver has held the client back.
type pause struct {
	waiting int           // goroutines that wait for room; guarded by Conn.mu, as the rest
	ended   chan struct{} // closed when the connection ends
	last    time.Time     // when the last wait ended
	pinged  time.Time     // when the last PING was sent, since the first wait
}

// endLocked ends the waits of a connection that has been closed.
func (p *pause) endLocked() {
	if p != nil {
		close(p.ended)
	}
}

// awaitRoom waits until the Receiver has room, or the connection has ended. Its
// caller holds no lock but turnMu.
func (c *Conn) awaitRoom(room <-chan struct{}) {
	select {
	case <-room:
		return
	default:
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	if c.pause == nil {
		c.pause = &pause{ended: make(chan struct{})}
	}
	p := c.pause
	p.waiting++
	c.mu.Unlock()
	c.srv.stats.paused.Add(1)
	select {
	case <-room:
	case <-p.ended:
	}
	c.srv.stats.paused.Add(-1)
	c.mu.Lock()
	p.waiting--
	p.last = time.Now()
	c.mu.Unlock()
}

// excusedLocked reports whether a missing pong does not count against the client: the
// server does not read from it, or reads again for too short a time to have found a
// pong behind what had to wait.
func (c *Conn) excusedLocked() bool {
	if c.pause == nil {
		return false
	}
	return c.pause.waiting > 0 || time.Since(c.pause.last) < c.srv.opts.PingInterval+c.srv.opts.PingTimeout
}

// Control packets and frames cost the client nothing and the server a little: PINGs
// and PONGs of WebSocket, PONGs and NOOPs of Engine.IO, frames without content. A
// client that sends more than Options.Limits.ControlRate a second, and as many as come
// in controlBurst at once, is not read from for controlPause.
const (
	defaultControlRate = 1000
	maxControlRate     = 1_000_000
	controlBurst       = 10 * time.Second
	controlPause       = time.Second
)

// control counts a control packet. If there have been too many, room is for awaitRoom.
// The caller holds recvMu.
func (c *Conn) control() (room <-chan struct{}) {
	if pace.Allow(&c.controls, c.srv.opts.Limits.ControlRate, controlBurst) {
		return nil
	}
	return c.slowDown()
}

// countControl is control without recvMu.
func (c *Conn) countControl() (room <-chan struct{}) {
	c.recvMu.Lock()
	defer c.recvMu.Unlock()
	return c.control()
}

// slowDown returns the room of a client that sends too much of what means nothing.
func (c *Conn) slowDown() <-chan struct{} {
	c.srv.stats.limits.add(limitControlRate)
	c.srv.noteControl()
	room := make(chan struct{})
	time.AfterFunc(controlPause, func() { close(room) })
	return room
}
