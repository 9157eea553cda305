// Package pace bounds how often something happens.
package pace

import "time"

// Bucket is a token bucket in one word. The zero value is full. It is for one goroutine
// at a time.
type Bucket struct{ full time.Duration } // when all its tokens are back

// Take takes a token of a bucket that gets one every interval and holds what comes in
// burst. It reports false if there is none. now is the time since some moment that is the
// same for all calls.
func (b *Bucket) Take(now, interval, burst time.Duration) bool {
	full := max(b.full, now) + interval
	if full-now > burst {
		return false
	}
	b.full = full
	return true
}
