package stall_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/internal/stall"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var rules = &stall.Rules{Limit: 100, Timeout: time.Minute}

// owner counts what a backlog reports.
type owner struct {
	mu        sync.Mutex
	stuck     []int64
	abandoned int
}

func (o *owner) Stuck(waiting int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stuck = append(o.stuck, waiting)
}

func (o *owner) Abandon() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.abandoned++
}

func (o *owner) want(t *testing.T, stuck []int64, abandoned int) {
	t.Helper()
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	require.Equal(t, stuck, o.stuck)
	require.Equal(t, abandoned, o.abandoned)
}

func isClosed(room <-chan struct{}) bool {
	select {
	case <-room:
		return true
	default:
		return false
	}
}

// The server reads on when half of the limit is left, and not before.
func TestHoldUntilHalfIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b stall.Backlog
		var o owner
		require.EqualValues(t, 120, b.Add(120))
		room := b.Hold(rules, &o)
		require.NotNil(t, room)
		require.True(t, b.Watched())
		require.EqualValues(t, 51, b.Done(69))
		require.False(t, isClosed(room))
		require.EqualValues(t, 50, b.Done(1))
		require.True(t, isClosed(room))
		require.False(t, b.Watched())
		time.Sleep(2 * rules.Timeout) // the timer finds nothing to watch
		o.want(t, nil, 0)
	})
}

// What is done before Hold has begun to watch is not missed.
func TestHoldAfterAllIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b stall.Backlog
		var o owner
		b.Add(120)
		b.Done(70)
		require.Nil(t, b.Hold(rules, &o))
		require.False(t, b.Watched())
		time.Sleep(2 * rules.Timeout)
		o.want(t, nil, 0)
	})
}

// A backlog is stuck if nothing is done for the time allowed, and not if something is.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b stall.Backlog
		var o owner
		b.Add(200)
		room := b.Hold(rules, &o)
		time.Sleep(rules.Timeout - time.Second)
		b.Done(10)
		time.Sleep(rules.Timeout - time.Second)
		o.want(t, nil, 0)
		time.Sleep(time.Second)
		o.want(t, []int64{190}, 0)
		require.False(t, isClosed(room))
		require.False(t, b.Watched())
	})
}

// After Leave a backlog in which nothing is done is abandoned, once.
func TestAbandon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b stall.Backlog
		var o owner
		b.Add(200)
		room := b.Hold(rules, &o)
		time.Sleep(rules.Timeout / 2)
		b.Leave(rules, &o)
		time.Sleep(rules.Timeout - time.Second)
		o.want(t, nil, 0)
		time.Sleep(time.Second)
		o.want(t, nil, 1)
		require.False(t, isClosed(room), "nobody waits for it")
		b.Done(200)
		time.Sleep(2 * rules.Timeout)
		o.want(t, nil, 1)
	})
}

// After Leave the timer ends with the backlog: leakcheck and the bubble see that it does.
func TestLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o owner
		var none, all stall.Backlog
		none.Leave(rules, &o)
		require.False(t, none.Watched())
		all.Add(30)
		all.Leave(rules, &o)
		require.True(t, all.Watched())
		all.Done(10)
		require.True(t, all.Watched())
		all.Done(20)
		require.False(t, all.Watched())
		all.Leave(rules, &o) // with a watch, and nothing to watch
		require.False(t, all.Watched())
		time.Sleep(2 * rules.Timeout)
		o.want(t, nil, 0)
	})
}

// However Hold and Done meet, the server reads on when all is done.
func TestHoldWhileDone(t *testing.T) {
	for range 200 {
		var b stall.Backlog
		var o owner
		b.Add(200)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { b.Done(50) })
		}
		if room := b.Hold(rules, &o); room != nil {
			<-room
		}
		wg.Wait()
		require.False(t, b.Watched())
		b.Leave(rules, &o)
	}
}

func TestParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var held atomic.Bool
		var late atomic.Int32
		p := stall.NewParts(time.Minute, func() bool { return held.Load() }, func() { late.Add(1) })
		require.False(t, p.Watched())
		p.Came()
		require.True(t, p.Watched())
		time.Sleep(50 * time.Second)
		p.Came()
		time.Sleep(50 * time.Second)
		p.Complete()
		time.Sleep(2 * time.Minute)
		require.False(t, p.Watched())
		require.Zero(t, late.Load())

		p.Came() // the next packet: its second part does not come
		held.Store(true)
		time.Sleep(3 * time.Minute) // the server does not read, so none can come
		synctest.Wait()
		require.Zero(t, late.Load())
		held.Store(false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.EqualValues(t, 1, late.Load())

		q := stall.NewParts(time.Minute, func() bool { return false }, func() { late.Add(1) })
		q.Came()
		q.Stop()
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		require.EqualValues(t, 1, late.Load())
	})
}

// BenchmarkBacklog is what every event of a client costs.
func BenchmarkBacklog(b *testing.B) {
	var backlog stall.Backlog
	b.ReportAllocs()
	for b.Loop() {
		backlog.Add(300)
		backlog.Done(300)
	}
}
