package migration

import (
	"maps"

	"github.com/seed-d124fa34/socketio/internal/recovery"
)

// Newcomer keeps track of a session that has come from another server, until this server treats it like any other
// session. Meanwhile events and commands can reach it in two ways, directly and through the broker. Newcomer says
// which of them it has already.
type Newcomer struct {
	// Ends is set when the socket has been disconnected meanwhile.
	Ends bool

	has     map[recovery.Offset]struct{}
	own     recovery.Offset
	changed map[string]bool
}

// NewNewcomer returns a Newcomer without events. own is the newest event of the other server that the client had
// confirmed there, see [recovery.Log.TrimmedOwn].
func NewNewcomer(own recovery.Offset) Newcomer {
	return Newcomer{own: own, has: make(map[recovery.Offset]struct{})}
}

// Add notes that an event is kept for the client.
func (n *Newcomer) Add(offset recovery.Offset) { n.has[offset] = struct{}{} }

// Keeps reports whether Add has been called for an event.
func (n *Newcomer) Keeps(offset recovery.Offset) bool {
	_, has := n.has[offset]
	return has
}

// Had reports whether an event is kept for the client, or the client had it before it came.
func (n *Newcomer) Had(offset recovery.Offset) bool { return n.Keeps(offset) || offset.UpTo(n.own) }

// Changed notes rooms that this server's program has made the socket join or leave. Commands about them that come
// through the broker after that are older, and have no effect.
func (n *Newcomer) Changed(rooms map[string]bool) {
	if n.changed == nil {
		n.changed = make(map[string]bool)
	}
	maps.Copy(n.changed, rooms)
}

// HasChanged reports whether Changed was called with rooms.
func (n *Newcomer) HasChanged() bool { return len(n.changed) > 0 }

// Outdated reports whether a command about any of the rooms has no effect, see Changed.
func (n *Newcomer) Outdated(rooms ...string) bool {
	for _, room := range rooms {
		if n.changed[room] {
			return true
		}
	}
	return false
}
