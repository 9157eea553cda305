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
	// channels that were published after a position and are still kept. An empty
	// position means that nothing is received of the past.
	SubscribeAfter(ctx context.Context, after Position, channels []string, s Subscriber) error
}

// Subscriber is what a [History] calls for a subscription: all functions in one
// goroutine, one call after another, and none after SubscribeAfter has returned. All
// are required.
type Subscriber struct {
	// Handle gets each message in order: those that were published before the call of
	// SubscribeAfter before Ready is called, and later ones after it.
	Handle func(m Message)
	// Ready is called once, when all messages of the past have been handed over. at is
	// where the subscription then is: a subscriber that gets no more messages can
	// continue there.
	Ready func(at Position)
	// Gap is called before the next message if messages before it may be missing,
	// because they are no longer kept, or because the history does not know the
	// position. The error wraps ErrGap and says which setting would have kept them. The
	// subscription goes on with what is kept.
	Gap func(err error)
}

// Position is a place in a [History]. Its content is up to the broker. Of two
// positions of one history the later one is the greater string. The empty position
// is none.
type Position string

// Message is a message from a [History].
type Message struct {
	Channel string
	// Data is only valid until Handle returns, and must not be changed.
	Data []byte
	// Position is where the message is. It is greater than that of all earlier
	// messages.
	Position Position
	// Age is how long ago the message was published, by the clock of the service, if
	// that was before the call of SubscribeAfter. It is zero for later messages.
	Age time.Duration
}
