package standby

import (
	"errors"
	"slices"

	"github.com/seed-d124fa34/socketio/internal/migration"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/internal/wire"
)

// Errors of Finish.
var (
	ErrEnded     = errors.New("the session has been ended by another server")
	ErrUncertain = errors.New("what was emitted since the server was killed is not certain")
	errNotRead   = errors.New("the broker's history cannot be read to its end")
)

// Rebuild makes a session of its snapshot and of the messages of the history since Snapshot.Base, in
// order, which [HistoryReader.Read] reads. One goroutine uses it.
type Rebuild struct {
	// Owner is that of the record of the session, see broker.RecordStore.
	Owner string

	snap       *Snapshot // never changed
	recordSize int64     // bytes of its form
	lost       bool      // Restorer.Lost has been called

	// What has been read.
	received  uint64          // messages that the server would have received
	ever      map[string]bool // rooms in which the client was at any time
	events    []placedEvent
	own       map[uint64]struct{} // numbers of own events that have been read
	changes   []Change
	size      int
	err       error
	postponed bool // it must be read once more
}

// placedEvent is an event in the order of the session's server.
type placedEvent struct {
	Place
	*event
}

// event is an event that may be for the clients of some sessions.
type event struct {
	everyone            bool
	rooms, skip, except []string
	packet              migration.Packet
	size                int
	holders             int // in how many sessions it is
}

// NewRebuild begins with a snapshot.
func NewRebuild(s *Snapshot, owner string) *Rebuild { return &Rebuild{Owner: owner, snap: s} }

// Key returns the key of the session.
func (r *Rebuild) Key() recovery.Key { return recovery.Key(r.snap.Session.Key) }

// Size is that of the record. What has been read is bounded by HistoryReader.Memory.
func (r *Rebuild) Size() int64 { return r.recordSize }

// reset forgets what has been read.
func (r *Rebuild) reset() {
	s := r.snap
	*r = Rebuild{
		Owner: r.Owner, snap: s, recordSize: r.recordSize, lost: r.lost, received: s.Base.Received, ever: s.roomsAtBase(), own: make(map[uint64]struct{}),
		changes: slices.Clone(s.Changes), err: r.err,
	}
	for _, c := range s.Changes {
		r.ever[c.Room] = true
	}
	for _, room := range s.Session.Rooms {
		r.ever[room] = true
	}
}

// needsMessages reports whether the session is to get the messages that follow.
func (r *Rebuild) needsMessages() bool { return r.err == nil && !r.postponed }

// mayConcern reports whether the client was ever in a room for which an event is.
func (r *Rebuild) mayConcern(e *wire.Event) bool {
	if e.Namespace != r.snap.Session.Namespace {
		return false
	}
	return e.Everyone || slices.ContainsFunc(e.Rooms, func(room string) bool { return room == r.snap.Session.SID || r.ever[room] })
}

// place returns the place of an event in the order of the server. ok is false if the session has no use
// for the event. journal: only clients of its own server get it.
func (r *Rebuild) place(e *wire.Event, journal bool) (p Place, ok bool) {
	p = Place{Received: r.received}
	prefix, number, received, ok := recovery.ReadPlace(e.ID)
	switch own := ok && prefix == r.snap.Prefix; {
	case own:
		p = Place{received, number}
		if _, twice := r.own[number]; twice {
			return p, false
		}
		r.own[number] = struct{}{}
	case journal:
		return p, false // of a client of another server
	}
	return p, p.Compare(r.snap.Base.Place) > 0
}

// command takes a command.
func (r *Rebuild) command(c wire.Command) (err error) {
	s := r.snap.Session
	if r.received <= r.snap.Now.Received || c.Namespace != s.Namespace || c.Do != wire.CloseRoom && c.SID != s.SID {
		return nil // the snapshot has it, or it is for others
	}
	if c.Do == wire.Disconnect {
		return ErrEnded
	}
	r.ever[c.Room] = true
	r.changes = append(r.changes, Change{Place{Received: r.received}, c.Room, c.Do != wire.Join})
	return nil
}

// Finish returns the session, whose log has what its client may lack and perhaps events before that, and
// the order of the events. It may be called again, after another reading.
func (r *Rebuild) Finish() (*migration.Session, *Order, error) {
	if r.err != nil {
		return nil, nil, r.err
	}
	session := *r.snap.Session
	s := &session
	s.Packets = slices.Clip(s.Packets)
	order := &Order{prefix: r.snap.Prefix, base: r.snap.Base.Place}
	order.before, _ = recovery.ParseOffset(s.Start)
	if n := len(s.Packets); n > 0 {
		order.before, _ = recovery.ParseOffset(s.Packets[n-1].Offset)
	}
	slices.SortStableFunc(r.events, func(a, b placedEvent) int { return a.Compare(b.Place) })
	rooms, changes := r.snap.roomsAtBase(), r.changes
	var missed []placedEvent
	for _, e := range r.events {
		for len(changes) > 0 && changes[0].Compare(e.Place) < 0 {
			rooms[changes[0].Room] = !changes[0].Left
			changes = changes[1:]
		}
		if e.isFor(s.SID, rooms) {
			missed = append(missed, e)
		}
	}
	for _, c := range changes {
		rooms[c.Room] = !c.Left
	}
	s.Rooms = nil
	for room, in := range rooms {
		if in {
			s.Rooms = append(s.Rooms, room)
		}
	}
	slices.Sort(s.Rooms)
	confirmed, place := r.confirmed(missed)
	if place.Compare(order.base) > 0 {
		order.base = place
	}
	for _, e := range missed[confirmed:] {
		s.Packets = append(s.Packets, e.packet)
		offset, _ := recovery.ParseOffset(e.packet.Offset)
		order.events = append(order.events, placedOffset{e.Place, offset})
	}
	return s, order, nil
}

// confirmed returns how many of the events the client is known to have had, and to which place; zero if
// that is before them.
func (r *Rebuild) confirmed(missed []placedEvent) (n int, to Place) {
	start := r.snap.Session.Start
	if prefix, number, received, ok := recovery.ReadPlace([]byte(start)); ok && prefix == r.snap.Prefix {
		n, _ = slices.BinarySearchFunc(missed, Place{received, number + 1}, func(e placedEvent, p Place) int { return e.Compare(p) })
		return n, Place{received, number}
	}
	n = 1 + slices.IndexFunc(missed, func(e placedEvent) bool { return start != "" && e.packet.Offset == start })
	if n > 0 {
		to = missed[n-1].Place
	}
	return n, to
}

// isFor reports whether the event reaches a socket in some rooms.
func (e *event) isFor(sid string, rooms map[string]bool) bool {
	in := func(room string) bool { return room == sid || rooms[room] }
	return (e.everyone || slices.ContainsFunc(e.rooms, in)) && !slices.Contains(e.skip, sid) && !slices.ContainsFunc(e.except, in)
}
