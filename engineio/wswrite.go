package engineio

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"time"

	"github.com/coder/websocket"

	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

// There are two writers: whoever holds Conn.writing, with messages, and the
// goroutine that reads, with control frames, which it hands over rather than
// wait for the network. Every write is of whole frames, or of the rest of some.
//
// The flusher uses tryWrite, which has no call that can wait. What the network
// does not take then, and what has to be compressed or goes through TLS, is
// written by write, on a goroutine of the connection's own.

const (
	// maxTurn is about how much a flusher writes to one client before it turns
	// to the next one, in bytes.
	maxTurn = 256 << 10
	// writePiece is how much is written at a time where the network is waited
	// for, so that progress shows.
	writePiece = 64 << 10
	// tlsPiece is the same for TLS, where a write that its deadline ended cannot
	// be continued: one record.
	tlsPiece = 16 << 10
)

// tryWrite hands the network what it takes at once, without waiting: what is
// in front, and frames of the batch. It returns those that it has not begun. What
// the network did not take of those begun is in rest.
func (c *wsConn) tryWrite(batch []*Frames) (left []*Frames, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.noteCloseLocked()
	for turn := 0; turn < maxTurn; {
		p, n, buf := c.assembleLocked(batch)
		batch = batch[n:]
		if len(p) == 0 {
			return batch, nil
		}
		w, err := c.writeAtOnceLocked(p)
		if err == nil && w < len(p) {
			c.busy = true
			c.rest = p[w:]
			if buf != nil {
				c.rest = bytes.Clone(c.rest)
			}
		}
		putPayload(buf)
		if err != nil || w < len(p) {
			return batch, err
		}
		turn += w
	}
	return batch, nil
}

// write hands the network the rest of what tryWrite began or else what goes next,
// frames of the batch among it, and waits for it. It returns the frames
// that it has not begun.
func (t *wsTransport) write(batch []*Frames) (left []*Frames, err error) {
	t.mu.Lock()
	p, n, buf := t.rest, 0, (*[]byte)(nil)
	t.rest = nil
	switch {
	case p != nil:
		t.mu.Unlock()
	case t.deflate && !t.closeSent.Load():
		t.busy = true
		t.mu.Unlock()
		p, n, buf, err = t.compress(batch)
	default:
		t.busy = true
		p, n, buf = t.assembleLocked(batch)
		t.mu.Unlock()
	}
	if err == nil {
		err = t.writeWaiting(p)
	}
	putPayload(buf)
	t.mu.Lock()
	t.busy = false
	t.noteCloseLocked()
	t.mu.Unlock()
	return batch[n:], err
}

// writeAlone writes whole frames of a WebSocket that nobody else writes to, and
// what goes in front of them. It waits for the network.
func (c *wsConn) writeAlone(frames []byte) error {
	c.mu.Lock()
	c.busy = true
	p := append(c.takeFrontLocked(nil), frames...)
	c.mu.Unlock()
	err := c.writeWaiting(p)
	c.mu.Lock()
	c.busy = false
	c.noteCloseLocked()
	c.mu.Unlock()
	return err
}

// takeFrontLocked appends what goes in front of the next frames.
func (c *wsConn) takeFrontLocked(p []byte) []byte {
	p = append(append(p, c.head...), c.after...)
	c.head, c.after, c.lastPong = nil, nil, 0
	return p
}

// assembleLocked returns what goes to the network next and how many frames of the
// batch are in it or, behind a close frame, dropped. It is memory of a frame, if
// buf is nil.
func (c *wsConn) assembleLocked(batch []*Frames) (p []byte, n int, buf *[]byte) {
	front := len(c.head) + len(c.after)
	closed := c.closeSent.Load()
	switch {
	case closed && front == 0:
		return nil, len(batch), nil
	case front == 0 && len(batch) == 0:
		return nil, 0, nil
	case front == 0 && (len(batch) == 1 || batch[0].size()+batch[1].size() > corkSize):
		return batch[0].wire, 1, nil
	}
	buf = payloadPool.Get().(*[]byte)
	p = c.takeFrontLocked((*buf)[:0])
	if closed {
		n = len(batch)
	} else {
		for n < len(batch) && len(p)+batch[n].size() <= corkSize {
			p = append(p, batch[n].wire...)
			n++
		}
	}
	*buf = p
	return p, n, buf
}

