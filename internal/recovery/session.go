package recovery

import "time"

// SessionOverhead is what a session that waits for its client counts in the budget
// besides its log, in bytes: about what the socket of a browser in two rooms was
// measured to take with its request, and this session.
const SessionOverhead = 6 << 10

// Session is what a [Store] knows of one session. Its user embeds it, or points to it,
// and calls [Store.Add] before anything else. Its methods, those of Log aside, may be
// called from any goroutine, with any lock held.
type Session[S comparable, P any] struct {
	// Log is what the session keeps, guarded by a lock of the session's user.
	Log Log[P]

	store *Store[S, P]
	self  S
	key   Key

	// Store.mu protects the following.
	pid        PID // zero: not known, see Adopt
	claims     uint64
	ended      bool
	arriving   bool           // it was adopted, and Arrive has not been called
	due        time.Time      // when the window ends; zero: the session does not wait
	prev, next *Session[S, P] // those that wait
}

// PID returns the private id of the session. It is zero for one that was adopted, until
// its client has said it.
func (x *Session[S, P]) PID() PID {
	x.store.mu.Lock()
	defer x.store.mu.Unlock()
	return x.pid
}

// Key returns what the session is found by.
func (x *Session[S, P]) Key() Key { return x.key }

// Wait begins the wait for the client, who has come with a claim, 0 when the session
// was added, and whose connection has ended. started is false if there is nothing to wait
// for: the client has come again by a newer claim, the session has ended, or the store
// is closed. Until the wait ends, the session counts [SessionOverhead] in the budget.
func (x *Session[S, P]) Wait(claim uint64) (started bool) {
	st := x.store
	st.mu.Lock()
	if st.closed || x.ended || x.claims != claim {
		st.mu.Unlock()
		return false
	}
	begun := x.linkLocked()
	st.mu.Unlock()
	x.countWait(begun, SessionOverhead)
	return true
}

// Arrive makes an adopted session wait for its client, see Wait. It reports false if the session is to
// be ended: the store is closed.
func (x *Session[S, P]) Arrive() (ok bool) {
	x.store.mu.Lock()
	x.arriving = false
	x.store.mu.Unlock()
	return x.Wait(0) || !x.Current(0)
}

// Claim claims this session, see [Store.Claim]. It does not claim another one that has its key: the session may have
// gone to another server and come back since.
func (x *Session[S, P]) Claim() (claim uint64, ok bool) {
	st := x.store
	st.mu.Lock()
	if x.ended || x.arriving || st.closed {
		st.mu.Unlock()
		return 0, false
	}
	claim, waited := x.claimLocked()
	st.mu.Unlock()
	x.countWait(waited, -SessionOverhead)
	return claim, true
}

// claimLocked begins a new claim, and ends the wait.
func (x *Session[S, P]) claimLocked() (claim uint64, waited bool) {
	x.claims++
	return x.claims, x.unlinkLocked()
}

// Current reports whether a claim is the newest one of a session that has not ended.
func (x *Session[S, P]) Current(claim uint64) bool {
	x.store.mu.Lock()
	defer x.store.mu.Unlock()
	return !x.ended && x.claims == claim
}

// End has the store forget the session. It reports whether the store knew it: false
// after another End, when the session has expired, and for those that Close returned.
func (x *Session[S, P]) End() (ended bool) {
	st := x.store
	if st == nil {
		return false // not added
	}
	st.mu.Lock()
	waited, ended := !x.due.IsZero(), !x.ended
	x.endLocked()
	st.mu.Unlock()
	x.countWait(waited, -SessionOverhead)
	return ended
}

func (x *Session[S, P]) alive() bool {
	x.store.mu.Lock()
	defer x.store.mu.Unlock()
	return !x.ended
}

func (x *Session[S, P]) endLocked() {
	x.unlinkLocked()
	x.ended = true
	if st := x.store; st.sessions[x.key] == x { // it may have come back from another server, as another Session
		delete(st.sessions, x.key)
	}
}

// linkLocked puts the session behind those that wait, unless it waits already.
func (x *Session[S, P]) linkLocked() (linked bool) {
	if !x.due.IsZero() {
		return false
	}
	st := x.store
	x.due = time.Now().Add(st.opts.Window)
	x.prev = st.last
	if st.last != nil {
		st.last.next = x
	} else {
		st.first = x
		st.setTimerLocked()
	}
	st.last = x
	st.waiting++
	return true
}

// setTimerLocked sets the timer for the only session that waits.
func (st *Store[S, P]) setTimerLocked() {
	switch {
	case st.timer == nil:
		st.timer = time.AfterFunc(st.opts.Window, st.expire)
	case !st.expiring:
		st.timer.Reset(st.opts.Window)
	}
}

// unlinkLocked takes the session from those that wait, if it is one of them.
func (x *Session[S, P]) unlinkLocked() (unlinked bool) {
	if x.due.IsZero() {
		return false
	}
	st := x.store
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		st.first = x.next
	}
	if x.next != nil {
		x.next.prev = x.prev
	} else {
		st.last = x.prev
	}
	x.prev, x.next, x.due = nil, nil, time.Time{}
	st.waiting--
	return true
}

// countWait counts what a session that waits takes, or takes it off, if that has changed.
func (x *Session[S, P]) countWait(changed bool, bytes int64) {
	if changed {
		x.Log.share.Count(bytes)
	}
}
