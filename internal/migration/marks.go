package migration

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/recovery"
)

// retryPause is how long to wait before something is tried again that failed because of the broker.
const retryPause = 500 * time.Millisecond

// errBroker: a mark has not come back, or messages that came meanwhile are lost.
var errBroker = errors.New("the connection with the broker was lost meanwhile")

// marks says when what this server has published before has come back from the broker.
type marks struct {
	servers Servers
	self    string // the id of this server
}

// pass waits until that is so, and then has passed called by the goroutine that receives. It reports false if the
// context ends before, or the connection with the broker is lost.
func (k marks) pass(ctx context.Context, passed func()) (ok bool) {
	q := question{Do: doMark}
	var came atomic.Bool
	_, _ = k.servers.Ask(ctx, fleet.Question{Content: q.encode(), To: k.self, Passed: func() {
		passed()
		came.Store(true)
	}})
	return came.Load()
}

// settle waits until what this server had published before it took sessions has come back from the
// broker, and settles them then. If the connection with the broker is lost, it tries again as long as the Capture misses
// nothing. It ends the sessions if that is in vain. For what it returns see Arrivals.End.
func (k marks) settle(ctx context.Context, c *cluster.Capture, a Arrivals) []recovery.Key {
	for again := true; again; {
		var next atomic.Bool
		if k.pass(ctx, func() { next.Store(a.Settle()) }) {
			again = next.Load()
		} else {
			again = !c.Ended() && pause(ctx, retryPause)
		}
	}
	return a.End()
}

// pause waits. It reports false if the context ends meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// hold waits for a slot. It reports false if the context ends before.
func hold(ctx context.Context, slots chan struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}
