package engineio

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// strayStart is for how long after NewServer the sessions of the process
	// before it are asked for.
	strayStart = time.Minute
	// strayWindow and strayCount are how many requests of unknown sessions in
	// which time are suspicious.
	strayWindow = time.Minute
	strayCount  = 3
	// straysEnded is how many sessions that have ended are remembered.
	straysEnded = 1024
	// sidLength is that of a session id, without Options.ServerID.
	sidLength = 22
)

// strays tells requests of unknown sessions that are ordinary - the session has
// ended here, or was one of the process before this one - from those that may
// be another server's, which happens when several servers share their clients
// without sticky sessions.
type strays struct {
	started time.Time

	mu    sync.Mutex // protects the following
	ended []string   // a ring of the last sessions to end here
	next  int        // in ended
	since time.Time  // when the window began
	count int        // in the window
}

// forget notes that a session has ended here.
func (s *strays) forget(sid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ended) < straysEnded {
		s.ended = append(s.ended, sid)
		return
	}
	s.ended[s.next] = sid
	s.next = (s.next + 1) % straysEnded
}

// suspicious reports whether a request of an unknown session is one of several in a
// short time that are of sessions which this server has never had.
func (s *strays) suspicious(r *http.Request) bool {
	q := parseQuery(r.URL.RawQuery)
	sid, _, _ := strings.Cut(q.sid, ".")
	now := time.Now()
	if len(sid) != sidLength || now.Sub(s.started) < strayStart {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.ended, q.sid) {
		return false
	}
	if now.Sub(s.since) > strayWindow {
		s.since, s.count = now, 0
	}
	s.count++
	return s.count >= strayCount
}
