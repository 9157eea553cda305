// Package calls keeps track of the calls of a broker's methods that are under way, so that the
// broker's Close can end them and wait for them.
package calls

import (
	"context"
	"sync"

	"github.com/seed-d124fa34/socketio/broker"
)

// Group is the calls of one broker. All methods may be called from any goroutine.
type Group struct {
	explain func(error) error
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc

	mu sync.Mutex // orders Add before Wait
	wg sync.WaitGroup
}

// New returns a group. Do passes the errors of calls through explain.
func New(explain func(error) error) *Group {
	g := &Group{explain: explain}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// Context returns a context that ends with Close.
func (g *Group) Context() context.Context { return g.ctx }

// Do calls f with a context that ends when the group is closed or ctx ends. If that has happened
// already, it returns broker.ErrClosed or the error of ctx; so it does if that happens
// during the call and f returns an error.
func (g *Group) Do(ctx context.Context, f func(context.Context) error) error {
	call, leave, err := g.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	err = f(call)
	switch {
	case err == nil:
		return nil
	case g.ctx.Err() != nil:
		return broker.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return g.explain(err)
}

func (g *Group) enter(ctx context.Context) (context.Context, func(), error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ctx.Err() != nil {
		return nil, nil, broker.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	g.wg.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(g.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
		g.wg.Done()
	}, nil
}

// Close ends the calls and waits until they have returned. It reports whether this was the
// first call of Close.
func (g *Group) Close() (first bool) {
	g.mu.Lock()
	first = g.ctx.Err() == nil
	g.cancel()
	g.mu.Unlock()
	g.wg.Wait()
	return first
}
