package engineio

import (
	"context"
	"time"

	"github.com/seed-d124fa34/socketio/internal/pace"
)

// pause is the state of a connection whose Receiver has, at least once, had no room.
type pause struct {
	waiting int           // goroutines that wait for room; Conn.mu guards this and the rest
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

// awaitRoom waits until the Receiver has room or the connection has ended. Its
// caller holds no lock but pollState.turn.
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

// pongMayBeLateLocked reports whether a missing pong does not count against the client. That
// is so while the server does not read from it, and for a heartbeat after that: the
// pong may be behind other packets that had to wait.
func (c *Conn) pongMayBeLateLocked() bool {
	if c.pause == nil {
		return false
	}
	return c.pause.waiting > 0 || time.Since(c.pause.last) < c.srv.opts.PingInterval+c.srv.opts.PingTimeout
}

// Control packets and frames (PINGs and PONGs of WebSocket, PONGs and NOOPs of
// Engine.IO, frames without content) cost the client nothing and the server a little.
// The server allows a client Options.Limits.ControlRate of them a second, and the number
// of controlBurst at once. When a client sends more, the server stops reading from it
// for controlPause.
const (
	defaultControlRate = 1000
	maxControlRate     = 1_000_000
	controlBurst       = 10 * time.Second
	controlPause       = time.Second
)

// control counts a control packet. If there have been too many, it returns a channel
// for awaitRoom, otherwise nil. The caller holds recvMu.
func (c *Conn) control() (room <-chan struct{}) {
	if pace.Allow(&c.controls, c.srv.opts.Limits.ControlRate, controlBurst) {
		return nil
	}
	return c.slowDown()
}

// countControl is control for a caller that does not hold recvMu.
func (c *Conn) countControl() (room <-chan struct{}) {
	c.recvMu.Lock()
	defer c.recvMu.Unlock()
	return c.control()
}

// slowDown returns the channel for awaitRoom that a client gets for sending too many
// control packets. It is closed after controlPause.
func (c *Conn) slowDown() <-chan struct{} {
	c.srv.stats.limits.add(limitControlRate)
	c.srv.noteControl()
	room := make(chan struct{})
	time.AfterFunc(controlPause, func() { close(room) })
	return room
}

// noteControl warns that a client is slowed down.
func (s *Server) noteControl() {
	const kind = "control rate"
	if ctx := context.Background(); s.notices.Enabled(ctx, kind) {
		s.notices.Warn(ctx, kind, "engineio: the server reads more slowly from a client because it sends more control packets (pings, pongs, NOOPs) than "+
			"Options.Limits.ControlRate allows", "rate", s.opts.Limits.ControlRate)
	}
}
