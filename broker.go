package socketio

import "context"

// Broker carries messages between servers: bytes, published on named channels.
// It knows nothing of Socket.IO. [Options].Cluster.Broker makes several servers one
// application; brokers/redis and brokers/nats, modules of their own, implement
// it, and package brokertest checks any other implementation. All methods may
// be called from any goroutine, at any time.
//
// What servers rely on: a message reaches each subscription that is in force at
// most once; the messages of one publisher arrive in the order in which its
// calls of Publish returned, unchanged, whatever their bytes. Messages published
// while a subscription is not in force are lost to it: there is no replay.
// A publisher receives its own messages if it has subscribed.
//
// A broker does not reconnect a subscription behind its subscriber's back,
// because messages would be missing without anybody knowing: Subscribe returns,
// and is called again. The waiting between attempts, which grows and is random,
// is the server's. A connection that has gone silent is to be noticed by the
// broker, with keep-alive messages of its own, within half a minute or so.
type Broker interface {
	// Publish hands a message over. Nil means that the service behind the
	// broker has it, or that it is on its way there on a connection that
	// works as far as is known; it says nothing about subscribers, of which
	// there may be none. An error means that the message is lost, or may be:
	// [ErrMessageTooBig] if the service never takes a message of this size,
	// [ErrBrokerClosed] after Close, the context's error if that ended first,
	// anything else if the service is away; then the server tries
	// again later. Publish does not keep data, and does not change it.
	Publish(ctx context.Context, channel string, data []byte) error

	// Subscribe receives the messages of the channels until the context ends,
	// the broker is closed or the subscription is lost, and returns why: never
	// nil. It calls ready once, when every message published from then on
	// will be received, and then handle for each message, both in one
	// goroutine, one call after another. handle returns soon; it neither
	// keeps data nor changes it. Neither is called after Subscribe has
	// returned. A broker that is overtaken by its publishers, because handle
	// is slow, may end the subscription, but not leave out messages.
	Subscribe(ctx context.Context, channels []string, ready func(), handle func(channel string, data []byte)) error

	// Close ends every subscription and closes the connection: when it
	// returns, no goroutine of the broker is left. Servers and emitters do
	// not call it: who made the broker does, after them.
	Close() error
}

// BatchBroker is a Broker that takes several messages at once, for less than one
// after another. A server or Emitter with such a Broker uses it when several
// messages wait to be published.
type BatchBroker interface {
	Broker

	// PublishBatch is Publish for several messages of one channel, in their
	// order. It returns how many of them, from the first on, were published;
	// if that is not all, the error is about the next one. Those after it may
	// have been published as well. It keeps neither the slices nor what is in
	// them.
	PublishBatch(ctx context.Context, channel string, messages [][]byte) (published int, err error)
}
