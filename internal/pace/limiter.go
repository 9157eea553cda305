package pace

import "time"

// Limiter is a Bucket that reads the clock. The zero value is full. It is for one
// goroutine at a time.
type Limiter struct {
	since  time.Time // of the first Allow; zero: not used yet
	bucket Bucket
}

// Allow takes a token, of which there are rate a second, and at most as many as come
// in the time burst. It reports false if there is none.
func (l *Limiter) Allow(rate int, burst time.Duration) bool {
	if l.since.IsZero() {
		l.since = time.Now()
	}
	return l.bucket.Take(time.Since(l.since), time.Second/time.Duration(rate), burst)
}

// Allow is Limiter.Allow for a limiter that few of its owners need, and which is made
// with the first token.
func Allow(l **Limiter, rate int, burst time.Duration) bool {
	if *l == nil {
		*l = new(Limiter)
	}
	return (*l).Allow(rate, burst)
}
