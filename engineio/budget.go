package engineio

import (
	"cmp"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// budget bounds the memory of what waits to be sent, over all connections of a
// server (Options.Limits.SendBudget). A message in several queues counts once.
//
// What the network takes at once is not counted, so that it costs nothing: a
// connection begins to count what is queued (Conn.charging) when the
// network has not taken something, or when uncharged bytes wait already.
// The queues of polling clients are always counted.
type budget struct {
	limit     int64 // 0: none
	slack     int64 // how much a flusher counts by itself
	used      atomic.Int64
	relieving atomic.Bool // relieve runs
}

const (
	// uncharged is how much a connection may have queued that is not counted.
	uncharged = 64 << 10
	// maxSlack bounds budget.slack.
	maxSlack = 1 << 20
	// relieveWait is how long relieve waits for a connection it has cut.
	relieveWait = time.Second
)

func (b *budget) init(limit int64, flushers int) {
	if limit > 0 {
		b.limit, b.slack = limit, min(limit/int64(8*flushers), maxSlack)
	}
}

// charge counts a message that is queued.
func (c *Conn) charge(f *Frames) {
	s := c.srv
	if f.home.Load() == nil {
		f.home.CompareAndSwap(nil, s)
	}
	if f.home.Load() != s || f.queues.Add(1) == 1 {
		c.flusher.charge(f.cost())
	}
}

// discharge counts messages that are queued no more.
func (c *Conn) discharge(batch []*Frames) {
	for _, f := range batch {
		if f.home.Load() != c.srv || f.queues.Add(-1) == 0 {
			c.flusher.charge(-f.cost())
		}
	}
}

// charge adds to what is used: to the flusher's part of it, so that processors do
// not queue at one counter, until it is worth telling.
func (f *flusher) charge(n int64) {
	b := &f.srv.budget
	if part := f.charged.Add(n); part > -b.slack && part < b.slack {
		return
	}
	if b.used.Add(f.charged.Swap(0)) > b.limit && n > 0 && b.relieving.CompareAndSwap(false, true) {
		f.srv.wg.Add(1) // there is a connection, the caller's
		go f.srv.relieve()
	}
}

// used is what is counted now.
func (s *Server) budgetUsed() int64 {
	used := s.budget.used.Load()
	for i := range s.flushers {
		used += s.flushers[i].charged.Load()
	}
	return used
}

// chargePushedLocked counts a message that has been queued.
func (c *Conn) chargePushedLocked(f *Frames) {
	switch {
	case c.charging:
		c.charge(f)
	case c.queued > uncharged:
		c.chargeQueueLocked()
	}
}

func (c *Conn) chargeQueueLocked() {
	if c.charging || c.srv.budget.limit == 0 {
		return
	}
	c.charging = true
	for _, f := range c.queue {
		c.charge(f)
	}
}

// chargeWaitingLocked counts what waits for the network: the batch that it has
// not taken at once, and what is behind it.
func (c *Conn) chargeWaitingLocked(batch []*Frames) {
	if c.srv.budget.limit == 0 {
		return
	}
	c.chargeQueueLocked()
	if !c.taken {
		c.taken = true
		for _, f := range batch {
			c.charge(f)
		}
	}
}

// relieve cuts the connections with the most queued bytes until an eighth of the
// budget is free. It is a goroutine, one at most, which Shutdown waits for.
func (s *Server) relieve() {
	defer s.wg.Done()
	defer s.budget.relieving.Store(false)
	type backlog struct {
		c      *Conn
		queued int
	}
	var all []backlog
	for _, c := range s.all() {
		c.mu.Lock()
		if c.queued > 0 && !c.closed {
			all = append(all, backlog{c, c.queued})
		}
		c.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b backlog) int { return cmp.Compare(b.queued, a.queued) })
	for _, b := range all {
		if s.budgetUsed() <= s.budget.limit/8*7 {
			return
		}
		b.c.endSlow(limitSendBudget, fmt.Sprintf("%d bytes wait for this client, more than for others, while all that waits is more than %d bytes", b.queued, s.budget.limit))
		b.c.awaitWriter(relieveWait)
	}
}

// endSlow cuts a client that does not take what is sent to it.
func (c *Conn) endSlow(option, what string) {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if !closed {
		c.srv.stats.limits.add(option)
	}
	c.end(ReasonSlowClient, &limitError{option, what}, abort)
}

// awaitWriter waits until nobody writes to a connection that has been cut, so
// that what it was being sent is counted no more.
func (c *Conn) awaitWriter(d time.Duration) {
	c.mu.Lock()
	if !c.writing {
		c.mu.Unlock()
		return
	}
	if c.written == nil {
		c.written = make(chan struct{})
	}
	written := c.written
	c.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-written:
	case <-t.C:
	}
}
