package standby

import (
	"cmp"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/recovery"
)

// Place is a place in the order of a server: after it had received a number of messages, and
// emitted the event with a number.
type Place struct {
	Received uint64 `json:"r"`
	Own      uint64 `json:"o"`
}

// Compare orders places.
func (p Place) Compare(other Place) int {
	return cmp.Or(cmp.Compare(p.Received, other.Received), cmp.Compare(p.Own, other.Own))
}

// Mark is a place, and the position in the history of the message that the server had received last.
type Mark struct {
	Place
	At broker.Position `json:"at"`

	step uint64
}

// Step counts what happens in a Sequence. It is zero for what has not happened in it.
func (m Mark) Step() uint64 { return m.step }

const (
	markEvery = 2 * time.Second // between marks that a Sequence remembers
	maxMarks  = 256
)

// Sequence is the order in which a server emits and receives events. The server holds it locked
// while it gives an event its id, sends it to its clients and hands it to the outbox, and while it
// sends a received one to its clients. So all its clients get events in this order, and the history
// has the server's own events in it. Joins and leaves are steps in it, too.
//
// A nil Sequence can be locked, which has no effect.
type Sequence struct {
	offsets *recovery.Offsets

	mu      sync.Mutex
	now     Mark
	started bool            // now.At is known
	coming  broker.Position // of the message that is being received and not yet counted
	marks   []Mark          // earlier ones, oldest first
	marked  time.Time
}

// NewSequence returns a Sequence whose ids are offsets.
func NewSequence(offsets *recovery.Offsets) *Sequence { return &Sequence{offsets: offsets} }

// Lock locks the sequence. No code of the application runs until Unlock.
func (q *Sequence) Lock() {
	if q != nil {
		q.mu.Lock()
	}
}

// Unlock ends Lock.
func (q *Sequence) Unlock() {
	if q != nil {
		q.mu.Unlock()
	}
}

// Next returns the id of a new event. The sequence is locked.
func (q *Sequence) Next() (id recovery.Offset) {
	id, q.now.Own = q.offsets.NextAfter(q.now.Received)
	q.now.step++
	return id
}

// Now returns the present place. The sequence is locked.
func (q *Sequence) Now() Mark { return q.now }

// Started reports whether there is a position. The sequence is locked.
func (q *Sequence) Started() bool { return q.started }

// Before returns the latest mark known before a step, if there is one. The sequence is locked.
func (q *Sequence) Before(step uint64) (m Mark, ok bool) {
	for i := len(q.marks) - 1; i >= 0; i-- {
		if q.marks[i].step < step {
			return q.marks[i], true
		}
	}
	return m, false
}

// Begin notes that a message is being received. The goroutine that receives calls it, and End.
func (q *Sequence) Begin(at broker.Position) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.coming = at
}

// End notes that the message has been received.
func (q *Sequence) End() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.Count()
}

// Count counts the message that is being received, once: what is emitted from now on comes after it.
// The sequence is locked.
func (q *Sequence) Count() {
	if q.coming == "" {
		return
	}
	if t := time.Now(); q.started && t.Sub(q.marked) >= markEvery {
		q.marked = t
		if len(q.marks) == maxMarks {
			q.marks = append(q.marks[:0], q.marks[1:]...)
		}
		q.marks = append(q.marks, q.now)
	}
	q.now.Received++
	q.now.step++
	q.now.At, q.coming = q.coming, ""
}

// Ready notes where the subscription is, before the next message.
func (q *Sequence) Ready(at broker.Position) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.now.At, q.started = at, true
}
