package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHistogramQuantiles(t *testing.T) {
	var h Histogram
	require.Zero(t, h.Quantile(0.5))
	rnd := rand.New(rand.NewPCG(1, 2))
	var all []int64
	for range 100_000 {
		v := int64(math.Exp(rnd.Float64() * 25)) // from 1 ns to a minute
		all = append(all, v)
		h.Add(v)
	}
	slices.Sort(all)
	require.EqualValues(t, len(all), h.Count())
	require.Equal(t, all[len(all)-1], h.Max())
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999} {
		want := all[int(q*float64(len(all)))]
		require.InEpsilon(t, want, h.Quantile(q), 0.016, "quantile %v", q)
	}
	require.Equal(t, h.Max(), h.Quantile(1))
	h.Reset()
	require.Zero(t, h.Count())
}

func TestHistogramTakesEveryValue(t *testing.T) {
	for _, v := range []int64{0, 1, 63, 64, 65, 127, 128, 1 << 40, math.MaxInt64} {
		var h Histogram
		h.Add(v)
		require.Equal(t, v, h.Max())
		require.InDelta(t, float64(v), float64(h.Quantile(0.5)), float64(v)/64, "%d", v)
	}
	var h Histogram
	h.Add(-5)
	require.Zero(t, h.Quantile(0.5))
}

func TestBucketsAreInOrder(t *testing.T) {
	last := -1
	for v := range uint64(10_000) {
		b := bucket(v)
		require.GreaterOrEqual(t, b, last)
		require.LessOrEqual(t, b, last+1, "no gap at %d", v)
		last = b
	}
}

func TestSummarize(t *testing.T) {
	vs := []float64{5, 1, 3}
	require.Equal(t, Spread{Median: 3, Min: 1, Max: 5}, Summarize(vs))
	require.Equal(t, []float64{5, 1, 3}, vs, "the argument is left alone")
	require.Equal(t, Spread{Median: 2, Min: 1, Max: 3}, Summarize([]float64{1, 3}))
	require.Equal(t, Spread{Median: 7, Min: 7, Max: 7}, Summarize([]float64{7}))
}
