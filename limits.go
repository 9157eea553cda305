package socketio

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/parser"
)

// maxName bounds the names of rooms and namespaces, in bytes. Clients may choose
// these names, and the server keeps them.
const maxName = 1024

// maxEventRate is the highest rate that can be set, in events a second. It is higher
// than what a client can reach.
const maxEventRate = 1_000_000

// LimitError says that one of [Limits] was reached. [Socket.Join] returns it beyond
// MaxRooms, Call and an Emit with [OnAck] beyond MaxPendingAcks; a callback of OnAck that
// takes an error gets it instead. An error handler gets it for an event that was dropped
// because of EventRate.
type LimitError struct {
	Limit string // the field of Limits: "MaxRooms", "MaxPendingAcks" or "EventRate"
	Max   int    // its value
}

// Error names the limit, its value and the option that sets it.
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

func (s *settings) checkLimits() error {
	for _, n := range []struct {
		name  string
		value int
	}{
		{"Limits.ReceiveQueueLimit", s.Limits.ReceiveQueueLimit},
		{"Limits.AsyncLimit", s.Limits.AsyncLimit},
		{"Limits.ControlRate", s.Limits.ControlRate},
		{"Limits.MaxNamespaces", s.Limits.MaxNamespaces},
		{"Limits.MaxRooms", s.Limits.MaxRooms},
		{"Limits.MaxPendingAcks", s.Limits.MaxPendingAcks},
		{"Limits.EventRate", s.Limits.EventRate},
		{"Limits.EventBurst", s.Limits.EventBurst},
		{"Cluster.QueueLimit", s.Cluster.QueueLimit},
		{"Cluster.ReplayLimit", s.Cluster.ReplayLimit},
	} {
		if n.value < 0 {
			return fmt.Errorf("field Options.%s is %d: set a positive number, or leave it 0 for the default", n.name, n.value)
		}
	}
	if s.Limits.EventBurst > 0 && s.Limits.EventRate == 0 {
		return errors.New("field Options.Limits.EventBurst is set without EventRate: set EventRate to the events a second that a client may send")
	}
	if s.Limits.EventRate > maxEventRate || s.Limits.EventBurst > maxEventRate || s.Limits.ControlRate > maxEventRate {
		return fmt.Errorf("fields Options.Limits.EventRate, EventBurst and ControlRate can be at most %d; 0 means no limit", maxEventRate)
	}
	return nil
}

// verdict says what EventRate does with an event.
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

// errTooManyEvents is the error that the client gets.
var errTooManyEvents = &Error{Message: "Too many events"}

// errTooFast returns the error that an error handler gets for a dropped event.
func (srv *Server) errTooFast() error {
	return fmt.Errorf("%w: %w", &LimitError{limitEventRate, srv.opts.Limits.EventRate}, errTooManyEvents)
}

// Useless packets are acknowledgements that are not expected, packets for a namespace
// that the client has left, and requests for one that does not exist. They cost the
// server as much as others, but no handler slows their client down. So the server allows
// Options.Limits.ControlRate of them a second, and uselessBurst times as many at once.
// When a client sends more, the server stops reading from it for uselessPause.
const (
	uselessBurst = 10
	uselessPause = time.Second
)

// useless counts a useless packet. It is called on the read side.
func (cl *client) useless() {
	interval := time.Second / time.Duration(cl.srv.opts.Limits.ControlRate)
	if cl.wasted.Take(time.Since(cl.srv.began), interval, interval*time.Duration(cl.srv.opts.Limits.ControlRate)*uselessBurst) {
		return
	}
	cl.slow = true
}

// unexpected counts an acknowledgement that is not expected: as a useless packet and as
// an event.
func (cl *client) unexpected() {
	cl.useless()
	if cl.throttle() == flood {
		cl.fail(ReasonTransportError, cl.srv.errTooFast())
	}
}

// breather returns the channel that the engine waits for after too many useless packets.
func (cl *client) breather() <-chan struct{} {
	cl.slow = false
	cl.srv.stats.hit(limitControlRate)
	const kind = "useless packets"
	if ctx := context.Background(); cl.srv.notices.Enabled(ctx, kind) {
		cl.srv.notices.Warn(ctx, kind, "socketio: the server reads more slowly from a client because it sends more useless packets than "+
			"Options.Limits.ControlRate allows: acknowledgements that are not expected, packets for namespaces it is not in", "rate", cl.srv.opts.Limits.ControlRate,
			"connection", short(cl.conn.ID()))
	}
	room := make(chan struct{})
	time.AfterFunc(uselessPause, func() { close(room) })
	return room
}

