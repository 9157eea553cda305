package engineio

import (
	"context"

	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
)

// Send queues f and returns at once. What is queued is written in order. Send returns
// ErrClosed if the connection has ended. It returns ErrSendQueueFull, and queues
// nothing, if f and what already waits are together more than
// Options.Limits.SendQueueLimit; a message of any size is accepted if nothing waits. A
// full queue does not end the connection: a client that takes nothing for
// Options.WriteTimeout is closed anyway. A sender of much data waits with Flush.
func (c *Conn) Send(f *Frames) error { return c.send(&f.unit, true) }

// SendText sends one text message to this client, as Send does.
func (c *Conn) SendText(text string) error { return c.Send(TextFrames(text)) }

// SendBinary sends one binary message to this client, as Send does. It copies data.
func (c *Conn) SendBinary(data []byte) error { return c.Send(BinaryFrames(data)) }

// SendAnyway sends f as Send does, but without Options.Limits.SendQueueLimit. Use it for
// messages that were accepted, and counted, before they could be sent.
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

// SendVolatile sends f only if it can be written at once: if nothing is queued or
// being written and, over polling, a request waits. Otherwise it drops f.
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

// startWritingLocked starts whoever writes what is queued or, after the end, the close
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

// ControlQueued is called when the reader has queued control frames.
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

// endWritingLocked resets Conn.writing, and wakes whoever waits for that.
func (c *Conn) endWritingLocked() {
	c.writing = false
	if c.written != nil {
		close(c.written)
		c.written = nil
	}
}

func (c *Conn) wakeLocked() {
	select {
	case c.poll.wake <- struct{}{}:
	default:
	}
}

// takeLocked takes about limit bytes from the queue, one unit at least. The caller
// writes them and then calls queue.Wrote.
func (c *Conn) takeLocked(limit int) (batch []*outgoing.Unit, size int) {
	batch, size = c.queue.Take(limit)
	c.flusher.traffic.sent(batch, size)
	return batch, size
}

// Buffered returns how many bytes have been sent and not yet handed to the network;
// over polling, not yet written as the answer to a request. A message counts with all
// its bytes until the last one has been handed to the network.
func (c *Conn) Buffered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queue.Size()
}

// Flush waits until everything that was sent before the call has been handed to the
// network (see Buffered). It returns the error of ctx if that ends first. If the
// connection has ended or ends first, it returns a *CloseError, for which
// errors.Is(err, ErrClosed) holds. Several goroutines may wait at the same time. Flush
// must not be called in OnConnect: the client is answered only after that.
func (c *Conn) Flush(ctx context.Context) error {
	c.mu.Lock()
	switch {
	case c.closed:
		c.mu.Unlock()
		return c.cause
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
		return c.cause
	case written:
		return nil
	}
	return ctx.Err()
}
