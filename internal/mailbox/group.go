package mailbox

import (
	"context"
	"sync"
	"sync/atomic"
)

// group counts what is alive. Unlike a sync.WaitGroup it may grow during a wait, and a
// wait ends with a context.
type group struct {
	n    atomic.Int64
	mu   sync.Mutex    // taken by waits, and by the last call of done
	zero chan struct{} // closed when n is 0; nil without a wait
}

func (g *group) add() { g.n.Add(1) }

// done reports whether that was the last.
func (g *group) done() (last bool) {
	if g.n.Add(-1) > 0 {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.zero != nil && g.empty() { // otherwise n has grown meanwhile, and a later call finds it empty
		close(g.zero)
		g.zero = nil
	}
	return true
}

func (g *group) empty() bool { return g.n.Load() == 0 }

func (g *group) wait(ctx context.Context) error {
	g.mu.Lock()
	if g.empty() {
		g.mu.Unlock()
		return nil
	}
	if g.zero == nil {
		g.zero = make(chan struct{})
	}
	zero := g.zero
	g.mu.Unlock()
	select {
	case <-zero:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
