package socketio

import (
	"strings"
	"sync"
)

// mostUnknown is how many events without handler the log tells of at level warn.
const mostUnknown = 32

// unknownEvents remembers the events without handler of which the log has told, so
// that clients, which make them up, cannot fill it.
type unknownEvents struct {
	mu   sync.Mutex
	told map[[2]string]bool // by namespace and event
}

// first reports whether the log is to tell of an event.
func (u *unknownEvents) first(ns, event string) bool {
	ns, event = printable(ns), printable(event)
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.told) == mostUnknown || u.told[[2]string{ns, event}] {
		return false
	}
	if u.told == nil {
		u.told = make(map[[2]string]bool)
	}
	u.told[[2]string{strings.Clone(ns), strings.Clone(event)}] = true // they may be parts of something large
	return true
}
