// Package instant has points in time of 8 bytes, for fields of connections: a time.Time has
// 24.
package instant

import "time"

// Instant is a point in time of this process. Later ones are greater. The zero value means
// none, and is before all others.
type Instant time.Duration

// epoch is before all times of the process, and before those in the bubbles of
// testing/synctest, which begin in the year 2000.
var epoch = time.Now().Add(-40 * 365 * 24 * time.Hour)

// Now returns the present time.
func Now() Instant { return Instant(time.Since(epoch)) }

// Of returns the Instant of a time that comes from time.Now; none for the zero time.
func Of(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	return Instant(t.Sub(epoch))
}

// Time returns the time of an Instant; the zero time for none.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return epoch.Add(time.Duration(i))
}

// Add returns the Instant d later. It is not for the zero value.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Sub returns the time from j to i.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }
