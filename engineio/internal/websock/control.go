package websock

import (
	"time"

	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

// maxControl is how many bytes of control frames may wait for a client that does not read.
const maxControl = 4 << 10

// WriteControl writes a control frame or queues it, unless a close frame has been sent. The
// goroutine that reads calls it. It waits for the network only while an upgrade is probed.
func (c *Conn) WriteControl(p []byte) error {
	c.mu.Lock()
	if c.flags.has(closeSent) { // p answers the close frame with which the client has answered ours
		c.mu.Unlock()
		return nil
	}
	if len(c.control)+len(p) > maxControl {
		// A client that does not read gets an answer to its last ping only
		// (RFC 6455, section 5.5.3).
		c.control = c.control[:c.lastPong]
	}
	c.lastPong = int32(len(c.control))
	if p[0] == finClose {
		c.flags.set(closeSent)
	}
	c.control = append(c.control, p...)
	err := c.tryControlLocked()
	c.noteCloseLocked()
	left := len(c.control) > 0
	c.mu.Unlock()
	switch {
	case err != nil || !left:
		return err
	case c.owner == nil: // nobody else writes
		return c.WriteAlone(nil)
	}
	c.owner.ControlQueued()
	return nil
}

// tryControlLocked writes the control frames that the network takes, unless the goroutine that
// writes messages is about to write them.
func (c *Conn) tryControlLocked() error {
	if c.busy || c.opening || c.in.Raw() == nil {
		return nil
	}
	n, err := c.writeAtOnceLocked(c.control)
	c.control = c.control[n:]
	c.lastPong = max(c.lastPong-int32(n), 0)
	if len(c.control) == 0 {
		c.control = nil
	} else if n > 0 && c.lastPong == 0 {
		c.lastPong = int32(len(c.control)) // the rest of a frame must stay
	}
	return err
}

// QueueClose queues a close frame in front of all messages. It reports false if there was one already.
func (c *Conn) QueueClose(status wsframe.Status) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flags.set(closeSent) {
		return false
	}
	c.control = wsframe.AppendClose(c.control, status)
	return true
}

// SendClose writes a close frame to a WebSocket that nobody else writes to. It waits for the
// network for at most CloseTimeout.
func (c *Conn) SendClose(status wsframe.Status) {
	c.QueueClose(status)
	if c.HasControl() {
		c.WriteUntil(time.Now().Add(CloseTimeout))
		_ = c.WriteAlone(nil)
	}
}

// noteCloseLocked is called after each write. It notes that the close frame has been written.
func (c *Conn) noteCloseLocked() {
	if c.flags.has(closeSent) && len(c.control)+len(c.rest) == 0 {
		c.flags.set(closeWritten)
	}
}

// HasControl reports whether control frames or the answer to the handshake wait to be written
// before the next messages.
func (c *Conn) HasControl() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.control) > 0
}
