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
// [New] uses core NATS, a single server or a cluster: nothing is stored, and JetStream
// is not needed. [NewHistory] uses JetStream: a server that was cut off from NATS gets
// what it missed. NATS limits the size of a message, by default to 1 MiB (max_payload in
// its configuration). Flask-SocketIO does not speak NATS: fleets with Python servers use
// brokers/redis.
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

// Broker publishes to NATS on one connection, and receives on another one for each
// subscription. Several servers of a process can share a Broker. It connects when it is
// first used, and again after each outage.
type Broker struct {
	url     string
	options []natsgo.Option
	ping    time.Duration // between two pings
	calls   *calls.Group  // of Publish and Subscribe

	turn      chan struct{} // has an element while a call uses publisher
	publisher *link         // nil or lost, until the next message is published
}

var _ broker.Broker = (*Broker)(nil)

const (
	// A connection is lost if a ping is unanswered when the next one is due, so a
	// silent one is lost within 20 to 30 seconds.
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
// For what a URL cannot say, such as certificates and credentials, there are the options
// of the nats.go library: natsgo.RootCAs, natsgo.ClientCert, natsgo.UserCredentials,
// natsgo.Nkey and others. Those about reconnecting, pings and buffers have no effect,
// because the broker and the server take care of that. New does not connect:
// Server.BrokerStatus says whether NATS can be reached. The error is about the URL or
// the options.
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
	if strings.HasPrefix(err.Error(), "nats: ") { // most errors of the library begin so
		return fmt.Errorf("socketio: %w", err)
	}
	return fmt.Errorf("socketio: nats: %w", err)
}

// Publish publishes a message, see [broker.Broker]. It returns when the message is on its
// way. Only the first message on a channel after each connect waits: until NATS has
// confirmed that the user may publish there.
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

// onLink calls f with the connection for publishing, one call at a time. It closes the
// connection if f fails, except because a message was too big.
func (b *Broker) onLink(ctx context.Context, f func(l *link) error) error {
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.turn }()
	if b.publisher == nil || b.publisher.ctx.Err() != nil {
		b.closePublisher()
		l, err := b.connect(ctx, b.calls.Context())
		if err != nil {
			return err
		}
		b.publisher = l
	}
	err := f(b.publisher)
	if err != nil && !errors.Is(err, broker.ErrTooBig) {
		b.closePublisher() // the next message connects again
	}
	return err
}

// closePublisher closes the connection for publishing. The caller has the turn.
func (b *Broker) closePublisher() {
	if b.publisher != nil {
		b.publisher.close()
		b.publisher = nil
	}
}

// Subscribe receives messages, see [broker.Broker]. It returns an error if the connection
// does not answer pings, within 20 to 30 seconds, and if 64 MiB of messages wait because
// handle is slow.
//
// It calls ready when the NATS server to which it is connected knows of the subscription.
// The other servers of a NATS cluster know of it a moment later.
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
	l.cancel(cause) // this ends collect
	return cause
}

// Close ends the subscriptions and the connections, see [broker.Broker]. It waits until all
// calls have returned, so do not call it in handle.
func (b *Broker) Close() error {
	b.calls.Close()
	b.turn <- struct{}{} // two goroutines may call Close at once
	defer func() { <-b.turn }()
	b.closePublisher()
	return nil
}
