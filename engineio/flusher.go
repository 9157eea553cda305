package engineio

import (
	"runtime"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
	"github.com/seed-d124fa34/socketio/engineio/internal/rawconn"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
	"github.com/seed-d124fa34/socketio/internal/budget"
)

// flusher writes what connections have queued, one connection after the other. It
// never waits: a connection whose network takes no more at the moment gets a goroutine
// of its own (Conn.flush). A burst thus costs one goroutine instead of one for each
// recipient, and one write takes all that has been queued for a connection. The
// flusher's goroutine starts when a connection has something to write, and ends when
// none has. A server has a flusher for each processor.
type flusher struct {
	srv     *Server
	traffic traffic
	writers writers         // of its connections where a write may wait
	budget  *budget.Share   // counts what waits for its connections
	watcher rawconn.Watcher // of its connections whose clients are silent

	mu      sync.Mutex // protects the following
	waiting []*Conn
	spare   []*Conn
	running bool
}

// add makes the flusher write what c has queued. The caller has set Conn.writing, on
// behalf of the flusher.
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
		// Let goroutines run first that are about to queue something.
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

// tryFlush writes about websock.MaxTurn bytes of what is queued, without waiting.
func (c *Conn) tryFlush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.ws
	batch, size := c.takeLocked(websock.MaxTurn)
	if len(batch) == 0 && !c.controlLocked(t) {
		c.queue.Reuse(batch)
		c.endFlushLocked()
		return
	}
	c.mu.Unlock()
	left, err := t.TryWrite(batch)
	c.mu.Lock()
	if err == nil && (len(left) > 0 || t.HasRest()) {
		c.queue.CountAll(batch)
		c.srv.wg.Add(1)
		go c.flush(t, batch, left, size)
		return
	}
	c.queue.Wrote(batch, size)
	switch {
	case err != nil:
		c.failedLocked(err)
		return
	case c.queue.Empty() && !c.closed && !t.HasControl():
		c.endFlushLocked()
		return
	}
	c.flusher.add(c) // behind the connections that wait for their turn
}

// flush is flushAll on a goroutine that Shutdown waits for.
func (c *Conn) flush(t *websock.Conn, batch, left []*outgoing.Unit, size int) {
	defer c.srv.wg.Done()
	c.flushAll(t, batch, left, size)
}

// flushAll writes what is left of a batch, and then what is queued until nothing is. It
// waits for the network. The caller has set Conn.writing, on behalf of flushAll.
func (c *Conn) flushAll(t *websock.Conn, batch, left []*outgoing.Unit, size int) {
	for {
		rest, err := t.Write(left)
		for err == nil && len(rest) > 0 {
			rest, err = t.Write(rest)
		}
		c.mu.Lock()
		c.queue.Wrote(batch, size)
		if err != nil {
			c.failedLocked(err)
			c.mu.Unlock()
			return
		}
		batch, size = c.takeLocked(websock.WritePiece)
		left = batch
		if len(batch) == 0 && !c.controlLocked(t) {
			c.queue.Reuse(batch)
			c.endFlushLocked()
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
	}
}

// failedLocked ends the connection, and the writing, after a failed write.
func (c *Conn) failedLocked(err error) {
	c.mu.Unlock()
	c.endForWrite(err, ReasonTransportClose)
	c.mu.Lock()
	c.queue.Drop()
	c.endFlushLocked()
}

// controlLocked reports whether there is something to write although nothing is
// queued: control frames or, if the connection has been closed, a close frame.
func (c *Conn) controlLocked(t *websock.Conn) bool {
	if c.closed {
		t.QueueClose(c.closeStatusLocked())
	}
	return t.HasControl()
}

// endFlushLocked ends the writing when nothing is queued. The budget counts what is
// queued next only if the network does not take it at once.
func (c *Conn) endFlushLocked() {
	if c.ws.WritesAtOnce() {
		c.queue.CountNoMore()
	}
	c.endWritingLocked()
}

func (c *Conn) pushLocked(u *outgoing.Unit) {
	c.queue.Push(u)
	c.startWritingLocked()
}

// startWritingLocked starts whoever writes what is queued or, after the end, the close
// frame: a flusher, a writer, or the poll that waits.
func (c *Conn) startWritingLocked() {
	switch {
	case c.writing:
		// The writer looks again when it is done.
	case c.ws != nil:
		if !c.queue.Empty() || c.closed && !c.ws.CloseSent() || c.ws.HasControl() {
			c.writing = true
			if c.ws.WritesAtOnce() {
				c.flusher.add(c)
			} else {
				c.flusher.writers.add(c)
			}
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

// Watcher returns what waits for the client while the connection is parked.
func (o *webSocketOwner) Watcher() websock.Watcher { return &o.flusher.watcher }

// Readable is called when the connection is parked no more.
func (o *webSocketOwner) Readable() {
	c := (*Conn)(o)
	go c.serveWebSocket(c.ws, pong)
}

// Holds has Options.Limits.SendBudget count what is held for this client alone.
func (o *webSocketOwner) Holds(n int) { (*Conn)(o).flusher.budget.Count(int64(n)) }

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

// awaitWriter waits until nobody writes to a connection that has been cut, for d at
// most. From then on the budget does not count what was being written.
func (c *Conn) awaitWriter(d time.Duration) {
	written := c.writingEnds()
	if written == nil {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-written:
	case <-t.C:
	}
}

// writingEnds returns a channel that is closed when the present write ends. It
// returns nil if nobody writes.
func (c *Conn) writingEnds() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.writing {
		return nil
	}
	if c.written == nil {
		c.written = make(chan struct{})
	}
	return c.written
}
