package grace_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/grace"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// Wait waits for what has begun before it, however many others wait, and not for what begins after it.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(grace.Tracker)
		g.Wait() // nothing is under way
		var ended [3]atomic.Bool
		wait := func(i int) {
			go func() {
				g.Wait()
				ended[i].Store(true)
			}()
			synctest.Wait()
		}
		want := func(all ...bool) {
			t.Helper()
			synctest.Wait()
			for i := range all {
				require.Equal(t, all[i], ended[i].Load(), i)
			}
		}
		first, second := g.Begin(), g.Begin()
		wait(0)
		third := g.Begin()
		g.End(first)
		wait(1)
		last := g.Begin()
		want(false, false, false)
		g.End(third) // the second call waits for second, too
		want(false, false, false)
		g.End(second)
		want(true, true, false)
		wait(2)
		g.End(g.Begin())
		want(true, true, false)
		g.End(last)
		want(true, true, true)
		g.Wait()
	})
}

// Whatever begins and ends at the same time, Wait returns after all that has begun before it.
func TestWaitConcurrently(t *testing.T) {
	g := new(grace.Tracker)
	const workers, rounds = 4, 1000
	var counts [workers]struct{ begun, ended atomic.Int64 }
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			for range rounds {
				r := g.Begin()
				counts[i].begun.Add(1)
				counts[i].ended.Add(1)
				g.End(r)
			}
		})
	}
	for range 2 {
		all.Go(func() {
			for range rounds {
				var begun [workers]int64
				for i := range begun {
					begun[i] = counts[i].begun.Load()
				}
				g.Wait()
				for i := range begun {
					if ended := counts[i].ended.Load(); ended < begun[i] {
						t.Errorf("%d have ended, %d had begun", ended, begun[i])
					}
				}
			}
		})
	}
	all.Wait()
	g.Wait()
}

func BenchmarkBegin(b *testing.B) {
	g := new(grace.Tracker)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			g.End(g.Begin())
		}
	})
}
