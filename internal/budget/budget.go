// Package budget bounds the memory that many holders take together. What several of
// them hold, such as a message in the queues of all its recipients, counts once. It
// knows neither connections nor messages.
package budget

import "sync/atomic"

// maxSlack bounds Budget.slack, in bytes.
const maxSlack = 1 << 20

// Budget is a number of bytes, and how many of them are in use.
type Budget struct {
	id        uint64 // no other budget of this process has it; never 0
	limit     int64  // 0: none
	slack     int64  // how much a Share counts by itself
	exceeded  func()
	used      atomic.Int64
	relieving atomic.Bool // exceeded was called, and Relieved not yet
	shares    []Share
}

// lastID is the id of the budget that was made last.
var lastID atomic.Uint32

// Share is a part of a budget: processors that count in different shares do not queue
// at one counter. Its methods may be called from any goroutine.
type Share struct {
	budget *Budget
	held   atomic.Int64 // what budget.used does not have yet
	_      [64]byte
}

// Item is what a budget counts once, whatever the number of its holders. Several
// budgets may count one item: the first one counts it once, the others for each holder.
// The zero Item is ready.
type Item struct {
	// state has the id of the budget that counts the item once in its upper half, and
	// how many hold the item in that budget in the lower one.
	state atomic.Uint64
}

// Init makes the budget ready, with a number of shares. A limit of 0 or less is none.
// exceeded is called, with whatever locks the caller of Add and Count holds, when
// what is counted passes the limit, and not again until Relieved is called.
func (b *Budget) Init(limit int64, shares int, exceeded func()) {
	b.id, b.exceeded = uint64(lastID.Add(1)), exceeded
	b.shares = make([]Share, shares)
	for i := range b.shares {
		b.shares[i].budget = b
	}
	b.limit, b.slack = max(limit, 0), maxSlack
	if limit > 0 {
		b.slack = min(limit/int64(8*shares), maxSlack)
	}
}

// Share returns a share, by its number.
func (b *Budget) Share(n int) *Share { return &b.shares[n] }

// Used returns how many bytes are counted now.
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

// Limited reports whether the budget has a limit. Without one nothing needs to be counted.
func (s *Share) Limited() bool { return s.budget.limit > 0 }

// Add notes that an item of a number of bytes has one more holder.
func (s *Share) Add(i *Item, bytes int64) {
	if s.Hold(i) {
		s.Count(bytes)
	}
}

// Remove notes that an item, which was added with as many bytes, has one holder less.
func (s *Share) Remove(i *Item, bytes int64) {
	if s.Release(i) {
		s.Count(-bytes)
	}
}

// Hold notes that an item has one more holder, and reports whether its bytes are to be
// counted for this holder: the caller does that, sooner or later.
func (s *Share) Hold(i *Item) (count bool) {
	return !s.counts(i) || uint32(i.state.Add(1)) == 1
}

// Release notes that an item, which was held, has one holder less. It reports whether
// the caller is to take its bytes off.
func (s *Share) Release(i *Item) (discount bool) {
	return i.state.Load()>>32 != s.budget.id || uint32(i.state.Add(^uint64(0))) == 0
}

// counts reports whether the budget counts an item once. The first one that asks does.
func (s *Share) counts(i *Item) bool {
	id := s.budget.id
	state := i.state.Load()
	if state == 0 {
		i.state.CompareAndSwap(0, id<<32)
		state = i.state.Load()
	}
	return state>>32 == id
}

// Count counts bytes of one holder alone, or no longer if n is negative. They are in
// the share until there are enough of them to be worth a change of the budget.
func (s *Share) Count(n int64) {
	b := s.budget
	if held := s.held.Add(n); held > -b.slack && held < b.slack {
		return
	}
	if b.used.Add(s.held.Swap(0)) > b.limit && n > 0 && b.limit > 0 && b.relieving.CompareAndSwap(false, true) {
		b.exceeded()
	}
}
