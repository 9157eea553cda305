package standby

import (
	"errors"
	"slices"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/migration"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/internal/wire"
)

// Reading is how a Rebuild reads the history.
type Reading struct {
	// Any reads the messages of all servers, and Host those for the server of the session alone.
	Any, Host wire.Wire
	// Members is the channel of what servers ask each other, and Journal that of events which only
	// clients of their server get.
	Members, Journal string
	// Encode returns an event as its client gets it.
	Encode func(e *wire.Event, asks bool) (migration.Packet, error)
	// Moves reports whether an order to all servers may join or leave rooms, or disconnect.
	Moves func(order []byte) bool
	// Limit bounds, in bytes, what may have been missed.
	Limit int
}

// Errors of Finish.
var (
	ErrEnded     = errors.New("the session has been ended by another server")
	ErrUncertain = errors.New("what was emitted since the server was killed is not certain")
)

// Rebuild makes a session of its snapshot and of the messages of the history since Snapshot.Base, in
// order. One goroutine uses it.
type Rebuild struct {
	Reading
	snap     *Snapshot
	received uint64 // messages that the server would have received
	journal  bool   // the message is from Journal
	ever     map[string]bool
	events   []event
	own      map[uint64]struct{} // numbers of own events that have been read
	changes  []Change
	size     int
	err      error
}

// event is an event that may be for the client.
type event struct {
	Place
	everyone            bool
	rooms, skip, except []string
	packet              migration.Packet
}

// NewRebuild begins with a snapshot, whose Session it changes.
func NewRebuild(s *Snapshot, how Reading) *Rebuild {
	r := &Rebuild{
		Reading: how, snap: s, received: s.Base.Received, ever: s.roomsAtBase(), own: make(map[uint64]struct{}),
		changes: slices.Clone(s.Changes),
	}
	for _, c := range s.Changes {
		r.ever[c.Room] = true
	}
	for _, room := range s.Session.Rooms {
		r.ever[room] = true
	}
	return r
}

// Message takes the next message. It reports false when it is of no use to go on.
func (r *Rebuild) Message(m broker.Message) bool {
	r.journal = m.Channel == r.Journal
	if !r.journal {
		r.received++
	}
	switch {
	case r.err != nil:
	case m.Channel == r.Members:
		if _, order, ok := fleet.ReadOrder(m.Data); ok && r.received > r.snap.Now.Received && r.Moves(order) {
			r.err = ErrUncertain
		}
	default:
		// What cannot be read reaches nobody.
		if own, _ := r.Any.Read(m.Channel, m.Data, (*reader)(r)); own {
			_, _ = r.Host.Read(m.Channel, m.Data, (*reader)(r))
		}
	}
	return r.err == nil
}

// Gap notes that the history does not have all messages.
func (r *Rebuild) Gap(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Err returns why the session cannot be rebuilt, nil if it can.
func (r *Rebuild) Err() error { return r.err }

// reader is a Rebuild as wires see it.
type reader Rebuild

var _ wire.Receiver = (*reader)(nil)

func (r *reader) Interested(e *wire.Event) bool {
	if e.Namespace != r.snap.Session.Namespace {
		return false
	}
	return e.Everyone || slices.ContainsFunc(e.Rooms, func(room string) bool { return room == r.snap.Session.SID || r.ever[room] })
}

func (r *reader) Event(e *wire.Event, q *wire.Question) error {
	if e.Volatile || !r.Interested(e) {
		return nil
	}
	place := Place{Received: r.received}
	prefix, number, received, ok := recovery.ReadPlace(e.ID)
	switch own := ok && prefix == r.snap.Prefix; {
	case own:
		place = Place{received, number}
		if _, twice := r.own[number]; twice {
			return nil
		}
		r.own[number] = struct{}{}
	case r.journal:
		return nil // of a client of another server
	}
	if place.Compare(r.snap.Base.Place) <= 0 {
		return nil
	}
	packet, err := r.Encode(e, q != nil)
	if err != nil {
		return err // it has reached nobody
	}
	r.size += len(packet.Text)
	for _, b := range packet.Binary {
		r.size += len(b)
	}
	if r.size > r.Limit {
		r.err = errTooLarge
	}
	r.events = append(r.events, event{
		Place: place, everyone: e.Everyone, rooms: slices.Clone(e.Rooms), skip: slices.Clone(e.Skip), except: slices.Clone(e.Except), packet: packet,
	})
	return nil
}

func (r *reader) Command(c wire.Command) error {
	s := r.snap.Session
	if r.received <= r.snap.Now.Received || c.Namespace != s.Namespace || c.Do != wire.CloseRoom && c.SID != s.SID {
		return nil // the snapshot has it, or it is for others
	}
	if c.Do == wire.Disconnect {
		r.err = ErrEnded
		return nil
	}
	r.ever[c.Room] = true
	r.changes = append(r.changes, Change{Place{Received: r.received}, c.Room, c.Do != wire.Join})
	return nil
}

func (r *reader) Answer(*wire.Answer) error { return nil }
func (r *reader) Cancel(string, string)     {}

// Finish returns the session, whose log has what its client may lack and perhaps events before that, and
// the order of the events.
func (r *Rebuild) Finish() (*migration.Session, *Order, error) {
	if r.err != nil {
		return nil, nil, r.err
	}
	s := r.snap.Session
	order := &Order{prefix: r.snap.Prefix, base: r.snap.Base.Place}
	order.first, _ = recovery.ParseOffset(s.Start)
	if n := len(s.Packets); n > 0 {
		order.first, _ = recovery.ParseOffset(s.Packets[n-1].Offset)
	}
	slices.SortStableFunc(r.events, func(a, b event) int { return a.Compare(b.Place) })
	rooms, changes := r.snap.roomsAtBase(), r.changes
	var missed []event
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
	s.Rooms = s.Rooms[:0]
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
		order.events = append(order.events, placed{e.Place, offset})
	}
	return s, order, nil
}

// confirmed returns how many of the events the client is known to have had, and to which place; zero if
// that is before them.
func (r *Rebuild) confirmed(missed []event) (n int, to Place) {
	start := r.snap.Session.Start
	if prefix, number, received, ok := recovery.ReadPlace([]byte(start)); ok && prefix == r.snap.Prefix {
		n, _ = slices.BinarySearchFunc(missed, Place{received, number + 1}, func(e event, p Place) int { return e.Compare(p) })
		return n, Place{received, number}
	}
	n = 1 + slices.IndexFunc(missed, func(e event) bool { return start != "" && e.packet.Offset == start })
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

// Order is the order of events that were rebuilt, as the clients of their server got them.
type Order struct {
	prefix string
	base   Place           // what is before it is known
	first  recovery.Offset // of the last event before
	events []placed
}

type placed struct {
	Place
	offset recovery.Offset
}

// Known returns the offset that a log has instead of one that it has not: that of an event which was
// emitted before the server was killed, and not published. A client that has it has all that was
// emitted before.
func (o *Order) Known(offset recovery.Offset) recovery.Offset {
	prefix, number, received, ok := recovery.ReadPlace(offset.Append(nil))
	place := Place{received, number}
	if !ok || prefix != o.prefix || place.Compare(o.base) <= 0 {
		return offset
	}
	known := o.first
	for _, e := range o.events {
		if e.Compare(place) > 0 {
			break
		}
		known = e.offset
	}
	return known
}
