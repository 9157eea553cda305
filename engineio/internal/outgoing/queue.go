package outgoing

import "github.com/seed-d124fa34/socketio/internal/budget"

// uncounted is how many bytes may wait in a queue without being counted in the budget.
const uncounted = 64 << 10

// Queue has the units that wait to be sent to one client. Its user holds the same lock
// during all calls of its methods.
//
// One writer at a time takes units from the queue. It calls Take, and then Wrote when it has
// written them, or cannot.
//
// Bytes that the network takes at once are not counted in the budget, because counting
// costs time. A queue begins to count when the network has not taken everything (CountAll),
// or when more than 64 KiB that are not counted wait already.
type Queue struct {
	share *budget.Share

	units []*Unit
	spare []*Unit // the other slice of units, reused
	size  int     // bytes in units and in the write under way
	out   uint64  // bytes that have been handed to the network, or dropped at the end
	waits *Wait   // the first of those that wait, linked

	// counted: units counts in the budget. writeCounted: the write under way does, too.
	counted, writeCounted bool
}

// Wait is a wait until everything that was queued before it has been written.
type Wait struct {
	// Done is closed when everything has been written, or when the queue is closed.
	Done chan struct{}
	out  uint64 // the value of Queue.out that ends the wait
	next *Wait
}

// Init makes the queue ready. Units count in the budget from the start, until CountNoMore is
// called.
func (q *Queue) Init(share *budget.Share) { q.share, q.counted = share, share.Limited() }

// Empty reports whether nothing waits for a writer.
func (q *Queue) Empty() bool { return len(q.units) == 0 }

// Size returns how many bytes wait, including those of the write under way.
func (q *Queue) Size() int { return q.size }

// Fits reports whether u and what waits already are at most limit. A unit of any size
// fits if nothing waits.
func (q *Queue) Fits(u *Unit, limit int) bool {
	return q.size == 0 || q.size+u.Size()+overhead*len(q.units) <= limit
}

// Push queues a unit.
func (q *Queue) Push(u *Unit) {
	q.units = append(q.units, u)
	q.size += u.Size()
	switch {
	case q.counted:
		q.count(u)
	case q.size > uncounted:
		q.Count()
	}
}

// Take hands about limit bytes from the queue to a writer, one unit at least unless
// the queue is empty. The writer calls Wrote with the same values.
func (q *Queue) Take(limit int) (batch []*Unit, size int) {
	q.writeCounted = q.counted
	if q.size <= limit || len(q.units) == 1 {
		batch, size = q.units, q.size
		q.units, q.spare = q.spare[:0], nil
		return batch, size
	}
	n := 0
	for n < len(q.units) && (n == 0 || size+q.units[n].Size() <= limit) {
		size += q.units[n].Size()
		n++
	}
	batch = append(q.spare[:0], q.units[:n]...)
	q.spare = nil
	clear(q.units[:n])
	q.units = q.units[n:]
	return batch, size
}

// Wrote is called when a batch has been written, or cannot be.
func (q *Queue) Wrote(batch []*Unit, size int) {
	if q.writeCounted {
		q.discount(batch)
		q.writeCounted = false
	}
	q.removed(size)
	if cap(batch) > 16 { // after a burst, give the memory back
		return
	}
	clear(batch)
	q.spare = batch[:0]
}

// Reuse gives back an empty batch.
func (q *Queue) Reuse(batch []*Unit) { q.spare = batch }

// Drop drops all units that no writer has taken.
func (q *Queue) Drop() {
	size := 0
	for _, u := range q.units {
		size += u.Size()
	}
	if q.counted {
		q.discount(q.units)
	}
	q.units, q.spare = nil, nil
	q.removed(size)
}

// removed notes that bytes have left the queue.
func (q *Queue) removed(size int) {
	q.size -= size
	q.out += uint64(size)
	for p := &q.waits; *p != nil; {
		if w := *p; q.out >= w.out {
			close(w.Done)
			*p = w.next
		} else {
			p = &w.next
		}
	}
}

// Wait returns a Wait for everything that is queued now. The caller must call EndWait.
func (q *Queue) Wait() *Wait {
	q.waits = &Wait{Done: make(chan struct{}), out: q.out + uint64(q.size), next: q.waits}
	return q.waits
}

// EndWait ends a Wait, and reports whether everything has been written.
func (q *Queue) EndWait(w *Wait) (written bool) {
	for p := &q.waits; *p != nil; p = &(*p).next {
		if *p == w {
			*p = w.next
			break
		}
	}
	return q.out >= w.out
}

// EndWaits ends all Waits.
func (q *Queue) EndWaits() {
	for w := q.waits; w != nil; w = w.next {
		close(w.Done)
	}
	q.waits = nil
}

func (q *Queue) count(u *Unit) {
	if u.several == nil {
		q.share.Add(&u.counted, u.Cost())
		return
	}
	q.share.AddGrowing(&u.counted, u.Cost(), &u.several.forms)
}

func (q *Queue) discount(batch []*Unit) {
	for _, u := range batch {
		if u.several == nil {
			q.share.Remove(&u.counted, u.Cost())
			continue
		}
		q.share.RemoveGrowing(&u.counted, u.Cost(), &u.several.forms)
	}
}

// Count makes units that are queued from now on count in the budget.
func (q *Queue) Count() {
	if q.counted || !q.share.Limited() {
		return
	}
	q.counted = true
	for _, u := range q.units {
		q.count(u)
	}
}

// CountAll makes everything that waits for the network count in the budget: the batch that
// the network has not taken at once, and the units behind it.
func (q *Queue) CountAll(batch []*Unit) {
	if !q.share.Limited() {
		return
	}
	q.Count()
	if !q.writeCounted {
		q.writeCounted = true
		for _, u := range batch {
			q.count(u)
		}
	}
}

// CountNoMore ends the counting of an empty queue until units have to wait again.
func (q *Queue) CountNoMore() { q.counted = false }
