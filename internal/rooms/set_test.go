package rooms

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// A set agrees with a map, also when it is used again.
func TestSet(t *testing.T) {
	var pool SetPool[int]
	values := make([]int, 1000)
	for _, size := range []int{0, 1, 31, 32, 33, 1000} {
		set, model := pool.Get(), map[*int]bool{}
		for range size {
			v := &values[rand.IntN(len(values))]
			require.Equal(t, model[v], set.Has(v))
			set.Add(v)
			model[v] = true
		}
		for i := range values {
			require.Equal(t, model[&values[i]], set.Has(&values[i]))
		}
		require.Equal(t, len(model), set.n)
		pool.Put(set)
		require.Zero(t, set.n)
	}
}

// A set that has become large is not kept.
func TestLargeSetIsNotKept(t *testing.T) {
	var pool SetPool[int]
	values := make([]int, maxSet)
	set := pool.Get()
	for i := range values {
		set.Add(&values[i])
	}
	pool.Put(set)
	require.Equal(t, len(values), set.n, "it is left to the garbage collector as it is")
}
