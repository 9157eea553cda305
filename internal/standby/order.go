package standby

import "github.com/seed-d124fa34/socketio/internal/recovery"

// Order is the order of events that were rebuilt, as the clients of their server got them.
type Order struct {
	prefix string
	base   Place           // what is before it is known
	before recovery.Offset // of the last event before base
	events []placedOffset
}

// placedOffset is the offset of an event, and where the event is.
type placedOffset struct {
	Place
	offset recovery.Offset
}

// KnownOffset returns the offset of the newest event that a client has had which returns with an offset. The
// two differ if the client has last had an event that its server emitted before it was killed, and did not
// publish: such a client has all that was emitted before.
func (o *Order) KnownOffset(offset recovery.Offset) recovery.Offset {
	prefix, number, received, ok := recovery.ReadPlace(offset.Append(nil))
	place := Place{received, number}
	if !ok || prefix != o.prefix || place.Compare(o.base) <= 0 {
		return offset
	}
	known := o.before
	for _, e := range o.events {
		if e.Compare(place) > 0 {
			break
		}
		known = e.offset
	}
	return known
}
