package broker

import (
	"context"
	"errors"
	"time"
)

// ErrGap: the history does not reach back to a position, so messages after it may be
// missing. See [History].
var ErrGap = errors.New("socketio: the broker's history does not reach back far enough")

// History is a Broker that keeps its messages for a while, so that a subscriber that
// was cut off continues where it stopped. A server uses it when its subscription is
// restored after an outage. How long messages are kept is up to the broker.
//
// All messages of a History have one order, whatever their channels. Publish
// appends to it.
type History interface {
	Broker

	// SubscribeAfter is Subscribe, except that it first receives the messages of the
	// channels that were published after a position and are still kept.
	//
	// It calls handle for each message that was published before the call, then ready
	// once, and then handle for each later message. An empty position means that
	// nothing is received of the past.
	//
	// The arguments of ready are where the subscription then is, so that a subscriber
	// that gets no message at all can continue there, and an error. The error is nil
	// if every message after the position has been received. It wraps ErrGap if some
	// may be missing, because they are no longer kept or the history does not know the
	// position; it says which setting would have kept them. What is still kept has
	// been received in this case, too, and the subscription goes on.
	//
	// If handle is so much slower than the publishers that messages are no longer
	// kept when they are due, the subscription ends.
	SubscribeAfter(ctx context.Context, after Position, channels []string, ready func(at Position, gap error), handle func(m Message)) error
}

// Position is a place in a [History]. Its content is up to the broker. Of two
// positions of one history the later one is the greater string. The empty position
// is none.
type Position string

// Message is a message from a [History].
type Message struct {
	Channel string
	// Data is only valid until handle returns, and must not be changed.
	Data []byte
	// Position is where the message is. It is greater than that of all earlier
	// messages.
	Position Position
	// Age is how long ago the message was published, by the clock of the service, if
	// that was before the call of SubscribeAfter. It is zero for later messages.
	Age time.Duration
}
