package broker

import "context"

// Broker carries messages between servers: bytes, published on named channels.
// It knows nothing of Socket.IO. All methods may be called from any goroutine,
// at any time.
//
// What servers rely on:
//
//   - A message reaches each subscription that is in force at most once.
//   - The messages of one publisher arrive in the order in which its calls of
//     Publish returned, unchanged, whatever their bytes.
//   - A publisher that has subscribed receives its own messages.
//   - Messages published while a subscription is not in force are lost to it.
//     Only a [History] can hand them over afterwards.
//
// A broker does not restore a lost subscription by itself: messages would be
// missing and nobody would know. Subscribe returns, and the server calls it
// again, after a pause that grows and is random. The broker notices a silent
// connection within half a minute or so; it sends keep-alive messages of its own.
type Broker interface {
	// Publish hands a message over. It neither keeps data nor changes it.
	//
	// Nil means that the service behind the broker has the message, or that
	// the message is on its way there on a connection that works as far as is
	// known. It says nothing about subscribers, of which there may be none.
	//
	// An error means that the message is lost, or may be: [ErrTooBig] if the
	// service never takes a message of this size, [ErrClosed] after Close, the
	// context's error if that ended first, anything else if the service is
	// away. The server then tries again later.
	Publish(ctx context.Context, channel string, data []byte) error

	// Subscribe receives the messages of the channels until the context ends,
	// the broker is closed or the subscription is lost. It returns why, and
	// never nil.
	//
	// It calls ready once, when every message published from then on will be
	// received, and then handle for each message: both in one goroutine, one
	// call after another, and neither after Subscribe has returned. handle
	// returns soon; it neither keeps data nor changes it. If handle is slower
	// than the publishers, the broker may end the subscription, but it does
	// not leave out messages.
	Subscribe(ctx context.Context, channels []string, ready func(), handle func(channel string, data []byte)) error

	// Close ends every subscription and closes the connection. When it
	// returns, no goroutine of the broker is left. Servers and emitters do not
	// call it: the program that made the broker does, after them.
	Close() error
}

// BatchBroker is a Broker that takes several messages at once for less than one
// after another. Servers and emitters use it when several messages wait.
type BatchBroker interface {
	Broker

	// PublishBatch is Publish for several messages of one channel, in their
	// order. It keeps neither the slices nor what is in them.
	//
	// It returns how many of them, from the first on, were published. If that
	// is not all, the error is about the next one; those after it may have
	// been published as well.
	PublishBatch(ctx context.Context, channel string, messages [][]byte) (published int, err error)
}
