package acks

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func set(clients ...int) map[int]struct{} {
	all := make(map[int]struct{})
	for _, c := range clients {
		all[c] = struct{}{}
	}
	return all
}

// stopper is a Stopper that calls itself.
type stopper func()

func (s stopper) Stop() bool {
	s()
	return true
}

// The end of the wait is reported once, when it is armed and the last client has been removed.
func TestTheLastClientEndsTheWait(t *testing.T) {
	var w Waiting[int]
	ends := 0
	arm := func() { w.Arm(func() Stopper { return stopper(func() { ends++ }) }) }
	w.Add(1)
	require.True(t, w.Remove(1))
	require.False(t, w.Remove(1), "a second time")
	arm()
	require.Zero(t, ends, "nobody was waited for")

	w.Add(1)
	w.Add(2)
	arm()
	require.Equal(t, set(1, 2), w.All())
	require.True(t, w.Remove(1))
	require.False(t, w.Remove(3), "it was never asked")
	require.Zero(t, ends)
	require.True(t, w.Remove(2))
	require.Equal(t, 1, ends)
	require.False(t, w.Remove(2))
	require.Equal(t, 1, ends)
}

func TestTakeEndsTheWaitForAll(t *testing.T) {
	var w Waiting[int]
	w.Add(1)
	w.Add(2)
	w.Arm(func() Stopper { return stopper(func() { t.Error("the last client was not removed") }) })
	require.True(t, w.Remove(2))
	require.Equal(t, set(1), w.Take())
	require.False(t, w.Remove(1))
	require.Empty(t, w.Take())
}

// An event without a deadline has no set.
func TestNilWaiting(t *testing.T) {
	var w *Waiting[int]
	w.Add(1)
	w.Arm(func() Stopper { panic("armed") })
	require.False(t, w.Remove(1))
}

// Whatever the order in which clients answer and the time runs out, each is taken by one of them, and
// the wait ends once.
func TestRemoveAndTakeConcurrently(t *testing.T) {
	for range 200 {
		var w Waiting[int]
		const clients = 8
		for c := range clients {
			w.Add(c)
		}
		var removed, ended atomic.Int32
		w.Arm(func() Stopper { return stopper(func() { ended.Add(1) }) })
		var wg sync.WaitGroup
		for c := range clients {
			wg.Go(func() {
				if w.Remove(c) {
					removed.Add(1)
				}
			})
		}
		taken := len(w.Take())
		wg.Wait()
		require.EqualValues(t, clients, int(removed.Load())+taken)
		require.Equal(t, taken == 0 && removed.Load() == clients, ended.Load() == 1)
	}
}

func BenchmarkWaiting(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var w Waiting[int]
		for c := range 16 {
			w.Add(c)
		}
		for c := range 16 {
			w.Remove(c)
		}
	}
}
