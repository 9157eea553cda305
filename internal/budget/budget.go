// Package budget bounds the memory that many holders take together. An item that several
// of them hold, such as a message in the queues of all its recipients, counts once. It
// knows neither connections nor messages.
package budget

import "sync/atomic"

// maxSlack bounds Budget.slack, in bytes.
const maxSlack = 1 << 20

// Budget is a number of bytes, and how many of them are in use.
type Budget struct {
	id       uint64 // unique in this process; never 0
	limit    int64  // 0: none
	slack    int64  // how much a Share counts by itself
	exceeded func()
	used     atomic.Int64
	evicting atomic.Bool // exceeded was called, and Evicted not yet
	shares   []Share
}

// lastID is the id of the budget that was made last.
var lastID atomic.Uint32

// Share is a part of a budget. It lets processors count in different places, so that they
// do not queue at one counter. Its methods may be called from any goroutine.
type Share struct {
	budget *Budget
	held   atomic.Int64 // bytes that budget.used does not include yet
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
// Add and Count call exceeded when the bytes in use pass the limit, with the locks that
// their caller holds, and not again until Evicted is called.
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

// Evicted says that the work that exceeded began is done.
func (b *Budget) Evicted() { b.evicting.Store(false) }

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

// Hold notes that an item has one more holder. It reports whether the caller must count
// the bytes of the item for this holder, now or later.
func (s *Share) Hold(i *Item) (count bool) {
	return !s.counts(i) || uint32(i.state.Add(1)) == 1
}

// Release notes that an item has one holder less. It reports whether the caller must
// take the bytes of the item off.
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

// Count counts n bytes of one holder alone, or takes them off if n is negative. The share
// keeps them until they are enough to be worth a change of the budget.
func (s *Share) Count(n int64) {
	b := s.budget
	if held := s.held.Add(n); held > -b.slack && held < b.slack {
		return
	}
	if b.used.Add(s.held.Swap(0)) > b.limit && n > 0 && b.limit > 0 && b.evicting.CompareAndSwap(false, true) {
		b.exceeded()
	}
}
