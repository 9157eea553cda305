package engineio

import (
	"errors"
	"time"
)

// Control packets and frames cost the client nothing and the server a little: PINGs
// and PONGs of WebSocket, PONGs and NOOPs of Engine.IO, frames without content. A
// client that sends more than Options.Limits.ControlRate a second, and ControlRate times
// controlBurst at once, is not read from for controlPause.
const (
	defaultControlRate = 1000
	maxControlRate     = 1_000_000
	controlBurst       = 10
	controlPause       = time.Second
)

// errTooMuchControl is what wsTransport.next returns instead of reading on at once.
var errTooMuchControl = errors.New("engineio: the client sends too many control frames")

// bucket is a token bucket: how long after its first use all its tokens are back.
type bucket struct {
	since time.Time // zero: not used yet
	full  time.Duration
}

// take takes a token, of which there are rate a second. It reports false if there
// is none.
func (b *bucket) take(rate int) bool {
	if b.since.IsZero() {
		b.since = time.Now()
	}
	now := time.Since(b.since)
	full := max(b.full, now) + time.Second/time.Duration(rate)
	if full-now > controlBurst*time.Second {
		return false
	}
	b.full = full
	return true
}

// control counts a control packet. If there have been too many, room is for awaitRoom.
// The caller holds recvMu.
func (c *Conn) control() (room <-chan struct{}) {
	if spend(&c.controls, c.srv.opts.Limits.ControlRate) {
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

// spend takes a token of a bucket that few clients need.
func spend(b **bucket, rate int) bool {
	if *b == nil {
		*b = new(bucket)
	}
	return (*b).take(rate)
}

// slowDown returns the room of a client that sends too much of what means nothing.
func (c *Conn) slowDown() <-chan struct{} {
	c.srv.stats.limits.add(limitControlRate)
	c.srv.noteControl()
	room := make(chan struct{})
	time.AfterFunc(controlPause, func() { close(room) })
	return room
}
