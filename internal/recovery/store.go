package recovery

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/internal/budget"
)

// Options are those of a [Store]. It calls the functions while it holds no lock of its
// own. They must not wait for anything but short locks, nor call [Store.Close].
type Options[S any] struct {
	// Window is how long a session waits for its client.
	Window time.Duration
	// SessionLimit bounds the log of each session, in bytes. 0 is no limit.
	SessionLimit int64
	// Budget bounds all logs together and the sessions that wait, in bytes. A packet in
	// several logs counts once. 0 is no limit.
	Budget int64

	// Size returns [Log.Size] of a session.
	Size func(S) int64
	// Expired is called for a session whose window is over, after the store has
	// forgotten the session. There is one call at a time.
	Expired func(S)
	// OverBudget is called for one session after the other, those with the largest logs
	// first, when the budget is used up, until an eighth of it is free. It ends a session
	// that waits, and clears the log of another.
	OverBudget func(S)
}

// Store has the sessions that can be recovered. An S is what a session is to its user,
// and a P what a packet is. The methods may be called from any goroutine, with any lock
// held: the store takes its own last and never waits.
//
// The store has a goroutine while it calls Expired, and one while it calls OverBudget.
// Close waits for both.
type Store[S comparable, P any] struct {
	opts    Options[S]
	budget  budget.Budget
	shares  int
	added   atomic.Uint32 // spreads the sessions over the shares
	logs    logs[P]
	offsets Offsets
	calls   sync.WaitGroup // Expired and OverBudget

	mu       sync.Mutex // protects the following
	closed   bool
	sessions map[Key]*Session[S, P]
	// Those that wait, in the order in which their windows end.
	first, last *Session[S, P]
	waiting     int
	timer       *time.Timer // runs when the first window ends; nil: never needed
	expiring    bool        // Expired is being called: the timer is set afterwards
}

// NewStore returns a store without sessions.
func NewStore[S comparable, P any](o Options[S]) *Store[S, P] {
	st := &Store[S, P]{opts: o, shares: runtime.GOMAXPROCS(0), sessions: make(map[Key]*Session[S, P])}
	st.logs.limit = max(o.SessionLimit, 0)
	st.budget.Init(o.Budget, st.shares, st.exceeded)
	st.offsets.init()
	st.logs.offsets = &st.offsets
	return st
}

// NextOffset returns the offset of a new event. Offsets of all servers differ.
func (st *Store[S, P]) NextOffset() Offset { return st.offsets.Next() }

// Offsets returns what makes the offsets of new events.
func (st *Store[S, P]) Offsets() *Offsets { return &st.offsets }

// Add gives a session its private id and makes it known by that. From then on its log
// keeps what it is given. A session is added once.
func (st *Store[S, P]) Add(x *Session[S, P], self S) {
	x.pid = newPID()
	st.init(x, self, x.pid.Key())
	st.mu.Lock()
	defer st.mu.Unlock()
	st.sessions[x.key] = x
}

// Adopt is Add for a session that comes from another server. It has a key already, and its private
// id is what hashes to that. It cannot be claimed, and does not expire, before [Session.Arrive]. If
// ok is false, the store has a session with that key, or is closed.
func (st *Store[S, P]) Adopt(x *Session[S, P], self S, key Key) (ok bool) {
	st.init(x, self, key)
	st.mu.Lock()
	if st.closed || st.sessions[key] != nil {
		x.ended = true
		st.mu.Unlock()
		return false
	}
	st.sessions[key] = x
	x.arriving = true
	st.mu.Unlock()
	return true
}

// init makes a session one of the store's, which is not yet known by its key.
func (st *Store[S, P]) init(x *Session[S, P], self S, key Key) {
	x.store, x.self, x.key = st, self, key
	x.Log.logs, x.Log.share = &st.logs, st.budget.Share(int(st.added.Add(1))%st.shares)
}

// Claim finds the session whose private id a client has sent, and ends its wait. Claims
// of a session are numbered 1, 2, and so on: the newest one makes all before it stale,
// see [Session.Current]. ok is false if there is no such session (any more), and after
// Close. A session that expires is not claimed, and one that is claimed does not expire.
func (st *Store[S, P]) Claim(pid PID) (self S, claim uint64, ok bool) {
	return st.claim(pid.Key(), &pid)
}

// ClaimKey is Claim for another server, which says the key of a session.
func (st *Store[S, P]) ClaimKey(key Key) (self S, claim uint64, ok bool) { return st.claim(key, nil) }

