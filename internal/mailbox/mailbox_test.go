package mailbox

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// errand is a job of the tests.
type errand struct {
	link    Link[*errand]
	do      func()
	aborted func(v any)
	large   bool
	slot    uint16
}

func (e *errand) Link() *Link[*errand] { return &e.link }
func (e *errand) Slot() uint16         { return e.slot }
func (e *errand) Large() bool          { return e.large }
func (e *errand) Run()                 { e.do() }
func (e *errand) Aborted(v any)        { e.aborted(v) }

// log is what the jobs of a test have done.
type log struct {
	mu   sync.Mutex
	done []any
}

func (l *log) add(v any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = append(l.done, v)
}

func (l *log) take() []any {
	l.mu.Lock()
	defer l.mu.Unlock()
	done := l.done
	l.done = nil
	return done
}

func (l *log) job(v any) *errand { return &errand{do: func() { l.add(v) }} }

// workers returns how many goroutines of this bubble run or wait for boxes.
func workers() (n int) {
	stacks := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, ", synctest bubble ") && strings.Contains(stack, "mailbox.(*Workers[") {
			n++
		}
	}
	return n
}

func TestJobsAreDoneInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ws, l := NewWorkers[*errand](), new(log)
		var one, two Box[*errand]
		require.True(t, one.Idle())
		open := make(chan bool)
		one.Put(ws, &errand{do: func() { <-open; l.add(0) }})
		var want []any
		for i := range 10 {
			one.Put(ws, l.job(i+1))
			want = append(want, i)
		}
		two.Put(ws, l.job("beside"))
		synctest.Wait()
		require.Equal(t, []any{"beside"}, l.take(), "another box does not wait")
		require.False(t, one.Idle())
		require.True(t, two.Idle())
		open <- true
		synctest.Wait()
		require.Equal(t, append(want, 10), l.take())
		require.True(t, one.Idle())
		one.Put(ws, l.job("again"))
		synctest.Wait()
		require.Equal(t, []any{"again"}, l.take())
	})
}

// A job that panics, or ends its goroutine, is told of, and the next one is done.
func TestAbortedJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ws, l := NewWorkers[*errand](), new(log)
		var b Box[*errand]
		open := make(chan bool)
		b.Put(ws, &errand{do: func() { <-open; panic("no") }, aborted: l.add})
		b.Put(ws, &errand{do: func() { runtime.Goexit() }, aborted: l.add})
		b.Put(ws, l.job("next"))
		open <- true
		synctest.Wait()
		require.Equal(t, []any{"no", nil, "next"}, l.take())
		require.True(t, b.Idle())
	})
}

// What waits can be removed; the others keep their order, and the one that runs is not touched.
func TestDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ws, l := NewWorkers[*errand](), new(log)
		for _, unwanted := range []string{"", "a", "b", "c", "ac", "abc", "cba"} {
			var b Box[*errand]
			open := make(chan bool)
			names := map[*errand]string{}
			add := func(name string, do func()) {
				e := &errand{do: do}
				names[e] = name
				b.Put(ws, e)
			}
			add("a", func() { <-open; l.add("a") })
			left := []any{"a"}
			for _, name := range []string{"a", "b", "c", "b"} {
				add(name, func() { l.add(name) })
				if !strings.Contains(unwanted, name) {
					left = append(left, name)
				}
			}
			var dropped []string
			n := b.Drop(func(e *errand) bool { return strings.Contains(unwanted, names[e]) }, func(e *errand) { dropped = append(dropped, names[e]) })
			require.Len(t, dropped, n)
			require.Equal(t, 5-len(left), n)
			add("late", func() { l.add("late") })
			open <- true
			synctest.Wait()
			require.Equal(t, append(left, "late"), l.take(), unwanted)
		}
	})
}

// Each job that takes its time has a goroutine of its own; afterwards few of them wait
// for more, not for long, and not at all when nothing is alive.
func TestGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ws := NewWorkers[*errand]()
		const boxes = 50
		var all [boxes]Box[*errand]
		var jobs [boxes]errand
		open := make(chan bool)
		for i := range all {
			jobs[i] = errand{do: func() { <-open }, slot: ws.NextSlot()}
			ws.Begin()
			all[i].Put(ws, &jobs[i])
		}
		synctest.Wait()
		require.Equal(t, boxes, workers())
		close(open)
		synctest.Wait()
		require.Positive(t, workers())
		require.LessOrEqual(t, workers(), runtime.GOMAXPROCS(0))
		for i := range all { // they are taken again
			all[i].Put(ws, &jobs[i])
			synctest.Wait()
		}
		require.Positive(t, workers())
		require.LessOrEqual(t, workers(), runtime.GOMAXPROCS(0))
		time.Sleep(Linger)
		synctest.Wait()
		require.Zero(t, workers())

		all[0].Put(ws, &jobs[0])
		synctest.Wait()
		require.Equal(t, 1, workers())
		require.Equal(t, boxes, ws.Alive())
		for range boxes {
			ws.End()
		}
		synctest.Wait()
		require.Zero(t, workers(), "nothing is alive")
		all[0].Put(ws, &jobs[0])
		synctest.Wait()
		require.Zero(t, workers())
	})
}

// A wait ends when nothing is alive any more, including what began during the wait, or with its
// context.
func TestWaitForAllThatIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ws := NewWorkers[*errand]()
		require.NoError(t, ws.Wait(t.Context()))
		ws.Begin()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, ws.Wait(ctx), context.DeadlineExceeded)
		var waited atomic.Int32
		for range 3 {
			go func() {
				if ws.Wait(t.Context()) == nil {
					waited.Add(1)
				}
			}()
		}
		synctest.Wait()
		ws.Begin()
		ws.End()
		synctest.Wait()
		require.Zero(t, waited.Load())
		ws.End()
		synctest.Wait()
		require.EqualValues(t, 3, waited.Load())
	})
}

// Many goroutines put jobs into one box while others are dropped: each is done once or
// dropped once.
func TestPutAndDropConcurrently(t *testing.T) {
	ws := NewWorkers[*errand]()
	var b Box[*errand]
	var done, dropped atomic.Int64
	var wg sync.WaitGroup
	const jobs = 4 * 2000
	for range 4 {
		wg.Go(func() {
			for i := range jobs / 4 {
				b.Put(ws, &errand{do: func() { done.Add(1) }})
				if i%16 == 0 {
					b.Drop(func(*errand) bool { return true }, func(*errand) { dropped.Add(1) })
				}
			}
		})
	}
	wg.Wait()
	require.Eventually(t, b.Idle, 20*time.Second, time.Millisecond)
	require.EqualValues(t, jobs, done.Load()+dropped.Load())
}

// BenchmarkPut is a job put into an idle box and done, and one put behind it.
func BenchmarkPut(b *testing.B) {
	ws := NewWorkers[*errand]()
	ws.Begin()
	defer ws.End()
	var box Box[*errand]
	done := make(chan bool)
	first, second := &errand{do: func() {}}, &errand{do: func() { done <- true }}
	b.ReportAllocs()
	for b.Loop() {
		box.Put(ws, first)
		box.Put(ws, second)
		<-done
	}
}

// BenchmarkParallel has goroutines that put jobs into boxes of their own and wait until they are
// done. Run it with -cpu 1,2,4,8,16.
func BenchmarkParallel(b *testing.B) {
	ws := NewWorkers[*errand]()
	ws.Begin()
	defer ws.End()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var box Box[*errand]
		done := make(chan bool)
		job := &errand{do: func() { done <- true }, slot: ws.NextSlot()}
		for pb.Next() {
			box.Put(ws, job)
			<-done
		}
	})
}
