// Package stats has the statistics that the benchmark needs.
package stats

import (
	"math/bits"
	"slices"
)

// subBits is the precision of a Histogram: it has 2^subBits buckets for each power of two, so the error
// of a value is less than 2 %.
const subBits = 6

// Histogram counts values of any size in constant space. The zero value is empty. Only one goroutine
// may use it.
type Histogram struct {
	counts [(64 - subBits + 1) << subBits]int64
	total  int64
	max    int64
}

// Add counts a value; negative ones count as zero.
func (h *Histogram) Add(v int64) {
	v = max(v, 0)
	h.counts[bucket(uint64(v))]++
	h.total++
	h.max = max(h.max, v)
}

// Reset empties the histogram.
func (h *Histogram) Reset() { *h = Histogram{} }

// Count returns how many values were added.
func (h *Histogram) Count() int64 { return h.total }

// Max returns the largest value.
func (h *Histogram) Max() int64 { return h.max }

// Quantile returns the value that the share q of all values does not exceed, or 0 if there are no
// values.
func (h *Histogram) Quantile(q float64) int64 {
	rank := int64(q * float64(h.total))
	if rank >= h.total {
		return h.max
	}
	var seen int64
	for i, n := range h.counts {
		if seen += n; seen > rank {
			return min(middle(i), h.max)
		}
	}
	return h.max
}

// bucket returns the index of the bucket for v. Each value below 2^subBits has its own. For larger values
// the top subBits+1 bits choose the bucket.
func bucket(v uint64) int {
	shift := bits.Len64(v) - subBits - 1
	if shift <= 0 {
		return int(v)
	}
	return shift<<subBits + int(v>>shift)
}

// middle returns the value in the middle of a bucket.
func middle(i int) int64 {
	shift := i>>subBits - 1
	if shift <= 0 {
		return int64(i)
	}
	low := int64(i&(1<<subBits-1)|1<<subBits) << shift
	return low + 1<<shift/2
}

// Spread is the median and the limits of several measurements.
type Spread struct{ Median, Min, Max float64 }

// Summarize returns the spread of vs, which must not be empty.
func Summarize(vs []float64) Spread {
	s := slices.Clone(vs)
	slices.Sort(s)
	n := len(s)
	return Spread{Median: (s[(n-1)/2] + s[n/2]) / 2, Min: s[0], Max: s[n-1]}
}
