// Package stall notices a lack of progress: the handlers of a client do not return
// ([Backlog]), or the parts of a packet do not come ([Parts]). It knows neither clients nor
// handlers.
package stall

import (
	"sync"
	"sync/atomic"
	"time"
)

// Rules are the same for all backlogs of a server. They do not change.
type Rules struct {
	Limit   int64         // bytes; above it the server stops reading until half of that is left
	Timeout time.Duration // how long no handler may return
}

// Owner is the client that a backlog belongs to. A goroutine of the backlog calls its methods,
// without a lock held.
type Owner interface {
	// Stuck is called if no call of Done has come for Rules.Timeout while the server does
	// not read. waiting is the size of the backlog in bytes.
	Stuck(waiting int64)
	// Abandon is called if no call of Done has come for Rules.Timeout after Leave.
	Abandon()
}

// Backlog is the amount of what a client has sent and what is not done yet. The zero value is
// empty.
// Add, Done and Size may be called from any goroutine, Hold and Leave from one at a time.
//
// A backlog has a timer, which runs while it is watched: from Hold until enough is done,
// and from Leave until all is done. It ends with the call of Stuck or Abandon.
type Backlog struct {
	size    atomic.Int64
	watched atomic.Bool // Done must call progress; changed with watch.mu held
	stuck   atomic.Bool // Owner.Stuck is called, or was
	watch   *watch      // nil until Hold or Leave needs it
}

// watch observes a backlog.
type watch struct {
	backlog *Backlog
	rules   *Rules
	owner   Owner

	mu    sync.Mutex
	room  chan struct{} // closed when the server reads on; nil while it reads
	gone  bool          // Leave was called
	moved time.Time     // not before the last call of Done
	timer *time.Timer   // calls expire; it may run when there is nothing to watch
	armed bool          // timer runs
}

// Size returns how many bytes are not done.
func (b *Backlog) Size() int64 { return b.size.Load() }

// Add adds n bytes, and returns the size.
func (b *Backlog) Add(n int64) int64 { return b.size.Add(n) }

// Done takes away n bytes that were added, and returns the size.
func (b *Backlog) Done(n int64) int64 {
	left := b.size.Add(-n)
	if b.watched.Load() {
		b.watch.progress()
	}
	return left
}

// Watched reports whether the server does not read, or Leave was called, and not all is
// done.
func (b *Backlog) Watched() bool { return b.watched.Load() }

// Stuck reports whether Owner.Stuck is called, or was.
func (b *Backlog) Stuck() bool { return b.stuck.Load() }

// Hold returns the channel to wait for before more is read, nil if there is no need to
// wait. It is called when the size is above Rules.Limit.
func (b *Backlog) Hold(rules *Rules, owner Owner) <-chan struct{} {
	w := b.watchFor(rules, owner)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin()
	// A call of Done from now on checks the watch; an earlier one has changed the size.
	if b.size.Load() <= rules.Limit/2 {
		w.rest()
		return nil
	}
	w.room = make(chan struct{})
	return w.room
}

// Leave notes that nothing is added any more.
func (b *Backlog) Leave(rules *Rules, owner Owner) {
	if b.watch == nil && b.size.Load() == 0 {
		return
	}
	w := b.watchFor(rules, owner)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.room = nil // the engine does not wait for it any more
	w.stop()
	w.begin()
	w.gone = true
	if b.size.Load() == 0 {
		w.rest()
		w.stop()
	}
}

func (b *Backlog) watchFor(rules *Rules, owner Owner) *watch {
	if b.watch == nil {
		b.watch = &watch{backlog: b, rules: rules, owner: owner}
	}
	return b.watch
}

// begin begins to watch the backlog. The caller holds w.mu.
func (w *watch) begin() {
	w.moved = time.Now()
	if w.timer == nil {
		w.timer = time.AfterFunc(w.rules.Timeout, w.expire)
	} else if !w.armed {
		w.timer.Reset(w.rules.Timeout)
	}
	w.armed = true
	w.backlog.watched.Store(true)
}

// rest ends the watch. It leaves the timer running, because watches are too frequent to
// stop it each time. The caller holds w.mu.
func (w *watch) rest() {
	w.backlog.watched.Store(false)
	w.room, w.gone = nil, false
}

// stop stops the timer. The caller holds w.mu.
func (w *watch) stop() {
	if w.timer != nil && w.timer.Stop() {
		w.armed = false
	}
}

// progress records that something has been done.
func (w *watch) progress() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.backlog.watched.Load() {
		return
	}
	left := w.backlog.size.Load()
	w.moved = time.Now()
	switch {
	case w.gone && left == 0:
		w.rest()
		w.stop()
	case w.room != nil && left <= w.rules.Limit/2:
		close(w.room)
		w.rest()
	}
}

// expire ends the watch of a backlog of which nothing has been done for too long. The
// timer calls it.
func (w *watch) expire() {
	w.mu.Lock()
	w.armed = false
	if !w.backlog.watched.Load() {
		w.mu.Unlock()
		return
	}
	if left := w.rules.Timeout - time.Since(w.moved); left > 0 {
		w.timer.Reset(left)
		w.armed = true
		w.mu.Unlock()
		return
	}
	gone := w.gone
	w.rest()
	w.mu.Unlock()
	if gone {
		w.owner.Abandon()
		return
	}
	w.backlog.stuck.Store(true)
	w.owner.Stuck(w.backlog.Size())
}
