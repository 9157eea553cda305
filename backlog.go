package socketio

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seed-d124fa34/socketio/parser"
)

// The backlog of a connection is the events that have arrived and whose handlers
// have not returned; client.queued is what they hold, in bytes. Above
// Options.Limits.ReceiveQueueLimit the server stops reading from the client, until half of
// that is left. A handler that does not return ends this: when no handler of the
// connection has returned for as long as a silent client may stay (Options.PingInterval
// and PingTimeout), the connection is closed and what waits is dropped. What waits
// when the client has gone is dropped likewise.

// watch looks after a backlog while the server does not read or the client has
// gone. Guarded by client.mu.
type watch struct {
	room  chan struct{} // closed when the server reads on; nil: it does
	gone  bool          // the client has: what waits is still handled
	moved time.Time     // when a handler has returned last, at least
	timer *time.Timer   // calls client.stalled; it may run when there is nothing to watch
	armed bool          // timer runs
}

// backpressure returns what the engine is to wait for before it reads on; nil:
// nothing. It is called on the read side.
func (cl *client) backpressure() <-chan struct{} {
	limit := int64(cl.srv.opts.Limits.ReceiveQueueLimit)
	switch {
	case cl.broken:
		return nil
	case cl.queued.Load()+int64(cl.partial) > limit:
	case cl.slow:
		return cl.breather()
	default:
		return nil
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.watchLocked()
	// Handlers that return from now on look at the watch; those before have
	// changed queued already.
	if cl.queued.Load() <= limit/2 {
		cl.restLocked()
		return nil
	}
	cl.srv.stats.hit(limitReceiveQueue)
	cl.watch.room = make(chan struct{})
	return cl.watch.room
}

// watchLocked begins to watch the backlog.
func (cl *client) watchLocked() {
	if cl.watch == nil {
		cl.watch = new(watch)
	}
	w := cl.watch
	w.moved = time.Now()
	if w.timer == nil {
		w.timer = time.AfterFunc(cl.srv.opts.stall, cl.stalled)
	} else if !w.armed {
		w.timer.Reset(cl.srv.opts.stall)
	}
	w.armed = true
	cl.watched.Store(true)
}

// restLocked ends the watch, but for its timer: it is armed again too often to be
// stopped each time.
func (cl *client) restLocked() {
	cl.watched.Store(false)
	cl.watch.room, cl.watch.gone = nil, false
}

// watchRest is called when the client has gone: what it left is watched.
func (cl *client) watchRest() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if w := cl.watch; w != nil {
		w.room = nil // the engine does not wait any more
		if w.timer.Stop() {
			w.armed = false
		}
	}
	cl.watchLocked()
	cl.watch.gone = true
	if cl.queued.Load() == 0 {
		cl.restLocked()
		if cl.watch.timer.Stop() {
			cl.watch.armed = false
		}
	}
}

// progress notes that a handler has returned, while the backlog is watched.
func (cl *client) progress() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if !cl.watched.Load() {
		return
	}
	w, left := cl.watch, cl.queued.Load()
	w.moved = time.Now()
	switch {
	case w.gone && left == 0:
		cl.restLocked()
		if w.timer.Stop() {
			w.armed = false
		}
	case w.room != nil && left <= int64(cl.srv.opts.Limits.ReceiveQueueLimit)/2:
		close(w.room)
		cl.restLocked()
	}
}

// stalled is called by the timer of the watch.
func (cl *client) stalled() {
	cl.mu.Lock()
	w := cl.watch
	w.armed = false
	if !cl.watched.Load() {
		cl.mu.Unlock()
		return
	}
	if left := cl.srv.opts.stall - time.Since(w.moved); left > 0 {
		w.timer.Reset(left)
		w.armed = true
		cl.mu.Unlock()
		return
	}
	gone := w.gone
	cl.restLocked()
	cl.mu.Unlock()
	if gone {
		cl.dropBacklog()
		return
	}
	cl.stuck.Store(true)
	err := fmt.Errorf("socketio: no handler of the connection has returned for %v, while %d bytes of its events wait (Options.Limits.ReceiveQueueLimit)",
		cl.srv.opts.stall, cl.queued.Load())
	cl.warnStalled("stuck handler", "socketio: a connection was closed because its handlers do not return: "+
		"give the calls in them a time limit; Options.Limits.ReceiveQueueLimit is how much may wait for them", err)
	cl.conn.Close(ReasonTransportError, err)
}

// dropBacklog drops the events that wait behind a handler which does not return,
// of a client that has gone.
func (cl *client) dropBacklog() {
	cl.mu.Lock()
	seats := slices.Clone(cl.seats)
	cl.mu.Unlock()
	dropped := 0
	for _, st := range seats {
		dropped += cl.dropEvents(&st.box, nil)
	}
	if dropped > 0 {
		cl.warnStalled("dropped backlog", "socketio: events of a client that has gone were dropped because a handler before them does not return: "+
			"give the calls in it a time limit",
			fmt.Errorf("socketio: %d events dropped after %v (Options.PingInterval and PingTimeout)", dropped, cl.srv.opts.stall))
	}
}

func (cl *client) warnStalled(kind, msg string, err error) {
	cl.srv.notices.Warn(context.Background(), kind, msg, "connection", short(cl.conn.ID()), "error", err)
}

// footprint is what the arguments of a packet that came in size bytes hold.
func footprint(p parser.Packet, size int) int {
	if a, ok := p.Args.(parser.Sized); ok {
		return max(size, a.Size()+len(p.Event))
	}
	return size
}
