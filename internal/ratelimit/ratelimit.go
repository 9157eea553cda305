// Package ratelimit has a small token bucket.
package ratelimit

import "time"

// Bucket is a token bucket. The zero value is full. It is not safe for concurrent use.
type Bucket struct {
	since time.Time     // of the first Take; zero: not used yet
	full  time.Duration // how long after since all tokens are back
}

// Take takes a token, of which there are rate a second, and at most as many as come
// in the time burst. It reports false if there is none.
func (b *Bucket) Take(rate int, burst time.Duration) bool {
	if b.since.IsZero() {
		b.since = time.Now()
	}
	now := time.Since(b.since)
	full := max(b.full, now) + time.Second/time.Duration(rate)
	if full-now > burst {
		return false
	}
	b.full = full
	return true
}

// TakeLazily is Take for a bucket that few of its owners need, and which is made with
// the first token.
func TakeLazily(b **Bucket, rate int, burst time.Duration) bool {
	if *b == nil {
		*b = new(Bucket)
	}
	return (*b).Take(rate, burst)
}
