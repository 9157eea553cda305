package socketio

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/parser"
)

// maxName bounds the names of rooms and namespaces, in bytes: clients may
// choose them, and the server remembers them.
const maxName = 1024

// maxEventRate is where an event takes a microsecond: a limit beyond is none.
const maxEventRate = 1_000_000

// LimitError says that one of [Limits] was reached: [Socket.Join] beyond
// MaxRooms, Emit with [OnAck] and Call beyond MaxPendingAcks; a callback that
// takes an error gets it in its place. An error handler gets it for an event that was dropped
// because of EventRate.
type LimitError struct {
	Limit string // the field of Limits: "MaxRooms", "MaxPendingAcks" or "EventRate"
	Max   int    // its value
}

// Error says what there was too much of and which option bounds it.
func (e *LimitError) Error() string {
	what := "%d rooms is the most a socket may be in"
	switch e.Limit {
	case limitPendingAcks:
		what = "%d acknowledgements is the most a socket may owe"
	case limitEventRate:
		what = "%d events a second is the most a client may send"
	}
	return fmt.Sprintf("socketio: "+what+" (Options.Limits.%s)", e.Max, e.Limit)
}

// verdict is what EventRate makes of an event.
type verdict uint8

const (
	inTime  verdict = iota
	tooFast         // drop it
	flood           // close the connection
)

// throttle applies EventRate to one more event. It is called by the read side.
func (cl *client) throttle() verdict {
	o := &cl.srv.opts
	if o.Limits.EventRate == 0 {
		return inTime
	}
	now := time.Since(cl.srv.began)
	interval := time.Second / time.Duration(o.Limits.EventRate)
	burst := interval * time.Duration(o.Limits.EventBurst)
	if cl.events.Take(now, interval, burst) {
		return inTime
	}
	cl.srv.stats.hit(limitEventRate)
	if cl.dropped.Take(now, interval, burst) {
		return tooFast
	}
	return flood
}

// errTooManyEvents is what a client is told.
var errTooManyEvents = &Error{Message: "Too many events"}

// errTooFast is what an error handler gets for an event that was dropped.
func (srv *Server) errTooFast() error {
	return fmt.Errorf("%w: %w", &LimitError{limitEventRate, srv.opts.Limits.EventRate}, errTooManyEvents)
}

// Packets that mean nothing cost the server as much as those that do, and no
// handler slows their client down: acknowledgements that nobody expects, packets for a
// namespace that the client has left, and requests for one that does not exist.
// Above Options.Limits.ControlRate, after uselessBurst seconds' worth at once, the server
// does not read from the client for uselessPause.
const (
	defaultControlRate = 1000
	uselessBurst       = 10
	uselessPause       = time.Second
)

// useless counts a packet that means nothing. It is called on the read side.
func (cl *client) useless() {
	interval := time.Second / time.Duration(cl.srv.opts.Limits.ControlRate)
	if cl.wasted.Take(time.Since(cl.srv.began), interval, interval*time.Duration(cl.srv.opts.Limits.ControlRate)*uselessBurst) {
		return
	}
	cl.slow = true
}

// unexpected counts an acknowledgement that nobody expects, also as an event.
func (cl *client) unexpected() {
	cl.useless()
	if cl.throttle() == flood {
		cl.fail(ReasonTransportError, cl.srv.errTooFast())
	}
}

// breather returns what the engine waits for after too many useless packets.
func (cl *client) breather() <-chan struct{} {
	cl.slow = false
	cl.srv.stats.hit(limitControlRate)
	const kind = "useless packets"
	if ctx := context.Background(); cl.srv.notices.Enabled(ctx, kind) {
		cl.srv.notices.Warn(ctx, kind, "socketio: a client is read from more slowly because it sends packets that mean nothing faster than "+
			"Options.Limits.ControlRate: acknowledgements that nobody expects, packets for namespaces it is not in", "rate", cl.srv.opts.Limits.ControlRate,
			"connection", short(cl.conn.ID()))
	}
	room := make(chan struct{})
	time.AfterFunc(uselessPause, func() { close(room) })
	return room
}

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

// assembly looks after a binary packet whose attachments have not all come: if none
// comes for as long as a silent client may stay, the connection is closed. It has a
// timer from the first such packet on, until the timer finds none.
type assembly struct {
	conn  *engineio.Conn
	srv   *Server
	came  atomic.Int64 // how many parts have come; negative: the packet is complete
	armed atomic.Bool  // timer runs
	last  int64        // came, when timer ran last; for the timer
	timer *time.Timer
	held  func() bool // the server does not read from the client
}

// partCame notes a part of a binary packet. It is called on the read side.
func (cl *client) partCame() {
	p := cl.assembly
	if p == nil {
		p = &assembly{conn: cl.conn, srv: cl.srv, held: cl.watched.Load}
		p.timer = time.AfterFunc(time.Hour, p.check)
		p.timer.Stop()
		cl.assembly = p
	}
	p.came.Store(max(p.came.Load(), -p.came.Load()) + 1)
	p.arm()
}

func (p *assembly) arm() {
	if !p.armed.Load() && p.armed.CompareAndSwap(false, true) {
		p.timer.Reset(p.srv.opts.stall)
	}
}

// complete notes that the packet has come. It is called on the read side.
func (p *assembly) complete() { p.came.Store(-p.came.Load()) }

// check is called by the timer.
func (p *assembly) check() {
	came := p.came.Load()
	switch {
	case came < 0:
		p.armed.Store(false)
		if p.came.Load() > 0 { // by now
			p.arm()
		}
		return
	case came == p.last && !p.held():
		p.conn.Close(ReasonParseError, fmt.Errorf("socketio: the attachments of a packet have not come within %v (Options.PingInterval and PingTimeout)", p.srv.opts.stall))
		return
	}
	p.last = came
	p.timer.Reset(p.srv.opts.stall)
}