// compress is assembleLocked for frames that may be compressed. It is called
// without mu, which it holds for no longer than it takes to copy.
func (t *wsTransport) compress(batch []*Frames) (p []byte, n int, buf *[]byte, err error) {
	buf = payloadPool.Get().(*[]byte)
	t.mu.Lock()
	*buf = t.takeFrontLocked((*buf)[:0])
	front := len(*buf)
	t.collecting = buf
	t.mu.Unlock()
	size := 0
	for n < len(batch) && (n == 0 || size+batch[n].size() <= corkSize) && err == nil {
		size += batch[n].size()
		err = t.collect(batch[n])
		n++
	}
	t.mu.Lock()
	t.collecting = nil
	p = *buf
	// The library's answer to a close frame may be among what it wrote.
	if end := closeFrameEnd(p[front:]); end > 0 {
		t.closeSent.Store(true)
		p = p[:front+end]
	}
	t.mu.Unlock()
	return p, n, buf, err
}

// closeFrameEnd returns where the first close frame among whole, unmasked frames
// ends, 0 if there is none.
func closeFrameEnd(frames []byte) int {
	for at := 0; at+2 <= len(frames); {
		first, size := frames[at], int(frames[at+1])
		switch header := frames[at+2:]; {
		case size == 126 && len(header) >= 2:
			size = 2 + int(binary.BigEndian.Uint16(header))
		case size == 127 && len(header) >= 8:
			size = 8 + int(binary.BigEndian.Uint64(header))
		}
		at += 2 + size
		if first == finClose {
			return min(at, len(frames))
		}
	}
	return 0
}

