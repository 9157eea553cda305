// Package nats is a [broker.Broker] on NATS: several socketio servers on one
// NATS system are one application.
//
//	broker, err := nats.New("nats://localhost:4222")
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer broker.Close() // after Shutdown
//	srv := socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: broker}})
//
// [New] uses the core of NATS: nothing is stored, JetStream is not needed, and one
// server serves as well as a cluster. [NewHistory] uses JetStream: a server that was
// cut off from NATS gets what it missed. A message is at most as big as NATS takes,
// by default 1 MiB (max_payload in its configuration). Flask-SocketIO
// does not speak NATS: fleets with Python servers use brokers/redis.
package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/calls"
)

// Broker publishes to NATS, on one connection, and receives, on one for each
// subscription. Servers share it; it connects when it is needed, and again
// whenever it has to.
type Broker struct {
	url     string
	options []natsgo.Option
	ping    time.Duration // between the questions whether a connection works
	calls   *calls.Group  // of Publish and Subscribe

	turn      chan struct{} // has an element while publisher is used
	publisher *link         // nil, or lost, until it is needed
}

var _ broker.Broker = (*Broker)(nil)

const (
	// A connection with an unanswered ping is given up when the next is due: a
	// silent one is noticed within 20 to 30 seconds.
	pingInterval = 10 * time.Second
	pingsOut     = 1

	dialTimeout  = 5 * time.Second
	writeTimeout = 5 * time.Second
	askTimeout   = 5 * time.Second
)

// New returns a broker on the NATS servers with the URLs, separated by commas:
//
//	nats://[user:password@]host[:port],nats://host[:port]
//	nats://[token@]host[:port]
//	tls://host[:port]                    with TLS
//	ws://host:port, wss://host:port      over WebSocket
//
// What a URL cannot say, such as certificates and credentials, goes to options
// of the nats.go library: natsgo.RootCAs, natsgo.ClientCert,
// natsgo.UserCredentials, natsgo.Nkey and others. Those about reconnecting,
// pings and buffers have no effect, because the broker and the server see to
// that. New does not connect: that NATS is away shows in
// Server.BrokerStatus. The error is about the URL or the options.
func New(url string, options ...natsgo.Option) (*Broker, error) {
	if err := checkURL(url); err != nil {
		return nil, fmt.Errorf("socketio: nats: %w", err)
	}
	trial := natsgo.GetDefaultOptions()
	for _, option := range options {
		if option == nil {
			continue
		}
		if err := option(&trial); err != nil {
			return nil, explain(err)
		}
	}
	return &Broker{url: url, options: options, ping: pingInterval, calls: calls.New(explain), turn: make(chan struct{}, 1)}, nil
}

func explain(err error) error {
	if strings.HasPrefix(err.Error(), "nats: ") { // most of the library's
		return fmt.Errorf("socketio: %w", err)
	}
	return fmt.Errorf("socketio: nats: %w", err)
}

// Publish publishes a message, see [broker.Broker]. It returns when the
// message is on its way; only the first on a channel, after each connecting,
// waits until NATS has confirmed that the user may publish there.
func (b *Broker) Publish(ctx context.Context, channel string, data []byte) error {
	return b.calls.Do(ctx, func(ctx context.Context) error { return b.publish(ctx, channel, data) })
}

func (b *Broker) publish(ctx context.Context, channel string, data []byte) error {
	return b.onLink(ctx, func(l *link) error {
		s := subject(channel)
		err := l.conn.Publish(s, data)
		switch {
		case errors.Is(err, natsgo.ErrMaxPayload):
			return l.tooBig(data)
		case err == nil && !l.confirmed[s]:
			if err = l.confirm(ctx); err == nil {
				if len(l.confirmed) >= maxConfirmed {
					clear(l.confirmed)
				}
				l.confirmed[s] = true
			}
		}
		return err
	})
}

// onLink calls f with the connection for publishing, one call at a time. A connection
// on which something failed, unless a message was too big, is not used again.
func (b *Broker) onLink(ctx context.Context, f func(l *link) error) error {
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.turn }()
	if b.publisher == nil || b.publisher.ctx.Err() != nil {
		b.hangUp()
		l, err := b.connect(ctx, b.calls.Context())
		if err != nil {
			return err
		}
		b.publisher = l
	}
	err := f(b.publisher)
	if err != nil && !errors.Is(err, broker.ErrTooBig) {
		b.hangUp() // the next message begins anew
	}
	return err
}

// hangUp closes the connection for publishing. The caller has the turn.
func (b *Broker) hangUp() {
	if b.publisher != nil {
		b.publisher.close()
		b.publisher = nil
	}
}

// Subscribe receives messages, see [broker.Broker]. A subscription whose
// connection does not answer pings is given up after 20 to 30 seconds, and one for
// which 64 MiB wait because handle is slow, at once.
//
// Ready means that the NATS server connected to knows: in a cluster of NATS
// servers the others hear of it a moment later.
func (b *Broker) Subscribe(ctx context.Context, channels []string, ready func(), handle func(channel string, data []byte)) error {
	return b.calls.Do(ctx, func(ctx context.Context) error { return b.subscribe(ctx, channels, ready, handle) })
}

func (b *Broker) subscribe(ctx context.Context, channels []string, ready func(), handle func(channel string, data []byte)) error {
	l, err := b.connect(ctx, ctx)
	if err != nil {
		return err
	}
	defer l.close()
	s := &subscription{
		channels: make(map[string]string, len(channels)),
		arrived:  make(chan *natsgo.Msg, maxBurst),
		wake:     make(chan struct{}, 1),
	}
	for _, channel := range channels {
		name := subject(channel)
		if _, ok := s.channels[name]; ok {
			continue // named twice
		}
		s.channels[name] = channel
		if _, err := l.conn.ChanSubscribe(name, s.arrived); err != nil {
			return err
		}
	}
	if err := l.confirm(ctx); err != nil {
		return err
	}
	var collector sync.WaitGroup
	collector.Go(func() { s.collect(l) })
	defer collector.Wait()
	ready()
	s.handle(l, handle)
	cause := context.Cause(l.ctx)
	l.cancel(cause) // ends collect
	return cause
}

// Close ends the subscriptions and the connections, see [broker.Broker]. It
// waits until the calls have returned: it is not to be called by one.
func (b *Broker) Close() error {
	b.calls.Close()
	b.turn <- struct{}{} // Close may be called twice at once
	defer func() { <-b.turn }()
	b.hangUp()
	return nil
}
