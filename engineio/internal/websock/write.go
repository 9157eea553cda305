package websock

import (
	"bytes"
	"crypto/tls"
	"errors"
	"os"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/bufpool"
	"github.com/seed-d124fa34/socketio/engineio/internal/instant"
	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
	"github.com/seed-d124fa34/socketio/engineio/internal/rawconn"
	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

// There are two writers: the goroutine that writes messages, and the goroutine that reads,
// which writes control frames. The latter queues them if it would have to wait for the
// network. Every write consists of whole frames, or of the rest of some.
//
// TryWrite makes no call that can wait. Write does the rest on a goroutine of the
// connection: what the network does not take at once, what is compressed, and what goes
// through TLS.

const (
	// MaxTurn is about how many bytes TryWrite writes at a time, so that other clients
	// have their turn.
	MaxTurn = 256 << 10
	// WritePiece is how many bytes Write should get at a time. Progress counts whole
	// pieces.
	WritePiece = 64 << 10
	// tlsPiece is the same for TLS: one record, because a write that has reached its
	// deadline cannot be continued.
	tlsPiece = 16 << 10
	// corkSize is how many bytes of small frames are collected for one write.
	corkSize = 32 << 10
)

const (
	finClose = wsframe.Fin | byte(wsframe.OpClose)
	finPong  = wsframe.Fin | byte(wsframe.OpPong)
)

// TryWrite writes what the network takes at once: control frames that wait, then frames of
// the batch. It returns the frames that it has not begun. If the network has not taken all of
// those that it has begun, HasRest reports true, and Write writes the rest.
func (c *Conn) TryWrite(batch []*outgoing.Unit) (left []*outgoing.Unit, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.noteCloseLocked()
	for turn := 0; turn < MaxTurn; {
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
		bufpool.Put(buf)
		if err != nil || w < len(p) {
			return batch, err
		}
		turn += w
	}
	return batch, nil
}

// HasRest reports whether the network has not taken all of what TryWrite has begun. The
// goroutine that writes messages calls it.
func (c *Conn) HasRest() bool { return len(c.rest) > 0 }

// Write writes the rest of what TryWrite has begun, or else the control frames that wait and
// frames of the batch. It waits for the network. It returns the frames that it has not begun.
func (c *Conn) Write(batch []*outgoing.Unit) (left []*outgoing.Unit, err error) {
	c.mu.Lock()
	p, n, buf := c.rest, 0, (*[]byte)(nil)
	c.rest = nil
	held := 0
	switch {
	case p != nil:
		c.mu.Unlock()
	case c.library != nil && !c.flags.has(closeSent):
		c.busy = true
		c.mu.Unlock()
		p, n, buf, err = c.compress(batch)
		if held = cap(*buf); held <= bufpool.Max || c.owner == nil {
			held = 0
		} else {
			c.owner.Holds(held)
		}
	default:
		c.busy = true
		p, n, buf = c.assembleLocked(batch)
		c.mu.Unlock()
	}
	if err == nil {
		err = c.writeWaiting(p)
	}
	bufpool.Put(buf)
	if held > 0 {
		c.owner.Holds(-held)
	}
	c.mu.Lock()
	c.busy = false
	c.noteCloseLocked()
	c.mu.Unlock()
	return batch[n:], err
}

// WriteAlone writes the control frames that wait and then whole frames, to a WebSocket that
// nobody else writes to. It waits for the network.
func (c *Conn) WriteAlone(frames []byte) error {
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

// takeFrontLocked appends the control frames that wait, and the answer to the handshake.
func (c *Conn) takeFrontLocked(p []byte) []byte {
	p = append(p, c.control...)
	c.control, c.lastPong, c.opening = nil, 0, false
	return p
}

// assembleLocked returns the bytes of the next write, and how many frames of the batch they
// contain. Behind a close frame all are dropped, and counted. If buf is nil, p is the memory
// of a frame.
func (c *Conn) assembleLocked(batch []*outgoing.Unit) (p []byte, n int, buf *[]byte) {
	front := len(c.control)
	closed := c.flags.has(closeSent)
	switch {
	case closed && front == 0:
		return nil, len(batch), nil
	case front == 0 && len(batch) == 0:
		return nil, 0, nil
	case front == 0 && (len(batch) == 1 || batch[0].Size()+batch[1].Size() > corkSize):
		return batch[0].WireIn(c.opts.Form), 1, nil
	}
	buf = bufpool.Get()
	p = c.takeFrontLocked((*buf)[:0])
	if closed {
		n = len(batch)
	} else {
		for n < len(batch) && len(p)+batch[n].Size() <= corkSize {
			p = append(p, batch[n].WireIn(c.opts.Form)...)
			n++
		}
	}
	*buf = p
	return p, n, buf
}

// writeAtOnceLocked writes what the network takes at once. No other write waits.
func (c *Conn) writeAtOnceLocked(p []byte) (int, error) {
	c.narrowLocked(len(p))
	n, err := rawconn.WriteAtOnce(c.in.Raw(), p)
	if errors.Is(err, os.ErrDeadlineExceeded) { // an earlier write has set the deadline
		c.extendLocked(c.opts.WriteTimeout)
		n, err = rawconn.WriteAtOnce(c.in.Raw(), p)
	}
	c.written += int64(n)
	return n, err
}

// writeWaiting writes, and waits for the network while the client takes something. Without
// progress it returns an error, after one to three times Options.WriteTimeout.
func (c *Conn) writeWaiting(p []byte) error {
	if c.in.Raw() != nil { // usually the network takes everything at once, and no deadline is needed
		c.mu.Lock()
		n, err := c.writeAtOnceLocked(p)
		c.mu.Unlock()
		if p = p[n:]; err != nil || len(p) == 0 {
			return err
		}
	}
	_, secure := c.network().(*tls.Conn)
	piece := WritePiece
	if secure {
		piece = tlsPiece
	}
	kernel := c.kernel()
	held, _ := rawconn.Unacknowledged(kernel)
	c.mu.Lock()
	c.extendLocked(c.opts.WriteTimeout)
	c.narrowLocked(len(p))
	c.mu.Unlock()
	for len(p) > 0 {
		n, err := c.network().Write(p[:min(piece, len(p))])
		p = p[n:]
		c.mu.Lock()
		c.written += int64(n)
		switch {
		case err == nil:
			c.extendLocked(c.opts.WriteTimeout)
		case !secure && errors.Is(err, os.ErrDeadlineExceeded) && c.mayExtendLocked():
			now, known := rawconn.Unacknowledged(kernel)
			if n > 0 || known && now < held {
				err = nil
				c.deadline = 0
				c.extendLocked(c.opts.WriteTimeout / 2)
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

const (
	// kernelBuffer is the size of the send buffer that the kernel is asked for, in bytes. It
	// takes up to twice as much. By default it holds several MiB for a client that does not
	// read. Some hundred such clients use up the kernel's memory for TCP, and then the
	// connections of all clients stall for seconds. With a small buffer a client's progress
	// shows sooner, too.
	kernelBuffer = 256 << 10
	// narrowAfter is how many bytes are written to a client before the kernel is asked,
	// because most clients never get as many.
	narrowAfter = 64 << 10
)

// narrowLocked is called before a write of n bytes. It limits the send buffer of the kernel.
func (c *Conn) narrowLocked(n int) {
	if c.narrowed || c.written+int64(n) < narrowAfter {
		return
	}
	c.narrowed = true
	if w, ok := below(c.network()).(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = w.SetWriteBuffer(kernelBuffer) // if it fails, the buffer stays as it is
	}
}

// mayExtendLocked reports whether the deadline of the writes may be extended.
func (c *Conn) mayExtendLocked() bool { return c.final == 0 || instant.Now() < c.final }

// extendLocked gives a client between d and twice d to take something. It does not set the
// deadline for each write, because that would cost as much as a short write.
func (c *Conn) extendLocked(d time.Duration) {
	now := instant.Now()
	if c.deadline.Sub(now) >= d {
		return
	}
	c.deadline = now.Add(2 * d)
	if c.final != 0 && c.final < c.deadline {
		c.deadline = c.final
	}
	_ = c.network().SetWriteDeadline(c.deadline.Time())
}

// WriteUntil ends every write at t, whatever the client takes. The deadline is not extended beyond t.
func (c *Conn) WriteUntil(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.final = instant.Of(t)
	c.deadline = c.final
	_ = c.network().SetWriteDeadline(t)
}
