package pace

import "time"

// Limiter is a Bucket that reads the clock. The zero value is full. It is for one
// goroutine at a time.
type Limiter struct {
	since  time.Time // of the first Allow; zero: not used yet
	bucket Bucket
}

// Allow takes a token. The limiter gets rate tokens a second, and holds as many as come in
// the time burst. Allow reports false if there is no token.
func (l *Limiter) Allow(rate int, burst time.Duration) bool {
	if l.since.IsZero() {
		l.since = time.Now()
	}
	return l.bucket.Take(time.Since(l.since), time.Second/time.Duration(rate), burst)
}

// Allow is Limiter.Allow for a limiter that few owners need: it is made when the first
// token is taken.
func Allow(l **Limiter, rate int, burst time.Duration) bool {
	if *l == nil {
		*l = new(Limiter)
	}
	return (*l).Allow(rate, burst)
}
