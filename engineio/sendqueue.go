package engineio

import (
	"context"

	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
)

// Send queues f and returns at once; what is queued is written in order, as
// much as possible at a time. It returns ErrClosed if the connection has ended,
// and ErrSendQueueFull, having queued nothing, if f and what waits already are
// more than Options.Limits.SendQueueLimit. A message of any size is accepted if nothing
// waits. A full queue does not end the connection: a client that takes nothing for
// Options.WriteTimeout is closed anyway. Senders of much data wait with Flush.
func (c *Conn) Send(f *Frames) error { return c.send(&f.unit, true) }

// SendText is Send for one text message to this client alone.
func (c *Conn) SendText(text string) error { return c.Send(TextFrames(text)) }

// SendBinary is Send for one binary message to this client alone. It copies data.
func (c *Conn) SendBinary(data []byte) error { return c.Send(BinaryFrames(data)) }

// SendAnyway is Send without regard to Options.Limits.SendQueueLimit: for what has been
// accepted, and counted, before it could be sent.
func (c *Conn) SendAnyway(f *Frames) error { return c.send(&f.unit, false) }

func (c *Conn) send(u *outgoing.Unit, limited bool) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	if limited && !c.queue.Fits(u, c.srv.opts.Limits.SendQueueLimit) {
		c.mu.Unlock()
		c.srv.stats.limits.add(limitSendQueue)
		return ErrSendQueueFull
	}
	c.pushLocked(u)
	c.mu.Unlock()
	return nil
}

// SendVolatile sends f only if it can be written at once: nothing is queued or
// being written and, for polling, a request waits. Otherwise f is dropped.
func (c *Conn) SendVolatile(f *Frames) (sent bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false, ErrClosed
	}
	if c.writing || !c.queue.Empty() || c.ws == nil && !c.polling {
		c.flusher.traffic.volatileDropped.Add(1)
		return false, nil
	}
	c.pushLocked(&f.unit)
	return true, nil
}

func (c *Conn) pushLocked(u *outgoing.Unit) {
	c.queue.Push(u)
	c.startWritingLocked()
}

// startWritingLocked has somebody write what is queued or, after the end, the close
// frame: a flusher, a goroutine, or the poll that waits.
func (c *Conn) startWritingLocked() {
	switch {
	case c.writing:
		// The writer looks again when it is done.
	case c.ws != nil:
		if !c.queue.Empty() || c.closed && !c.ws.CloseSent() || c.ws.HasControl() {
			c.writing = true
			if c.ws.WritesAtOnce() {
				c.flusher.add(c)
				return
			}
			batch, size := c.takeLocked(websock.WritePiece)
			c.srv.wg.Add(1)
			go c.flush(c.ws, batch, batch, size)
		}
	case c.polling:
		c.wakeLocked()
	}
}

// webSocketOwner is a Conn as its WebSocket sees it.
type webSocketOwner Conn

// ControlQueued is called when the reader has left control frames to be written.
func (o *webSocketOwner) ControlQueued() {
	c := (*Conn)(o)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.transportDone {
		c.startWritingLocked()
	}
}

// ControlFlood holds back a client that sends too many control frames.
func (o *webSocketOwner) ControlFlood() {
	c := (*Conn)(o)
	c.awaitRoom(c.slowDown())
}

// endWritingLocked gives up Conn.writing, and tells whoever waits for that.
func (c *Conn) endWritingLocked() {
	c.writing = false
	if c.written != nil {
		close(c.written)
		c.written = nil
	}
}

func (c *Conn) wakeLocked() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// takeLocked hands about limit bytes from the queue, one unit at least, to a
// writer, which calls queue.Wrote when it has written them.
func (c *Conn) takeLocked(limit int) (batch []*outgoing.Unit, size int) {
	batch, size = c.queue.Take(limit)
	c.flusher.traffic.sent(batch, size)
	return batch, size
}

// Buffered returns how many bytes have been sent and not yet been handed to the
// network: for a polling client, not yet been written as the answer to a request. A
// message counts until all of it has been handed over.
func (c *Conn) Buffered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queue.Size()
}

// Flush waits until everything that was sent before the call has been handed to
// the network (see Buffered). It returns the error of ctx if that ends first, and
// a *CloseError, for which errors.Is(err, ErrClosed) holds, if the connection has
// ended or ends first. Several goroutines may wait at a time. It must not
// be called in OnConnect, after which the client is answered.
func (c *Conn) Flush(ctx context.Context) error {
	c.mu.Lock()
	switch {
	case c.closed:
		c.mu.Unlock()
		return &CloseError{c.reason, c.closeErr} // once closed, they stay
	case c.queue.Size() == 0:
		c.mu.Unlock()
		return ctx.Err()
	}
	w := c.queue.Wait()
	c.mu.Unlock()
	select {
	case <-w.Done:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	written := c.queue.EndWait(w)
	switch {
	case c.closed:
		return &CloseError{c.reason, c.closeErr}
	case written:
		return nil
	}
	return ctx.Err()
}
