package pace

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBucket(t *testing.T) {
	const interval, burst = 100 * time.Millisecond, 300 * time.Millisecond // ten a second, three at once
	var b Bucket
	take := func(now time.Duration) bool { return b.Take(now, interval, burst) }
	for range 3 {
		require.True(t, take(0))
	}
	require.False(t, take(0))
	require.False(t, take(interval-1))
	require.True(t, take(interval))
	require.False(t, take(interval), "what was refused took no token, what was granted did")
	n := 0
	for now := interval; now < 10*time.Second; now += time.Millisecond {
		if take(now) {
			n++
		}
	}
	require.Equal(t, 98, n)
	for range 3 { // after a pause it is full, and not more
		require.True(t, take(time.Hour))
	}
	require.False(t, take(time.Hour))
}

func BenchmarkTake(b *testing.B) {
	var bucket Bucket
	now := time.Duration(0)
	for b.Loop() {
		now++
		bucket.Take(now, 2, 10)
	}
}
