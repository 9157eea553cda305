package standby

import "github.com/seed-d124fa34/socketio/internal/recovery"

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
