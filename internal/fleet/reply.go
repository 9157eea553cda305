package fleet

import (
	"slices"
	"time"
)

const (
	maxOrders    = 1000 // that are remembered, of all servers together
	maxTransfers = 1000 // answers being sent at once
	maxPending   = 10_000

	nameOverhead = 16 // bytes that a name counts besides its own
)

// size returns what names count in maxBytes.
func size(names []string) (n int) {
	for _, name := range names {
		n += len(name) + nameOverhead
	}
	return n
}

// Busy is Answer.Err of a server that has not taken the question: it can be asked again.
const Busy = "too many long answers are being sent: ask again later"

// Answers to questions that are not taken now.
var (
	errBusy      = Answer{Err: Busy}
	errAskedOnce = Answer{Err: "the question was asked twice"}
)

// replies is what is kept of the answers to questions of other servers. Fleet.mu guards it.
type replies struct {
	orders    []doneOrder       // the latest, so that none is carried out twice
	pending   map[replyKey]bool // questions that are being answered; true: urgent ones
	urgent    int               // how many of them are
	transfers map[replyKey]*transfer
	partSize  int    // the constant, except in tests
	bytes     int    // of the names in transfers
	attempts  uint64 // how many answers have been made
}

// replyKey names a question of another server.
type replyKey struct {
	host string
	id   uint64
}

type doneOrder struct {
	replyKey
	answer Answer
}

// transfer is an answer of several parts. from and to are the bounds of the part that was sent last.
type transfer struct {
	answer   Answer
	attempt  uint64
	partSize int
	part     int
	from, to int
	used     time.Time
}

// newTransfer begins to send an answer.
func (r *replies) newTransfer(a Answer) *transfer {
	r.attempts++
	t := &transfer{answer: a, attempt: r.attempts, partSize: r.partSize, used: time.Now()}
	t.cut()
	return t
}

// cut sets the end of the current part.
func (t *transfer) cut() {
	names, size := t.answer.Names, 0
	for t.to = t.from; t.to < len(names) && size < t.partSize; t.to++ {
		size += len(names[t.to]) + len(`"",`)
	}
}

func (t *transfer) atLast() bool { return t.to == len(t.answer.Names) }

// advance goes on to the part after the current one.
func (t *transfer) advance() {
	t.part, t.from = t.part+1, t.to
	t.cut()
}

// message returns the current part.
func (t *transfer) message(key replyKey) *message {
	m := &message{
		Kind: kindAnswer, ID: key.id, To: []string{key.host}, Attempt: t.attempt, Part: t.part,
		Names: t.answer.Names[t.from:t.to],
	}
	if t.atLast() {
		m.Last, m.Count, m.Found, m.Error = true, t.answer.Count, t.answer.Found, t.answer.Err
	}
	return m
}

// reply answers another server's question, with the first part, or with the one that is asked for again.
func (f *Fleet) reply(m *message) {
	key := replyKey{m.Host, m.ID}
	f.mu.Lock()
	next := f.replies.again(key, m)
	answer, done := f.replies.done(key)
	_, pending := f.replies.pending[key]
	ask := next == nil && !done && !pending
	switch {
	case next == nil && done:
		next = f.replies.begin(key, answer)
	case ask && len(f.replies.pending) >= maxPending:
		next, ask = f.replies.begin(key, errBusy), false
	case ask:
		f.replies.expect(key, m.Urgent)
	}
	f.mu.Unlock()
	if ask {
		f.opts.Answer(m.Host, m.Question, func(a Answer) { f.answered(key, m, a) })
		if m.Urgent && f.isUrgent() { // the answer takes its time
			f.announceSoon()
		}
	} else if next != nil {
		_ = f.publish(next) // otherwise it will be asked for again
	}
}

// answered takes the answer to a question, and sends its first part.
func (f *Fleet) answered(key replyKey, m *message, a Answer) {
	f.mu.Lock()
	if _, pending := f.replies.pending[key]; !pending || f.closed { // the server that asked has left
		f.mu.Unlock()
		return
	}
	f.replies.settle(key)
	switch {
	case m.Once:
		f.replies.remember(key, errAskedOnce) // its answer may be long, and it is not asked again
	case m.Order:
		f.replies.remember(key, a)
	}
	first := f.replies.begin(key, a)
	f.mu.Unlock()
	_ = f.publish(first) // otherwise it will be asked for again
}

// isUrgent reports whether an urgent question is being answered.
func (f *Fleet) isUrgent() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.replies.urgent > 0
}

// replyNext sends the part of an answer that another server requests. A request that does not fit
// is ignored: the question will be asked again.
func (f *Fleet) replyNext(m *message) {
	f.mu.Lock()
	next := f.replies.again(replyKey{m.Host, m.ID}, m)
	f.mu.Unlock()
	if next != nil {
		_ = f.publish(next)
	}
}

// expect notes that a question is being answered.
func (r *replies) expect(key replyKey, urgent bool) {
	r.pending[key] = urgent
	if urgent {
		r.urgent++
	}
}

// settle notes that it is not, any more.
func (r *replies) settle(key replyKey) {
	if r.pending[key] {
		r.urgent--
	}
	delete(r.pending, key)
}

// again returns the part that is requested of an answer that is being sent: the one that was sent
// last or the one after it. If there is no such part, it returns nil and the answer is no longer
// kept.
func (r *replies) again(key replyKey, m *message) *message {
	t := r.transfers[key]
	if t == nil {
		return nil
	}
	if m.Attempt == t.attempt && m.Part == t.part+1 && !t.atLast() {
		t.advance()
	}
	if m.Part != t.part || m.Attempt != t.attempt && m.Part > 0 { // Part 0 without an attempt: nothing has arrived
		r.drop(key)
		return nil
	}
	t.used = time.Now()
	return t.message(key)
}

// begin returns the first part of a new answer.
func (r *replies) begin(key replyKey, a Answer) *message {
	t := r.newTransfer(a)
	if t.atLast() {
		return t.message(key)
	}
	if len(r.transfers) >= maxTransfers || r.bytes+size(a.Names) > maxBytes {
		return r.newTransfer(errBusy).message(key)
	}
	r.transfers[key] = t
	r.bytes += size(a.Names)
	return t.message(key)
}

func (r *replies) drop(key replyKey) {
	if t := r.transfers[key]; t != nil {
		r.bytes -= size(t.answer.Names)
		delete(r.transfers, key)
	}
}

// dropOf drops the answers for a server, and those that are still to come.
func (r *replies) dropOf(host string) {
	for key := range r.pending {
		if key.host == host {
			r.settle(key)
		}
	}
	for key := range r.transfers {
		if key.host == host {
			r.drop(key)
		}
	}
}

// dropIdle drops the answers whose rest is not requested.
func (r *replies) dropIdle() {
	for key, t := range r.transfers {
		if time.Since(t.used) > idleFor {
			r.drop(key)
		}
	}
}

// done returns the answer to an order that has been carried out.
func (r *replies) done(key replyKey) (a Answer, ok bool) {
	for i := range r.orders {
		if r.orders[i].replyKey == key {
			return r.orders[i].answer, true
		}
	}
	return a, false
}

func (r *replies) remember(key replyKey, a Answer) {
	if len(r.orders) == maxOrders {
		r.orders = slices.Delete(r.orders, 0, maxOrders/2)
	}
	r.orders = append(r.orders, doneOrder{key, a})
}
