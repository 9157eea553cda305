package engineio

import (
	"context"
	"slices"
)

// flushWaiter is a call of Flush.
type flushWaiter struct {
	handed uint64        // what Conn.handed has to be
	done   chan struct{} // closed then, or at the end of the connection
}

// Buffered returns how many bytes have been sent and not yet been handed to the
// network: for a polling client, not yet been written as the answer to a request. A
// message counts until all of it has been handed over.
func (c *Conn) Buffered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queued
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
	case c.queued == 0:
		c.mu.Unlock()
		return ctx.Err()
	}
	w := flushWaiter{c.handed + uint64(c.queued), make(chan struct{})}
	c.waiters = append(c.waiters, w)
	c.mu.Unlock()
	select {
	case <-w.done:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiters = slices.DeleteFunc(c.waiters, func(o flushWaiter) bool { return o.done == w.done })
	if c.handed >= w.handed && !c.closed {
		return nil
	}
	if c.closed {
		return &CloseError{c.reason, c.closeErr}
	}
	return ctx.Err()
}

// wakeWaitersLocked ends the calls of Flush whose bytes have been handed over,
// all of them when the connection has been closed.
func (c *Conn) wakeWaitersLocked() {
	c.waiters = slices.DeleteFunc(c.waiters, func(w flushWaiter) bool {
		if c.handed < w.handed && !c.closed {
			return false
		}
		close(w.done)
		return true
	})
	if len(c.waiters) == 0 {
		c.waiters = nil
	}
}
