package rooms

import (
	"maps"
	"slices"
)

// Member is one member of an [Index], with the rooms that it is in, so that leaving all of
// them costs no more than joining them. It belongs to a value with a lock of its own, which
// guards it. Call Init first.
type Member[M comparable] struct {
	self     M
	ns, id   string
	everyone *Place[M]            // its place among all of the namespace; nil: not entered, or withdrawn
	rooms    map[string]*Place[M] // a nil place: it joins the room when it enters
	waiting  bool                 // shard.waiting has it
	away     bool                 // all its places are marked so, also later ones
}

// Init sets the value that the Member belongs to, its namespace and its id.
func (m *Member[M]) Init(self M, ns, id string) { m.self, m.ns, m.id = self, ns, id }

// Away reports whether the member is away, see [Index.SetAway].
func (m *Member[M]) Away() bool { return m.away }

// Has reports whether the member is in a room, or will be when it enters.
func (m *Member[M]) Has(room string) bool {
	_, has := m.rooms[room]
	return has
}

// In reports whether the member has entered a room.
func (m *Member[M]) In(room string) bool { return m.rooms[room] != nil }

// Len returns how many rooms Rooms returns.
func (m *Member[M]) Len() int { return len(m.rooms) }

// Rooms returns the rooms that the member is in, or will be when it enters, sorted,
// behind the names before. After [Index.Withdraw] they are the rooms that it was in.
func (m *Member[M]) Rooms(before ...string) []string {
	names := make([]string, len(before), len(before)+len(m.rooms))
	copy(names, before)
	names = slices.AppendSeq(names, maps.Keys(m.rooms))
	slices.Sort(names[len(before):])
	return names
}
