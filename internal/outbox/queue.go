package outbox

import "slices"

// message waits to be published.
type message struct {
	channel   string
	data      []byte
	transient bool // it is of no use later: neither kept nor counted
	dropped   func(error)
}

// overhead is what a message counts besides its bytes.
const overhead = 64

func (m message) size() int { return len(m.data) + overhead }

// maxBatch and maxBatchSize bound what is published at once, unless one message
// is bigger: what comes next should not wait long, nor much be in doubt when the
// broker goes away.
const (
	maxBatch     = 256
	maxBatchSize = 256 << 10
)

// queue is the messages that wait, in order: those of front, then those of waiting. Many
// goroutines push, with a lock held; so whatever happens with that lock held takes little
// time, unless the broker is away.
type queue struct {
	front       []message // when it is empty, waiting takes its place
	waiting     []message
	spare       []message     // the memory in which front began, for waiting
	size        int           // in bytes, with overhead
	undelivered []func(error) // message.dropped of those that were dropped
}

func (q *queue) len() int { return len(q.front) + len(q.waiting) }

func (q *queue) push(m message) {
	q.waiting = append(q.waiting, m)
	q.size += m.size()
}

// putBack returns messages to the front, but for transient ones. It copies them.
func (q *queue) putBack(messages []message) {
	front := make([]message, 0, len(messages)+len(q.front))
	for _, m := range messages {
		if !m.transient {
			front = append(front, m)
			q.size += m.size()
		}
	}
	q.front = append(front, q.front...)
}

// maxSpare is how many messages the memory that is used again has room for.
const maxSpare = 4 << 10

// take removes what is published next: one message, or as many of the same
// channel as go into a batch. The caller may use and change the messages until the next
// call of take.
func (q *queue) take(batches bool) []message {
	if len(q.front) == 0 {
		q.front, q.waiting = q.waiting, q.spare[:0]
		q.spare = nil
		if cap(q.front) <= maxSpare {
			q.spare = q.front
		}
	}
	n, size := 1, q.front[0].size()
	for batches && n < min(len(q.front), maxBatch) && q.front[n].channel == q.front[0].channel {
		next := size + q.front[n].size()
		if next > maxBatchSize {
			break
		}
		size = next
		n++
	}
	messages := q.front[:n:n]
	q.front = q.front[n:]
	q.size -= size
	return messages
}

// trim drops messages until what is left counts at most keep bytes: transient
// ones, those that are too big on their own, then the oldest. It returns how many
// were dropped, but for transient ones.
func (q *queue) trim(keep int) (dropped uint64) {
	dropped += q.drop(func(m message) bool { return m.transient || m.size() > keep })
	dropped += q.drop(func(message) bool { return q.size > keep })
	return dropped
}

func (q *queue) drop(which func(message) bool) (dropped uint64) {
	if len(q.front) > 0 {
		q.front, q.waiting = nil, slices.Concat(q.front, q.waiting)
	}
	q.waiting = slices.DeleteFunc(q.waiting, func(m message) bool {
		if !which(m) {
			return false
		}
		q.size -= m.size()
		if !m.transient {
			dropped++
		}
		if m.dropped != nil {
			q.undelivered = append(q.undelivered, m.dropped)
		}
		return true
	})
	return dropped
}

// clear drops everything. It returns how many were dropped, but for transient ones.
func (q *queue) clear() (dropped uint64) {
	return q.drop(func(message) bool { return true })
}
