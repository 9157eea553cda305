package outbox

import (
	"math/rand/v2"
	"time"
)

const (
	minBackoff = 100 * time.Millisecond // after the first failure
	maxBackoff = 5 * time.Second
)

// Backoff returns how long to wait after that many failures in a row. It is
// random, so that servers that lost the same broker do not come back at once.
func Backoff(failures int) time.Duration {
	d := maxBackoff
	if n := failures - 1; n < 6 {
		d = min(maxBackoff, minBackoff<<n)
	}
	return d/2 + rand.N(d/2+1)
}
