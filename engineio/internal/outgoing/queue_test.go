package outgoing

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio/internal/budget"
)

// newQueue returns a queue and its budget, which counts how often it was exceeded.
func newQueue(limit int64) (q *Queue, b *budget.Budget, exceeded *int) {
	q, b, exceeded = new(Queue), new(budget.Budget), new(int)
	b.Init(limit, 1, func() { *exceeded++ })
	q.Init(b.Share(0))
	return q, b, exceeded
}

// Units leave in order, about as many bytes at a time as the writer asks for, and one at least.
func TestQueueOrder(t *testing.T) {
	q, _, _ := newQueue(0)
	var want []*Unit
	for _, s := range []string{"a", "bb", strings.Repeat("c", 100), "d"} {
		u := newUnit(s)
		want = append(want, u)
		q.Push(u)
	}
	all := q.Size()
	assert.False(t, q.Fits(newUnit("x"), all))
	assert.True(t, q.Fits(newUnit("x"), 10_000))
	var got []*Unit
	for !q.Empty() {
		batch, size := q.Take(20)
		got = append(got, batch...)
		assert.True(t, len(batch) == 1 || size <= 20)
		q.Wrote(batch, size)
		all -= size
		assert.Equal(t, all, q.Size())
	}
	assert.Equal(t, want, got)
	assert.Zero(t, q.Size())
	assert.True(t, q.Fits(newUnit("of any size"), 1))
}

// Those who wait hear when what was queued before has been written, whatever came later, or at the end.
func TestQueueWaits(t *testing.T) {
	q, _, _ := newQueue(0)
	q.Push(newUnit("first"))
	first := q.Wait()
	q.Push(newUnit("second"))
	second := q.Wait()
	batch, size := q.Take(1)
	assert.Empty(t, first.Done)
	q.Wrote(batch, size)
	<-first.Done
	assert.True(t, q.EndWait(first))
	select {
	case <-second.Done:
		assert.Fail(t, "the second has not been written")
	default:
	}
	q.EndWaits()
	<-second.Done
	assert.False(t, q.EndWait(second))
}

// What is counted is given back, however it leaves the queue.
func TestQueueCounts(t *testing.T) {
	q, b, exceeded := newQueue(10_000)
	u := newUnit(strings.Repeat("x", 1000))
	q.Push(u)
	assert.Equal(t, u.Cost(), b.Used())
	q.Push(u)
	assert.Equal(t, u.Cost(), b.Used(), "in a queue twice")
	batch, size := q.Take(1)
	q.Wrote(batch, size)
	assert.Equal(t, u.Cost(), b.Used())
	q.Drop()
	assert.Zero(t, b.Used())
	assert.Zero(t, q.Size())

	// A queue whose network takes everything at once does not count until something waits.
	q.CountNoMore()
	q.Push(u)
	assert.Zero(t, b.Used())
	batch, size = q.Take(1 << 20)
	q.CountAll(batch)
	assert.Equal(t, u.Cost(), b.Used())
	q.Wrote(batch, size)
	assert.Zero(t, b.Used())
	q.CountNoMore()
	for range 70 {
		q.Push(newUnit(strings.Repeat("y", 1000)))
	}
	assert.Greater(t, b.Used(), int64(uncounted))
	assert.Equal(t, 1, *exceeded)
	assert.False(t, b.IsRelieved())
	q.Push(newUnit("z"))
	assert.Equal(t, 1, *exceeded, "until Evicted is called")
	q.Drop()
	assert.Zero(t, b.Used())
	assert.True(t, b.IsRelieved())
	b.Evicted()
}

// BenchmarkQueue is a unit on its way through a queue that is otherwise empty.
func BenchmarkQueue(b *testing.B) {
	for name, counted := range map[string]bool{"counted": true, "not counted": false} {
		b.Run(name, func(b *testing.B) {
			q, _, _ := newQueue(1 << 30)
			u := newUnit("hello")
			if !counted {
				q.CountNoMore()
			}
			b.ReportAllocs()
			for b.Loop() {
				q.Push(u)
				q.Wrote(q.Take(1 << 20))
			}
		})
	}
}
