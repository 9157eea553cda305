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

// There are two writers: whoever writes messages, one at a time, and the goroutine
// that reads, which writes control frames and queues them rather than wait for the
// network. Every write is of whole frames, or of the rest of some.
//
// TryWrite has no call that can wait. What the network does not take then, and what
// has to be compressed or goes through TLS, is for Write, on a goroutine of the
// connection's own.

const (
	// MaxTurn is about how much TryWrite writes, in bytes, before it is the next
	// client's turn.
	MaxTurn = 256 << 10
	// WritePiece is how much Write should be given at a time, in bytes, so that
	// progress shows where the network is waited for.
	WritePiece = 64 << 10
	// tlsPiece is the same for TLS, where a write that its deadline ended cannot
	// be continued: one record.
	tlsPiece = 16 << 10
	// corkSize is how many bytes of small frames are collected for one write.
	corkSize = 32 << 10
)

const (
	finClose = wsframe.Fin | byte(wsframe.OpClose)
	finPong  = wsframe.Fin | byte(wsframe.OpPong)
)

// TryWrite hands the network what it takes at once, without waiting: what is
// in front, and frames of the batch. It returns those that it has not begun. If the
// network did not take all of those begun, the rest is for Write: see HasRest.
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

// HasRest reports whether the network did not take all of what TryWrite has begun. It
// is called by whoever writes messages.
func (c *Conn) HasRest() bool { return len(c.rest) > 0 }

// Write hands the network the rest of what TryWrite began or else what goes next,
// frames of the batch among it, and waits for it. It returns the frames
// that it has not begun.
func (c *Conn) Write(batch []*outgoing.Unit) (left []*outgoing.Unit, err error) {
	c.mu.Lock()
	p, n, buf := c.rest, 0, (*[]byte)(nil)
	c.rest = nil
	switch {
	case p != nil:
		c.mu.Unlock()
	case c.library != nil && !c.closeSent.Load():
		c.busy = true
		c.mu.Unlock()
		p, n, buf, err = c.compress(batch)
	default:
		c.busy = true
		p, n, buf = c.assembleLocked(batch)
		c.mu.Unlock()
	}
	if err == nil {
		err = c.writeWaiting(p)
	}
	bufpool.Put(buf)
	c.mu.Lock()
	c.busy = false
	c.noteCloseLocked()
	c.mu.Unlock()
	return batch[n:], err
}

// WriteAlone writes whole frames of a WebSocket that nobody else writes to, and
// what goes in front of them. It waits for the network.
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

// takeFrontLocked appends what goes in front of the next frames.
func (c *Conn) takeFrontLocked(p []byte) []byte {
	p = append(p, c.control...)
	c.control, c.lastPong, c.opening = nil, 0, false
	return p
}

// assembleLocked returns what goes to the network next and how many frames of the
// batch are in it or, behind a close frame, dropped. It is memory of a frame, if
// buf is nil.
func (c *Conn) assembleLocked(batch []*outgoing.Unit) (p []byte, n int, buf *[]byte) {
	front := len(c.control)
	closed := c.closeSent.Load()
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

// writeAtOnceLocked writes what the network takes. It is called while no write waits.
func (c *Conn) writeAtOnceLocked(p []byte) (int, error) {
	c.narrowLocked(len(p))
	n, err := rawconn.WriteAtOnce(c.in.Raw(), p)
	if errors.Is(err, os.ErrDeadlineExceeded) { // that of an earlier write
		c.extendLocked(c.opts.WriteTimeout)
		n, err = rawconn.WriteAtOnce(c.in.Raw(), p)
	}
	c.written += int64(n)
	return n, err
}

// writeWaiting writes, and waits for the network as long as it takes something:
// after a time without progress, between one and three timeouts, it gives up.
func (c *Conn) writeWaiting(p []byte) error {
	if c.in.Raw() != nil { // most often there is nothing to wait for, and no need of a deadline
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
		case !secure && errors.Is(err, os.ErrDeadlineExceeded) && c.mayGoOnLocked():
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
	// kernelBuffer is how many bytes the kernel is asked to hold for one client, of which
	// it makes up to twice as much. By itself it holds several MiB for a client that does
	// not read; some hundred of those use up the memory for TCP, and then the connections
	// of all clients stall for seconds. Less in the kernel also shows progress sooner.
	kernelBuffer = 256 << 10
	// narrowAfter is how many bytes go to a client before the kernel is asked: most
	// clients never get as many.
	narrowAfter = 64 << 10
)

// narrowLocked is called before n bytes are written. It bounds what the kernel holds.
func (c *Conn) narrowLocked(n int) {
	if c.narrowed || c.written+int64(n) < narrowAfter {
		return
	}
	c.narrowed = true
	if w, ok := below(c.network()).(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = w.SetWriteBuffer(kernelBuffer) // an error changes nothing
	}
}

// mayGoOnLocked reports whether writes may go on after their present deadline.
func (c *Conn) mayGoOnLocked() bool { return c.final == 0 || instant.Now() < c.final }

// extendLocked gives a client at least d to take something, and at most twice
// as long: setting the deadline for each write would cost as much as a short write.
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

// WriteUntil ends the waiting of whoever writes at t, whatever the progress.
func (c *Conn) WriteUntil(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.final = instant.Of(t)
	c.deadline = c.final
	_ = c.network().SetWriteDeadline(t)
}
