package outgoing

import "sync/atomic"

const (
	// uncounted is how much a connection may have queued that is not counted, in bytes.
	uncounted = 64 << 10
	// maxSlack bounds Budget.slack.
	maxSlack = 1 << 20
)

// Budget bounds the memory of what waits to be sent, over all connections of a
// server. A unit in several queues counts once.
//
// What the network takes at once is not counted, so that it costs nothing: a Queue
// begins to count when the network has not taken something (CountAll), or when more
// than 64 KiB that are not counted wait already.
type Budget struct {
	limit     int64 // 0: none
	slack     int64 // how much a Share counts by itself
	exceeded  func()
	used      atomic.Int64
	relieving atomic.Bool // exceeded was called, and Relieved not yet
	shares    []Share
}

// Share is a part of a budget: processors that count in different shares do not queue
// at one counter.
type Share struct {
	budget *Budget
	held   atomic.Int64 // what budget.used does not have yet
	_      [64]byte
}

// Init makes the budget ready, with a number of shares. A limit of 0 or less is none.
// exceeded is called, with locks of queues held, when what is counted passes the
// limit, once until Relieved is called.
func (b *Budget) Init(limit int64, shares int, exceeded func()) {
	b.exceeded = exceeded
	b.shares = make([]Share, shares)
	for i := range b.shares {
		b.shares[i].budget = b
	}
	if limit > 0 {
		b.limit, b.slack = limit, min(limit/int64(8*shares), maxSlack)
	}
}

// Share returns a share, by its number.
func (b *Budget) Share(n int) *Share { return &b.shares[n] }

// Used returns what is counted now, in bytes.
func (b *Budget) Used() int64 {
	used := b.used.Load()
	for i := range b.shares {
		used += b.shares[i].held.Load()
	}
	return used
}

// IsRelieved reports whether an eighth of the budget is free.
func (b *Budget) IsRelieved() bool { return b.Used() <= b.limit/8*7 }

// Relieved is called when what exceeded has begun is done.
func (b *Budget) Relieved() { b.relieving.Store(false) }

// add counts a unit that is queued.
func (s *Share) add(u *Unit) {
	b := s.budget
	if u.home.Load() == nil {
		u.home.CompareAndSwap(nil, b)
	}
	if u.home.Load() != b || u.queues.Add(1) == 1 {
		s.count(u.Cost())
	}
}

// remove counts units that are queued no more.
func (s *Share) remove(batch []*Unit) {
	for _, u := range batch {
		if u.home.Load() != s.budget || u.queues.Add(-1) == 0 {
			s.count(-u.Cost())
		}
	}
}

// count adds to what is used: to the share, until it is worth adding to the budget.
func (s *Share) count(n int64) {
	b := s.budget
	if held := s.held.Add(n); held > -b.slack && held < b.slack {
		return
	}
	if b.used.Add(s.held.Swap(0)) > b.limit && n > 0 && b.relieving.CompareAndSwap(false, true) {
		b.exceeded()
	}
}
