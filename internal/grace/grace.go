// Package grace waits until everything that is under way has ended. It does not hold up what begins
// meanwhile, and does not wait for that.
package grace

import (
	"sync"
	"sync/atomic"
)

// Tracker knows what is under way. Its methods may be called from any goroutine. Begin and End take no
// lock, unless somebody waits. The zero Tracker is ready.
type Tracker struct {
	current atomic.Pointer[Round]

	mu     sync.Mutex
	sealed []*Round // that have not ended, or come after one that has not; oldest first
}

// Round is what has begun between two calls of Wait.
type Round struct {
	running atomic.Int64  // how many have not ended; more than sealed: nothing begins in the round any more
	over    bool          // sealed, and all have ended; guarded by Tracker.mu
	done    chan struct{} // closed when this round and all before it are over
}

const sealed = 1 << 62

// Begin notes that something begins. Call End with what it returns.
func (t *Tracker) Begin() *Round {
	for {
		r := t.current.Load()
		if r == nil {
			t.current.CompareAndSwap(nil, newRound())
			continue
		}
		if r.running.Add(1) < sealed {
			return r
		}
		t.End(r) // Wait has just replaced it
	}
}

func newRound() *Round { return &Round{done: make(chan struct{})} }

// End notes that something has ended.
func (t *Tracker) End(r *Round) {
	if r.running.Add(-1) == sealed {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.endLocked(r)
	}
}

// endLocked notes that a sealed round is over. It may be called again, after Begin has found the round sealed.
func (t *Tracker) endLocked(r *Round) {
	r.over = true
	for len(t.sealed) > 0 && t.sealed[0].over {
		close(t.sealed[0].done)
		t.sealed[0] = nil
		t.sealed = t.sealed[1:]
	}
}

// Wait waits until everything has ended that had begun when it was called. Something that has begun must not
// call it before its own End.
func (t *Tracker) Wait() {
	if r := t.seal(); r != nil {
		<-r.done
	}
}

// seal begins a new round, and returns the one before. It returns nil if nothing is under way.
func (t *Tracker) seal() *Round {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.current.Load()
	if r == nil || len(t.sealed) == 0 && r.running.Load() == 0 {
		return nil
	}
	t.current.Store(newRound())
	t.sealed = append(t.sealed, r)
	if r.running.Add(sealed) == sealed {
		t.endLocked(r)
	}
	return r
}
