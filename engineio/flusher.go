package engineio

import (
	"errors"
	"os"
	"runtime"
	"sync"
)

// flusher writes what connections have queued, one after the other, without
// waiting for any: a connection whose network takes no more at the moment gets a
// goroutine of its own (Conn.flush). A burst thus costs one goroutine
// instead of one for each recipient, and what is queued meanwhile is written with
// the rest. The goroutine starts with the first connection and ends with the
// last. A server has a flusher for each processor.
type flusher struct {
	srv     *Server
	traffic traffic

	mu      sync.Mutex // protects the following
	waiting []*Conn
	spare   []*Conn
	running bool
}

// add has c flushed. Its caller holds Conn.writing for the flusher.
func (f *flusher) add(c *Conn) {
	f.mu.Lock()
	f.waiting = append(f.waiting, c)
	start := !f.running
	f.running = true
	f.mu.Unlock()
	if start {
		f.srv.wg.Add(1)
		go f.run()
	}
}

func (f *flusher) run() {
	defer f.srv.wg.Done()
	for {
		// Let those who are about to queue something do so first.
		runtime.Gosched()
		f.mu.Lock()
		batch := f.waiting
		if len(batch) == 0 {
			f.running = false
			f.mu.Unlock()
			return
		}
		f.waiting, f.spare = f.spare[:0], nil
		f.mu.Unlock()
		for _, c := range batch {
			c.tryFlush()
		}
		if cap(batch) <= 1024 {
			clear(batch)
			f.mu.Lock()
			f.spare = batch[:0]
			f.mu.Unlock()
		}
	}
}

// tryFlush writes one batch without waiting, unless Send has done so meanwhile.
func (c *Conn) tryFlush() {
	c.tryMu.Lock()
	defer c.tryMu.Unlock()
	c.mu.Lock()
	if !c.scheduled {
		c.mu.Unlock()
		return
	}
	c.scheduled = false
	t := c.ws
	batch, size := c.takeLocked()
	if len(batch) == 0 {
		if t.hasMore() {
			c.srv.wg.Add(1)
			go c.flush(t, batch, batch, size)
		} else {
			c.restLocked(t, batch)
		}
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	left, err := t.tryWrite(batch)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && (len(left) > 0 || t.rest != nil) {
		c.srv.wg.Add(1)
		go c.flush(t, batch, left, size)
		return
	}
	c.wroteLocked(batch, size)
	switch {
	case err != nil:
		c.mu.Unlock()
		c.endForWrite(err, ReasonTransportClose)
		c.mu.Lock()
	case len(c.queue) == 0 && !c.closed:
		c.endWritingLocked()
		return
	}
	c.scheduled = true // others first
	c.flusher.add(c)
}

// relieveLocked is called when the send queue is full: by a burst that the
// flusher had no time for, or by a client that does not read. It writes what the
// network takes at once.
func (c *Conn) relieveLocked() {
	if c.ws == nil || c.ws.trying == nil {
		return
	}
	c.mu.Unlock()
	c.tryFlush()
	c.mu.Lock()
}

// flush writes a batch, of which some is left, and what is queued, waiting for
// the network, until nothing is, and ends. Its caller holds Conn.writing for it.
func (c *Conn) flush(t *wsTransport, batch, left []*Frames, size int) {
	defer c.srv.wg.Done()
	for {
		err := t.write(left)
		c.mu.Lock()
		c.wroteLocked(batch, size)
		if err != nil {
			c.mu.Unlock()
			c.endForWrite(err, ReasonTransportClose)
			c.mu.Lock()
		}
		batch, size = c.takeLocked()
		left = batch
		if len(batch) == 0 && (err != nil || !t.hasMore()) {
			c.restLocked(t, batch)
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
	}
}

// restLocked ends the writing when nothing is queued: with a close frame if the
// connection has been closed.
func (c *Conn) restLocked(t *wsTransport, batch []*Frames) {
	c.spare = batch
	if c.closed {
		status := c.closeStatusLocked()
		c.mu.Unlock()
		t.sendClose(status)
		c.mu.Lock()
	}
	c.endWritingLocked()
}

// endForWrite ends the connection after a failed write.
func (c *Conn) endForWrite(err error, reason Reason) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		reason = ReasonSlowClient
		c.srv.stats.limits.add(limitWriteTimeout)
	}
	c.end(reason, err, abort)
}
