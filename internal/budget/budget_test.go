package budget

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
)

// newBudget returns a budget, and how often it was exceeded.
func newBudget(limit int64, shares int) (b *Budget, exceeded *int) {
	b, exceeded = new(Budget), new(int)
	b.Init(limit, shares, func() { *exceeded++ })
	return b, exceeded
}

// What several hold counts once, in whichever share, from the first holder to the last.
func TestItemCountsOnce(t *testing.T) {
	b, _ := newBudget(1000, 2)
	one, other := b.Share(0), b.Share(1)
	var i Item
	for range 3 { // it may come back
		one.Add(&i, 100)
		other.Add(&i, 100)
		one.Add(&i, 100)
		assert.EqualValues(t, 100, b.Used())
		other.Remove(&i, 100)
		one.Remove(&i, 100)
		assert.EqualValues(t, 100, b.Used())
		other.Remove(&i, 100)
		assert.Zero(t, b.Used())
	}
}

// The second budget of an item counts it for each holder.
func TestItemOfTwoBudgets(t *testing.T) {
	first, _ := newBudget(1000, 1)
	second, _ := newBudget(1000, 1)
	var i Item
	for range 2 {
		first.Share(0).Add(&i, 100)
		second.Share(0).Add(&i, 100)
		second.Share(0).Add(&i, 100)
		first.Share(0).Add(&i, 100)
		assert.EqualValues(t, 100, first.Used())
		assert.EqualValues(t, 200, second.Used())
		for _, b := range []*Budget{first, second} {
			b.Share(0).Remove(&i, 100)
			b.Share(0).Remove(&i, 100)
			assert.Zero(t, b.Used())
		}
	}
}

// A budget says once that it is exceeded, until Evicted is called.
func TestExceeded(t *testing.T) {
	b, exceeded := newBudget(1000, 1)
	s := b.Share(0)
	assert.True(t, s.Limited())
	s.Count(900)
	assert.Zero(t, *exceeded)
	s.Count(200)
	assert.Equal(t, 1, *exceeded)
	assert.False(t, b.IsRelieved())
	s.Count(500)
	assert.Equal(t, 1, *exceeded)
	s.Count(-800)
	assert.True(t, b.IsRelieved())
	b.Evicted()
	s.Count(600)
	assert.Equal(t, 2, *exceeded)

	none, exceeded := newBudget(0, 1)
	none.Share(0).Count(1 << 40)
	assert.Zero(t, *exceeded)
	assert.False(t, none.Share(0).Limited())
}

// What an item takes more than in the beginning counts from its first holder to its last, in the budget that counts the item once.
func TestGrowth(t *testing.T) {
	first, _ := newBudget(1_000_000, 2)
	second, _ := newBudget(1_000_000, 1)
	var i Item
	var g Growth
	g.Grow(10) // nobody holds it
	assert.Zero(t, first.Used())
	for want := int64(10); want < 40; want += 10 {
		first.Share(0).AddGrowing(&i, 100, &g)
		assert.Equal(t, 100+want, first.Used())
		second.Share(0).AddGrowing(&i, 100, &g)
		second.Share(0).AddGrowing(&i, 100, &g)
		first.Share(1).AddGrowing(&i, 100, &g)
		g.Grow(10)
		assert.Equal(t, 100+want+10, first.Used())
		assert.EqualValues(t, 200, second.Used())
		first.Share(0).RemoveGrowing(&i, 100, &g)
		assert.Equal(t, 100+want+10, first.Used())
		second.Share(0).RemoveGrowing(&i, 100, &g)
		first.Share(1).RemoveGrowing(&i, 100, &g)
		second.Share(0).RemoveGrowing(&i, 100, &g)
		assert.Zero(t, first.Used())
		assert.Zero(t, second.Used())
	}
	small, exceeded := newBudget(1000, 1)
	var j Item
	var h Growth
	small.Share(0).AddGrowing(&j, 100, &h)
	h.Grow(2000)
	assert.Equal(t, 1, *exceeded)
}

// Many goroutines hold and release the same items in shares of their own; in the end
// nothing is counted.
func TestConcurrently(t *testing.T) {
	const shares = 4
	b, _ := newBudget(100_000, shares)
	items := make([]Item, 3)
	growing, growth := new(Item), new(Growth)
	var wg sync.WaitGroup
	for n := range shares {
		wg.Go(func() {
			s := b.Share(n)
			for range 10_000 {
				for i := range items {
					s.Add(&items[i], 100)
				}
				s.AddGrowing(growing, 100, growth)
				growth.Grow(1)
				for i := range items {
					s.Remove(&items[i], 100)
				}
				s.RemoveGrowing(growing, 100, growth)
			}
		})
	}
	wg.Wait()
	assert.Zero(t, b.Used())
}

// BenchmarkItem is an item that gets a holder and loses it.
func BenchmarkItem(b *testing.B) {
	for name, held := range map[string]bool{"held by one": false, "held by several": true} {
		b.Run(name, func(b *testing.B) {
			bu, _ := newBudget(1<<30, 1)
			s := bu.Share(0)
			var i Item
			if held {
				s.Add(&i, 100)
			}
			b.ReportAllocs()
			for b.Loop() {
				s.Add(&i, 100)
				s.Remove(&i, 100)
			}
		})
	}
}

// BenchmarkParallel has goroutines that count messages of their own, in four shares. Run it with
// -cpu 1,2,4,8,16.
func BenchmarkParallel(b *testing.B) {
	bu, _ := newBudget(1<<30, 4)
	var last atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		s := bu.Share(int(last.Add(1) % 4))
		for pb.Next() {
			var i Item
			s.Add(&i, 100)
			s.Remove(&i, 100)
		}
	})
}
