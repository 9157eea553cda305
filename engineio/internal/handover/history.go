package handover

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/protocol"
)

const (
	// startTime is how long after the start of the server clients ask for sessions of the
	// process before it.
	startTime = time.Minute
	// suspiciousCount requests of unknown sessions within suspiciousWindow are suspicious.
	suspiciousWindow = time.Minute
	suspiciousCount  = 3
	// remembered is how many sessions that have ended are remembered.
	remembered = 1024
)

// History finds out which requests of unknown sessions may be for another server, because
// several servers share their clients without sticky sessions. Others are ordinary: their
// session has ended on this server, or was one of the process before this one.
type History struct {
	started time.Time

	mu    sync.Mutex // protects the following
	ended []string   // a ring of the last sessions to end on this server
	next  int        // in ended
	since time.Time  // when the window began
	count int        // in the window
}

// Start notes the start of the server.
func (h *History) Start() { h.started = time.Now() }

// Ended notes that a session has ended on this server.
func (h *History) Ended(sid string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ended) < remembered {
		h.ended = append(h.ended, sid)
		return
	}
	h.ended[h.next] = sid
	h.next = (h.next + 1) % remembered
}

// Suspicious reports whether a request of an unknown session is one of several in a
// short time that are of sessions which this server has never had.
func (h *History) Suspicious(r *http.Request) bool {
	q := protocol.ParseQuery(r.URL.RawQuery)
	sid, _, _ := strings.Cut(q.SID, ".")
	now := time.Now()
	if len(sid) != protocol.IDLength || now.Sub(h.started) < startTime {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if slices.Contains(h.ended, q.SID) {
		return false
	}
	if now.Sub(h.since) > suspiciousWindow {
		h.since, h.count = now, 0
	}
	h.count++
	return h.count >= suspiciousCount
}
