package engineio

import (
	"runtime"
	"sync"

	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
)

// writers write what connections have queued for which a write may wait: those with TLS
// or compression, and all where file descriptors are out of reach. One writer goes from
// connection to connection like a flusher, and one write takes all that has been queued.
// But before each call that may wait there is another writer that has not begun, and
// takes the connections behind. So a client that takes nothing holds back nobody else: its
// writer has become its own. A burst costs few goroutines instead of one for each
// recipient (more of them with compression, where writers wait for a processor). They start when a connection has something to write, and end when none has.
type writers struct {
	srv *Server

	mu      sync.Mutex // protects the following
	waiting []*Conn
	done    int  // how many at the beginning of waiting have been taken
	next    bool // a writer has been started and has not begun
	started uint // how many writers have been started, for tests
}

// add makes a writer write what c has queued. The caller has set Conn.writing, on behalf
// of the writer.
func (w *writers) add(c *Conn) {
	w.mu.Lock()
	w.waiting = append(w.waiting, c)
	start := w.startLocked()
	w.mu.Unlock()
	if start {
		go w.run()
	}
}

// startLocked reports whether the caller has to start a writer.
func (w *writers) startLocked() bool {
	if w.next {
		return false
	}
	w.next = true
	w.started++
	w.srv.wg.Add(1)
	return true
}

func (w *writers) run() {
	defer w.srv.wg.Done()
	// Let goroutines run first that are about to queue something.
	runtime.Gosched()
	w.mu.Lock()
	w.next = false
	for len(w.waiting) > 0 {
		c := w.takeLocked()
		start := len(w.waiting) > 0 && w.startLocked()
		w.mu.Unlock()
		if start {
			go w.run()
		}
		c.write()
		w.mu.Lock()
	}
	w.mu.Unlock()
}

// takeLocked removes the first connection from waiting.
func (w *writers) takeLocked() *Conn {
	c := w.waiting[w.done]
	w.waiting[w.done] = nil
	w.done++
	switch {
	case w.done == len(w.waiting) && cap(w.waiting) > 1024: // after a burst, give the memory back
		w.waiting, w.done = nil, 0
	case w.done == len(w.waiting) || w.done >= 64 && 2*w.done >= len(w.waiting):
		left := copy(w.waiting, w.waiting[w.done:])
		clear(w.waiting[left:])
		w.waiting, w.done = w.waiting[:left], 0
	}
	return c
}

// write writes what is queued until nothing is.
func (c *Conn) write() {
	c.mu.Lock()
	t := c.ws
	batch, size := c.takeLocked(websock.WritePiece)
	c.mu.Unlock()
	c.flushAll(t, batch, batch, size)
}
