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

// queue is the messages that wait, in order.
type queue struct {
	waiting     []message
	size        int           // in bytes, with overhead
	undelivered []func(error) // message.dropped of those that were dropped
}

func (q *queue) push(m message) {
	q.waiting = append(q.waiting, m)
	q.size += m.size()
}

// putBack returns messages to the front, but for transient ones.
func (q *queue) putBack(messages []message) {
	messages = slices.DeleteFunc(messages, func(m message) bool { return m.transient })
	q.waiting = slices.Insert(q.waiting, 0, messages...)
	for _, m := range messages {
		q.size += m.size()
	}
}

// take removes what is to be published next: one message, or as many of the same
// channel as go into a batch.
func (q *queue) take(batches bool) []message {
	n, size := 1, q.waiting[0].size()
	for batches && n < min(len(q.waiting), maxBatch) && q.waiting[n].channel == q.waiting[0].channel {
		if size += q.waiting[n].size(); size > maxBatchSize {
			break
		}
		n++
	}
	messages := slices.Clone(q.waiting[:n])
	clear(q.waiting[:n]) // for the garbage collector
	q.waiting = q.waiting[n:]
	for _, m := range messages {
		q.size -= m.size()
	}
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
