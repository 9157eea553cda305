// Package redis is a [broker.Broker] on Redis publish/subscribe: several
// socketio servers on one Redis are one application, and so are servers of
// Flask-SocketIO with message_queue="redis://...".
//
//	broker, err := redis.New("redis://localhost:6379")
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer broker.Close() // after Shutdown
//	srv := socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: broker}})
//
// It works with Redis and with whatever speaks its protocol (Valkey and others), as a
// single node, behind Sentinel, or as a Cluster. The number of the database does
// not matter for publish/subscribe. Nothing is stored.
//
// [NewHistory] is for fleets without servers of Flask-SocketIO. It uses a stream, and a
// server that was cut off from Redis gets what it missed.
//
// The server logs an outage twice: when it begins and when it ends. The go-redis
// library writes lines of its own to standard error, "redis: ... failed to dial", for
// every attempt in between. It has one logger for the whole process, which the
// application may replace: with SetLogger of the library (see the example), or with
// Disable of its package logging, which drops the lines.
package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/calls"
)

// Broker publishes and receives through Redis. Several servers of a process can share
// one. It connects when it is first used, and again after each outage.
type Broker struct {
	client   goredis.UniversalClient
	own      bool          // New made the client
	node     string        // a key: its node of a Cluster is the one that gets what is published
	ping     time.Duration // how long a subscription may be silent before it is pinged
	patience time.Duration // how long the pong may take
	calls    *calls.Group  // of Publish and Subscribe
}

var _ broker.BatchBroker = (*Broker)(nil)

const (
	pingInterval = 10 * time.Second
	pingPatience = 10 * time.Second
)

// New returns a broker on the Redis with a URL:
//
//	redis://[user:password@]host[:port]       one node; rediss:// with TLS
//	unix://[user:password@]/path/redis.sock
//	redis+sentinel://[user:password@]host:port,host:port/[db]/name
//	redis+cluster://[user:password@]host:port,host:port
//
// rediss+sentinel and rediss+cluster use TLS. In the form with Sentinel, as in
// Flask-SocketIO's, user and password are those of Redis, and the name is that
// of the master. For what a URL cannot say, such as certificates or the password of
// the Sentinels, use [NewFromClient]. New does not connect: Server.BrokerStatus says
// whether Redis can be reached. The error is about the URL.
func New(url string) (*Broker, error) {
	client, err := newClient(url)
	if err != nil {
		return nil, explain(err)
	}
	b := NewFromClient(client)
	b.own = true
	return b, nil
}

// NewFromClient returns a broker on a client of the go-redis library. The caller closes
// the client, after the broker. Of the client's options, set MaxRetries to -1, because
// otherwise a message may arrive twice, and ContextTimeoutEnabled to true.
func NewFromClient(client goredis.UniversalClient) *Broker {
	return &Broker{
		client: client, node: rand.Text(), // random, so that many brokers use all nodes
		ping: pingInterval, patience: pingPatience, calls: calls.New(explain),
	}
}

func explain(err error) error { return fmt.Errorf("socketio: redis: %w", err) }

// Publish publishes a message, see [broker.Broker]. When it returns nil, Redis
// has the message.
func (b *Broker) Publish(ctx context.Context, channel string, data []byte) error {
	return b.publish(ctx, func(ctx context.Context, node goredis.Cmdable) error {
		return node.Publish(ctx, channel, data).Err()
	})
}

// PublishBatch publishes messages in one round trip, see [broker.BatchBroker].
func (b *Broker) PublishBatch(ctx context.Context, channel string, messages [][]byte) (published int, err error) {
	err = b.publish(ctx, func(ctx context.Context, node goredis.Cmdable) error {
		answers, err := node.Pipelined(ctx, func(p goredis.Pipeliner) error {
			for _, data := range messages {
				p.Publish(ctx, channel, data)
			}
			return nil
		})
		published = len(messages)
		if err != nil {
			published = max(0, slices.IndexFunc(answers, func(a goredis.Cmder) bool { return a.Err() != nil }))
		}
		return err
	})
	return published, err
}

