package sessions_test

import (
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio/engineio/internal/sessions"
)

func TestTable(t *testing.T) {
	table := sessions.New[int]()
	_, ok := table.Get("1")
	assert.False(t, ok)
	for n := range 1000 {
		table.Put(strconv.Itoa(n), n)
	}
	table.Put("7", 1007)
	table.Delete("8")
	table.Delete("8")
	table.Delete("unknown")
	assert.Equal(t, 999, table.Len())
	v, ok := table.Get("7")
	assert.True(t, ok)
	assert.Equal(t, 1007, v)
	_, ok = table.Get("8")
	assert.False(t, ok)
	all := slices.Sorted(table.All())
	assert.Len(t, all, 999)
	assert.Equal(t, []int{0, 1, 2}, all[:3])
	assert.Equal(t, 1007, all[998])
	n := 0
	for range table.All() {
		if n++; n == 3 {
			break
		}
	}
	assert.Equal(t, 3, n)
}

// Goroutines that use ids of their own do not disturb each other.
func TestTableConcurrent(t *testing.T) {
	table := sessions.New[int]()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 500 {
				id := strconv.Itoa(g) + "/" + strconv.Itoa(n)
				table.Put(id, n)
				v, ok := table.Get(id)
				assert.True(t, ok)
				assert.Equal(t, n, v)
				for range table.All() {
					break
				}
				if n%2 == 0 {
					table.Delete(id)
				}
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 8*250, table.Len())
}

// BenchmarkGet is what each poll and POST does. Run it with -cpu 1,2,4,8,16.
func BenchmarkGet(b *testing.B) {
	table := sessions.New[int]()
	ids := make([]string, 10_000)
	for n := range ids {
		ids[n] = "lv_VI97HAXpY6yYWAAA" + strconv.Itoa(n)
		table.Put(ids[n], n)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			if _, ok := table.Get(ids[n%len(ids)]); !ok {
				b.Fail()
			}
		}
	})
}

// BenchmarkComeAndGo is what each connection does.
func BenchmarkComeAndGo(b *testing.B) {
	table := sessions.New[int]()
	var next sync.Mutex
	goroutines := 0
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		next.Lock()
		goroutines++
		id := "lv_VI97HAXpY6yYWAAA" + strconv.Itoa(goroutines)
		next.Unlock()
		for pb.Next() {
			table.Put(id, 1)
			table.Delete(id)
		}
	})
}
