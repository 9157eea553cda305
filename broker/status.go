package broker

import "time"

// Status is how a server or an emitter gets on with its broker.
type Status struct {
	// Connected is set while messages go out and, for a server, come in, as
	// far as is known. It is false before the first connection.
	Connected bool
	// Since is when Connected changed last.
	Since time.Time
	// Err is why it is not connected. It is nil if it is connected, or has not
	// tried yet.
	Err error
	// Outages counts how often the connection was lost.
	Outages uint64
	// Waiting and WaitingBytes are what waits to be published.
	Waiting, WaitingBytes int
	// Published and Received count messages. Own ones are not received.
	Published, Received uint64
	// Replayed counts those of Received that arrived after an outage, from the history of
	// a [History].
	Replayed uint64
	// Gaps counts the outages after which the history did not reach back to the beginning
	// of the outage, so that messages of other servers were lost. It stays zero with a
	// broker that is no [History]: such a broker loses messages in every outage.
	Gaps uint64
	// Dropped counts messages that were not published, because the broker was
	// away or too slow.
	Dropped uint64
	// Ignored counts messages from the channel that could not be read or
	// carried out.
	Ignored uint64
}