// publish publishes through one node of a Cluster. Any node would do, but it is the same for
// all messages: through several nodes they could overtake each other.
func (b *Broker) publish(ctx context.Context, through func(ctx context.Context, node goredis.Cmdable) error) error {
	return b.calls.Do(ctx, func(ctx context.Context) error {
		cluster, ok := b.client.(*goredis.ClusterClient)
		if !ok {
			return through(ctx, b.client)
		}
		node, err := cluster.MasterForKey(ctx, b.node)
		if err != nil {
			return err
		}
		if err = through(ctx, node); err != nil {
			cluster.ReloadState(ctx) // the node may have left the Cluster
		}
		return err
	})
}

// errSilent ends a subscription whose connection does not answer pings.
var errSilent = errors.New("the connection is silent")

// Subscribe receives messages, see [broker.Broker]. It pings a silent connection
// every 10 seconds, and returns an error if there is no answer within 10 seconds more.
func (b *Broker) Subscribe(ctx context.Context, channels []string, ready func(), handle func(channel string, data []byte)) error {
	return b.calls.Do(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithCancelCause(ctx)
		s := &subscription{b: b, sub: b.client.Subscribe(ctx), cancel: cancel}
		stop := context.AfterFunc(ctx, func() { _ = s.sub.Close() }) // this makes Receive return
		var watch sync.WaitGroup
		watch.Go(func() { s.watch(ctx) })
		err := s.receive(ctx, channels, ready, handle)
		cause := context.Cause(ctx) // before the next line cancels it
		cancel(nil)
		stop()
		_ = s.sub.Close()
		watch.Wait()
		if errors.Is(cause, errSilent) {
			err = cause
		}
		return err
	})
}

// subscription is one call of Subscribe.
type subscription struct {
	b      *Broker
	sub    *goredis.PubSub
	cancel context.CancelCauseFunc
	heard  atomic.Int64 // how many messages have arrived
	busy   atomic.Bool  // a message is being handled
}

// receive returns at the first failure. The library would subscribe again by itself, and
// nobody would know of the gap.
func (s *subscription) receive(ctx context.Context, channels []string, ready func(), handle func(channel string, data []byte)) error {
	if err := s.sub.Subscribe(ctx, channels...); err != nil {
		return err
	}
	missing := len(channels)
	for {
		msg, err := s.sub.Receive(ctx)
		if err != nil {
			if errors.Is(err, goredis.ErrClosed) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		s.heard.Add(1)
		switch m := msg.(type) {
		case *goredis.Subscription:
			if missing--; missing == 0 {
				ready()
			} else if missing < 0 {
				return errors.New("the connection was lost and made again")
			}
		case *goredis.Message:
			s.busy.Store(true)
			handle(m.Channel, bytesOf(m.Payload))
			s.busy.Store(false)
		}
	}
}

// bytesOf returns the bytes of a string without copying them. They must not be changed:
// Subscribe demands this of handle.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// watch pings a silent connection, and ends it if there is no answer.
func (s *subscription) watch(ctx context.Context) {
	timer := time.NewTimer(s.b.ping)
	defer timer.Stop()
	asked := false
	for last := int64(-1); ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		heard := s.heard.Load()
		switch {
		case heard != last || s.busy.Load():
			asked = false
			timer.Reset(s.b.ping)
		case asked:
			s.cancel(errSilent)
			return
		default:
			asked = true
			if err := s.sub.Ping(ctx); err != nil {
				s.cancel(fmt.Errorf("%w: %w", errSilent, err))
				return
			}
			timer.Reset(s.b.patience)
		}
		last = heard
	}
}

// Close ends the subscriptions and the connections, see [broker.Broker]. It waits until all
// calls have returned, so do not call it in handle.
func (b *Broker) Close() error {
	if first := b.calls.Close(); !first || !b.own {
		return nil
	}
	if err := b.client.Close(); err != nil {
		return fmt.Errorf("socketio: redis: close: %w", err)
	}
	return nil
}