func (st *Store[S, P]) claim(key Key, pid *PID) (self S, claim uint64, ok bool) {
	st.mu.Lock()
	x := st.sessions[key]
	if x == nil || x.arriving || st.closed {
		st.mu.Unlock()
		return self, 0, false
	}
	if pid != nil {
		x.pid = *pid
	}
	claim, waited := x.claimLocked()
	st.mu.Unlock()
	x.countWait(waited, -SessionOverhead)
	return x.self, claim, true
}

// Has reports whether there is a session with a key that can be claimed.
func (st *Store[S, P]) Has(key Key) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	x := st.sessions[key]
	return x != nil && !x.arriving && !st.closed
}

// ClaimWaiting claims a session that waits for its client, the one that has waited longest. ok is
// false if there is none, and after Close.
func (st *Store[S, P]) ClaimWaiting() (self S, claim uint64, ok bool) {
	st.mu.Lock()
	x := st.first
	if x == nil || st.closed {
		st.mu.Unlock()
		return self, 0, false
	}
	claim, _ = x.claimLocked()
	st.mu.Unlock()
	x.countWait(true, -SessionOverhead)
	return x.self, claim, true
}

// Waiting returns how many sessions wait for their clients.
func (st *Store[S, P]) Waiting() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.waiting
}

// Count counts bytes in the budget that are kept for sessions outside their logs, or takes them off if they are
// negative.
func (st *Store[S, P]) Count(bytes int64) { st.budget.Share(0).Count(bytes) }

// Used returns how many bytes count in the budget.
func (st *Store[S, P]) Used() int64 { return st.budget.Used() }

// Close ends the waiting: it forgets the sessions that wait for their clients and
// returns them, those that have waited longest first. It waits until the functions of
// Options have returned. From then on no session waits, is claimed or expires.
func (st *Store[S, P]) Close() (waited []S) {
	st.mu.Lock()
	st.closed = true
	if st.timer != nil {
		st.timer.Stop()
	}
	all := st.takeLocked(func(*Session[S, P]) bool { return true })
	st.mu.Unlock()
	for _, x := range all {
		x.countWait(true, -SessionOverhead)
		waited = append(waited, x.self)
	}
	st.calls.Wait()
	return waited
}

// takeLocked forgets the sessions that wait, from the first on while ends says so.
func (st *Store[S, P]) takeLocked(ends func(*Session[S, P]) bool) (all []*Session[S, P]) {
	for st.first != nil && ends(st.first) {
		x := st.first
		x.endLocked()
		all = append(all, x)
	}
	return all
}

// expire is called when the first window may have ended.
func (st *Store[S, P]) expire() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closed || st.expiring {
		return
	}
	now := time.Now()
	all := st.takeLocked(func(x *Session[S, P]) bool { return !x.due.After(now) })
	if len(all) > 0 {
		st.expiring = true
		st.calls.Add(1)
		st.mu.Unlock()
		for _, x := range all {
			x.countWait(true, -SessionOverhead)
			st.opts.Expired(x.self)
		}
		st.calls.Done()
		st.mu.Lock()
		st.expiring = false
	}
	if st.first != nil && !st.closed {
		st.timer.Reset(time.Until(st.first.due))
	}
}

// exceeded is called when the budget is used up, with any lock of the store's user held.
func (st *Store[S, P]) exceeded() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.closed {
		st.calls.Add(1)
		go st.evict()
	}
}

// evict has sessions ended, or their logs cleared, until an eighth of the budget is
// free. It is a goroutine of which there is one at most.
func (st *Store[S, P]) evict() {
	defer st.calls.Done()
	defer st.budget.Evicted()
	type ranked struct {
		x    *Session[S, P]
		size int64
		due  time.Time // zero: does not wait
	}
	var all []ranked
	st.mu.Lock()
	for _, x := range st.sessions {
		all = append(all, ranked{x: x, due: x.due})
	}
	st.mu.Unlock()
	for i := range all {
		all[i].size = st.opts.Size(all[i].x.self)
		if !all[i].due.IsZero() {
			all[i].size += SessionOverhead
		}
	}
	slices.SortFunc(all, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.size, a.size), a.due.Compare(b.due))
	})
	for _, r := range all {
		if r.size == 0 || st.budget.IsRelieved() || st.isClosed() {
			return
		}
		if r.x.alive() {
			st.opts.OverBudget(r.x.self)
		}
	}
}

func (st *Store[S, P]) isClosed() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.closed
}
