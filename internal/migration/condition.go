package migration

import (
	"context"
	"sync"
)

// condition is a sync.Cond whose waits end with a context. Its mutex guards it.
type condition struct {
	changed chan struct{} // closed by broadcastLocked; nil: nobody waits
}

// broadcastLocked wakes all who wait, because what they wait for may hold now.
func (c *condition) broadcastLocked() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// await waits until holds returns true, and reports false if the context ends before. holds is called with mu locked, so
// it may take what it waited for.
func (c *condition) await(ctx context.Context, mu *sync.Mutex, holds func() bool) bool {
	for {
		mu.Lock()
		if holds() {
			mu.Unlock()
			return true
		}
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