// collect adds the frames of f to what is collected, compressed if they may be.
func (t *wsTransport) collect(f *Frames) error {
	if !f.compress {
		t.mu.Lock()
		defer t.mu.Unlock()
		if !t.closeSent.Load() {
			*t.collecting = append(*t.collecting, f.wire...)
		}
		return nil
	}
	for p, binary := range f.messages {
		kind := websocket.MessageText
		if binary {
			kind = websocket.MessageBinary
		}
		// No deadline: nothing is written to the network here.
		if err := t.ws.Write(context.Background(), kind, p); errors.Is(err, net.ErrClosed) {
			t.mu.Lock()
			t.closeSent.Store(true) // a close frame was: nothing may follow it
			t.mu.Unlock()
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// Write is called by the WebSocket library: with control frames, on the
// goroutine that reads, and with compressed messages, in pieces, while collecting.
func (c *wsConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.collecting != nil {
		*c.collecting = append(*c.collecting, p...)
		c.mu.Unlock()
		return len(p), nil
	}
	c.mu.Unlock()
	if err := c.writeControl(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// writeControl writes a control frame, unless a close frame went before. The
// goroutine that reads calls it; but for an upgrade that is probed, it does not
// wait for the network.
func (c *wsConn) writeControl(p []byte) error {
	c.mu.Lock()
	if c.closeSent.Load() { // this answers the close frame that answers ours
		c.mu.Unlock()
		return nil
	}
	if len(c.after)+len(p) > maxAfter {
		// A client that does not read gets the answer to its last ping only
		// (RFC 6455, section 5.5.3).
		c.after = c.after[:c.lastPong]
	}
	c.lastPong = len(c.after)
	if p[0] == finClose {
		c.closeSent.Store(true)
	}
	c.after = append(c.after, p...)
	err := c.tryAfterLocked()
	c.noteCloseLocked()
	left := len(c.after) > 0
	c.mu.Unlock()
	switch {
	case err != nil || !left:
		return err
	case c.owner == nil: // nobody else writes
		return c.writeAlone(nil)
	}
	c.owner.kick()
	return nil
}

// tryAfterLocked writes control frames, as far as the network takes them, unless
// whoever holds Conn.writing is about to.
func (c *wsConn) tryAfterLocked() error {
	if c.busy || c.trying == nil || len(c.head) > 0 {
		return nil
	}
	n, err := c.writeAtOnceLocked(c.after)
	c.after = c.after[n:]
	c.lastPong = max(c.lastPong-n, 0)
	if len(c.after) == 0 {
		c.after = nil
	} else if n > 0 && c.lastPong == 0 {
		c.lastPong = len(c.after) // the end of a frame stays
	}
	return err
}

// queueClose has a close frame go next, once, as the last frame. It reports false if there was one.
func (c *wsConn) queueClose(status wsframe.Status) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closeSent.Swap(true) {
		return false
	}
	c.after = wsframe.AppendClose(c.after, status)
	return true
}

// sendClose writes a close frame to a WebSocket that nobody else writes to. It
// waits for the network, up to closeTimeout.
func (c *wsConn) sendClose(status wsframe.Status) {
	c.queueClose(status)
	if c.hasMore() {
		c.writeUntil(time.Now().Add(closeTimeout))
		_ = c.writeAlone(nil)
	}
}

// noteCloseLocked is called when something has been written.
func (c *wsConn) noteCloseLocked() {
	if c.closeSent.Load() && len(c.head)+len(c.after)+len(c.rest) == 0 {
		c.closeWritten.Store(true)
	}
}

// hasMore reports whether something goes in front of the next frames.
func (c *wsConn) hasMore() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.head)+len(c.after) > 0
}

// writeAtOnceLocked writes what the network takes. It is called while no write waits.
func (c *wsConn) writeAtOnceLocked(p []byte) (int, error) {
	n, err := c.trying.write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) { // that of an earlier write
		c.extendLocked(c.timeout)
		n, err = c.trying.write(p)
	}
	c.written += int64(n)
	return n, err
}

// writeWaiting writes, and waits for the network as long as it takes something:
// after a time without progress, between one and three timeouts, it gives up.
func (c *wsConn) writeWaiting(p []byte) error {
	piece := writePiece
	if !c.resumes {
		piece = tlsPiece
	}
	held, _ := heldByKernel(c.kernel)
	c.mu.Lock()
	c.extendLocked(c.timeout)
	c.mu.Unlock()
	for len(p) > 0 {
		n, err := c.Conn.Write(p[:min(piece, len(p))])
		p = p[n:]
		c.mu.Lock()
		c.written += int64(n)
		switch {
		case err == nil:
			c.extendLocked(c.timeout)
		case c.resumes && errors.Is(err, os.ErrDeadlineExceeded) && c.mayGoOnLocked():
			now, known := heldByKernel(c.kernel)
			if n > 0 || known && now < held {
				err = nil
				c.deadline = time.Time{}
				c.extendLocked(c.timeout / 2)
			}
			held = now
		}
		c.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// mayGoOnLocked reports whether writes may go on after their present deadline.
func (c *wsConn) mayGoOnLocked() bool {
	return c.final.IsZero() || time.Now().Before(c.final)
}

// extendLocked gives a client at least d to take something, and at most twice
// as long: setting the deadline for each write would cost as much as a short write.
func (c *wsConn) extendLocked(d time.Duration) {
	now := time.Now()
	if c.deadline.Sub(now) >= d {
		return
	}
	c.deadline = now.Add(2 * d)
	if !c.final.IsZero() && c.final.Before(c.deadline) {
		c.deadline = c.final
	}
	_ = c.Conn.SetWriteDeadline(c.deadline)
}

// writeUntil ends the waiting of whoever writes at t, whatever the progress.
func (c *wsConn) writeUntil(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.final, c.deadline = t, t
	_ = c.Conn.SetWriteDeadline(t)
}