// The backlog of a connection consists of the events that have arrived and whose
// handlers have not returned; client.queued is its size in bytes. Above
// Options.Limits.ReceiveQueueLimit the server stops reading from the client until half of
// that is left. If no handler of the connection returns for as long as a client may be
// silent (Options.PingInterval and PingTimeout), the connection is closed and the events
// that wait are dropped. The backlog of a client that has gone is dropped in the same way.

// watch observes a backlog while the server does not read from the client, or after the
// client has gone. client.mu guards it.
type watch struct {
	room  chan struct{} // closed when the server reads on; nil while it reads
	gone  bool          // the client has gone; what waits is still handled
	moved time.Time     // not before the last return of a handler
	timer *time.Timer   // calls client.stalled; it may run when there is nothing to watch
	armed bool          // timer runs
}

// backpressure returns the channel that the engine must wait for before it reads on, nil
// if it need not wait. It is called on the read side.
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
	// A handler that returns from now on checks the watch; one that has returned before
	// has changed queued.
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

// restLocked ends the watch. It leaves the timer running, because watches are too
// frequent to stop it each time.
func (cl *client) restLocked() {
	cl.watched.Store(false)
	cl.watch.room, cl.watch.gone = nil, false
}

// watchRest starts to watch the backlog of a client that has gone.
func (cl *client) watchRest() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.watch == nil && cl.queued.Load() == 0 { // nothing comes any more
		return
	}
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

// progress records that a handler has returned, while the backlog is watched.
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

// stalled ends a backlog in which no handler has returned for too long. The timer of the
// watch calls it.
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
	err := fmt.Errorf("socketio: no handler of the connection has returned for %v while %d bytes of its events wait (Options.Limits.ReceiveQueueLimit)",
		cl.srv.opts.stall, cl.queued.Load())
	cl.warnStalled("stuck handler", "socketio: a connection was closed because its handlers do not return: "+
		"give the calls in them a time limit; Options.Limits.ReceiveQueueLimit bounds the events that wait for them", err)
	cl.conn.Close(ReasonTransportError, err)
}

// dropBacklog drops the events of a client that has gone, which wait behind a handler
// that does not return.
func (cl *client) dropBacklog() {
	cl.mu.Lock()
	boxes := make([]*box, 0, len(cl.seats))
	for _, st := range cl.seats {
		boxes = append(boxes, st.box)
	}
	cl.mu.Unlock()
	dropped := 0
	for _, b := range boxes {
		dropped += cl.srv.dropEvents(b, func(t *task) bool { return t.details.client == cl })
	}
	if dropped > 0 {
		cl.warnStalled("dropped backlog", "socketio: events of a client that has gone were dropped because a handler in front of them does not return: "+
			"give the calls in it a time limit",
			fmt.Errorf("socketio: %d events dropped after %v (Options.PingInterval and PingTimeout)", dropped, cl.srv.opts.stall))
	}
}

func (cl *client) warnStalled(kind, msg string, err error) {
	cl.srv.notices.Warn(context.Background(), kind, msg, "connection", short(cl.conn.ID()), "error", err)
}

// footprint returns how many bytes the arguments of a packet take that came in size
// bytes.
func footprint(p parser.Packet, size int) int {
	if a, ok := p.Args.(parser.Sized); ok {
		return max(size, a.Size()+len(p.Event))
	}
	return size
}

// assembly observes a binary packet whose attachments have not all come. If none comes
// for as long as a client may be silent, it closes the connection. Its timer starts with
// the first such packet, and stops when it finds none.
type assembly struct {
	conn  *engineio.Conn
	srv   *Server
	came  atomic.Int64 // how many parts have come; negative if the packet is complete
	armed atomic.Bool  // timer runs
	last  int64        // the value of came at the timer's last run; only the timer uses it
	timer *time.Timer
	held  func() bool // the server does not read from the client
}

// partCame records a part of a binary packet. It is called on the read side.
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

// complete records that the packet is complete. It is called on the read side.
func (p *assembly) complete() { p.came.Store(-p.came.Load()) }

// check closes the connection if no part has come since the last check. The timer calls
// it.
func (p *assembly) check() {
	came := p.came.Load()
	switch {
	case came < 0:
		p.armed.Store(false)
		if p.came.Load() > 0 { // the next packet has begun meanwhile
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
