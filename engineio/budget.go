package engineio

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// relieveWait is how long relieve waits for a connection it has cut.
const relieveWait = time.Second

// overBudget starts relieve. The budget calls it when what waits for all clients
// exceeds Options.Limits.SendBudget.
func (s *Server) overBudget() {
	s.wg.Add(1) // the count is not zero: the caller has a connection
	go s.relieve()
}

// relieve cuts the connections with the most queued bytes until an eighth of the
// budget is free. It runs on a goroutine of its own, of which there is one at most;
// Shutdown waits for it.
func (s *Server) relieve() {
	defer s.wg.Done()
	defer s.budget.Relieved()
	type backlog struct {
		c      *Conn
		queued int
	}
	var all []backlog
	for _, c := range s.all() {
		c.mu.Lock()
		if n := c.queue.Size(); n > 0 && !c.closed {
			all = append(all, backlog{c, n})
		}
		c.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b backlog) int { return cmp.Compare(b.queued, a.queued) })
	for _, b := range all {
		if s.budget.IsRelieved() {
			return
		}
		b.c.endSlow(limitSendBudget, fmt.Sprintf("%d bytes waited for this client, more than for others, while more than %d bytes waited for all clients together", b.queued, s.opts.Limits.SendBudget))
		b.c.awaitWriter(relieveWait)
	}
}

// endSlow cuts a client that does not take what is sent to it. option names the limit
// that it has reached.
func (c *Conn) endSlow(option, what string) {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if !closed {
		c.srv.stats.limits.add(option)
	}
	c.end(ReasonSlowClient, &limitError{option, what}, abort)
}

// awaitWriter waits until nobody writes to a connection that has been cut, for d at
// most. From then on the budget does not count what was being written.
func (c *Conn) awaitWriter(d time.Duration) {
	written := c.writingEnds()
	if written == nil {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-written:
	case <-t.C:
	}
}

// writingEnds returns a channel that is closed when the present write ends. It
// returns nil if nobody writes.
func (c *Conn) writingEnds() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.writing {
		return nil
	}
	if c.written == nil {
		c.written = make(chan struct{})
	}
	return c.written
}
