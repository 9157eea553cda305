package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-d124fa34/socketio/broker"
)

// HistoryOptions says what a [History] keeps. Nil and the zero value mean every default.
type HistoryOptions struct {
	// Stream is the key of the stream in Redis. All servers and emitters of one
	// application must have the same, and each application should have its own. Zero means
	// "socketio".
	Stream string
	// MaxLen is how many messages are kept. Redis keeps up to a few hundred more,
	// because it drops them in groups. It must be at least 1000. Zero means 100,000.
	MaxLen int64
	// MaxAge is how long messages are kept, if there are not more than MaxLen. Redis drops
	// older ones when new ones are published. It must be at least a second. Zero means
	// 5 minutes.
	MaxAge time.Duration
}

const (
	defaultStream = "socketio"
	defaultMaxLen = 100_000
	defaultMaxAge = 5 * time.Minute
	minMaxLen     = maxCount
)

// complete returns the options with defaults.
func (o *HistoryOptions) complete() (HistoryOptions, error) {
	var c HistoryOptions
	if o != nil {
		c = *o
	}
	if c.Stream == "" {
		c.Stream = defaultStream
	}
	if c.MaxLen == 0 {
		c.MaxLen = defaultMaxLen
	}
	if c.MaxAge == 0 {
		c.MaxAge = defaultMaxAge
	}
	switch {
	case c.MaxLen < minMaxLen:
		return c, fmt.Errorf("field HistoryOptions.MaxLen is %d: set at least %d, or leave it 0 for the default", c.MaxLen, minMaxLen)
	case c.MaxAge < time.Second:
		return c, fmt.Errorf("field HistoryOptions.MaxAge is %v: set at least a second, or leave it 0 for the default of 5 minutes", c.MaxAge)
	}
	return c, nil
}

// History is a [broker.History] on a Redis stream: a server that was cut off from Redis
// gets what it missed. All servers and emitters of the fleet must use one, because the
// messages go through the stream. Servers of Flask-SocketIO cannot be in the fleet: they
// subscribe with publish/subscribe.
//
// The stream is on one node, also in a Cluster. Configure maxmemory-policy so that Redis
// does not evict it. It stays in Redis when the application has ended, until somebody
// deletes the key. Redis confirms a message before its replicas have it, so the last
// messages before a failover may be lost without a [broker.ErrGap].
//
// A History is also a [broker.RecordStore]: its records are keys that begin with the name of
// the stream and ":session:", and expire.
type History struct {
	b       *Broker
	opts    HistoryOptions
	trimmed atomic.Int64 // when old messages were last dropped, in ms of Redis's clock
}

var (
	_ broker.History     = (*History)(nil)
	_ broker.BatchBroker = (*History)(nil)
	_ broker.RecordStore = (*History)(nil)
)

// NewHistory returns a broker on the Redis with a URL, see [New], that keeps messages.
// The error is about the URL or the options.
func NewHistory(url string, o *HistoryOptions) (*History, error) {
	opts, err := o.complete()
	if err != nil {
		return nil, explain(err)
	}
	b, err := New(url)
	if err != nil {
		return nil, err
	}
	return newHistory(b, opts), nil
}

// NewHistoryFromClient is [NewHistory] on a client, see [NewFromClient]. The client must be a
// *redis.Client or a *redis.ClusterClient of the go-redis library. Each subscription has
// a connection of its own, with the client's options.
func NewHistoryFromClient(client goredis.UniversalClient, o *HistoryOptions) (*History, error) {
	opts, err := o.complete()
	if err != nil {
		return nil, explain(err)
	}
	switch client.(type) {
	case *goredis.Client, *goredis.ClusterClient:
	default:
		return nil, explain(fmt.Errorf("the client is a %T: use a *redis.Client or a *redis.ClusterClient", client))
	}
	return newHistory(NewFromClient(client), opts), nil
}

func newHistory(b *Broker, opts HistoryOptions) *History {
	b.node = opts.Stream
	return &History{b: b, opts: opts}
}

// Publish publishes a message, see [broker.Broker]. When it returns nil, Redis has the
// message.
func (h *History) Publish(ctx context.Context, channel string, data []byte) error {
	return h.b.publish(ctx, func(ctx context.Context, node goredis.Cmdable) error {
		id, err := h.add(ctx, node, channel, data).Result()
		if err == nil {
			h.trim(ctx, node, id)
		}
		return err
	})
}

// PublishBatch publishes messages in one round trip, see [broker.BatchBroker].
func (h *History) PublishBatch(ctx context.Context, channel string, messages [][]byte) (published int, err error) {
	err = h.b.publish(ctx, func(ctx context.Context, node goredis.Cmdable) error {
		var last *goredis.StringCmd
		answers, err := node.Pipelined(ctx, func(p goredis.Pipeliner) error {
			for _, data := range messages {
				last = h.add(ctx, p, channel, data)
			}
			return nil
		})
		published = len(messages)
		if err != nil {
			published = max(0, slices.IndexFunc(answers, func(a goredis.Cmder) bool { return a.Err() != nil }))
		} else if last != nil {
			h.trim(ctx, node, last.Val())
		}
		return err
	})
	return published, err
}

// add appends a message to the stream. Its entry has one field: the channel.
func (h *History) add(ctx context.Context, node goredis.Cmdable, channel string, data []byte) *goredis.StringCmd {
	return node.XAdd(ctx, &goredis.XAddArgs{
		Stream: h.opts.Stream, MaxLen: h.opts.MaxLen, Approx: true, Values: []any{channel, data},
	})
}

// trim drops messages that are older than MaxAge, unless it has done so lately. now is the
// id of a new message: it contains Redis's time.
func (h *History) trim(ctx context.Context, node goredis.Cmdable, now string) {
	id, ok := parseID(now)
	if !ok {
		return
	}
	maxAge := h.opts.MaxAge.Milliseconds()
	last := h.trimmed.Load()
	if int64(id.ms)-last < maxAge/10 || !h.trimmed.CompareAndSwap(last, int64(id.ms)) {
		return
	}
	oldest := entryID{ms: id.ms - uint64(maxAge)}
	_ = node.XTrimMinIDApprox(ctx, h.opts.Stream, oldest.String(), 0).Err() // the next call repeats it, and Redis enforces MaxLen anyway
}

// Subscribe receives messages, see [broker.Broker].
func (h *History) Subscribe(ctx context.Context, channels []string, ready func(), handle func(channel string, data []byte)) error {
	return h.SubscribeAfter(ctx, "", channels, broker.Subscriber{
		Ready:  func(broker.Position) { ready() },
		Handle: func(m broker.Message) { handle(m.Channel, m.Data) },
	})
}

// SubscribeAfter receives messages after a position, see [broker.History]. It returns an
// error if the connection has been silent for 20 seconds. A call of Gap after Ready means
// that Handle is too slow: the stream has dropped messages before they were read.
func (h *History) SubscribeAfter(ctx context.Context, after broker.Position, channels []string, to broker.Subscriber) error {
	return h.b.calls.Do(ctx, func(ctx context.Context) error {
		client, err := h.dial(ctx)
		if err != nil {
			return err
		}
		defer client.Close()
		r := &reader{h: h, client: client, to: to, channels: make(map[string]bool, len(channels)), count: firstCount}
		for _, channel := range channels {
			r.channels[channel] = true
		}
		err = r.read(ctx, after)
		if cluster, ok := h.b.client.(*goredis.ClusterClient); ok && ctx.Err() == nil {
			cluster.ReloadState(ctx) // the node may have left the Cluster
		}
		return err
	})
}

// dial returns a client for one subscription. The client has one connection. It is closed
// when the context ends, because the library does not interrupt a command that waits.
func (h *History) dial(ctx context.Context) (*goredis.Client, error) {
	var client *goredis.Client
	switch c := h.b.client.(type) {
	case *goredis.Client:
		client = c
	case *goredis.ClusterClient:
		node, err := c.MasterForKey(ctx, h.opts.Stream)
		if err != nil {
			return nil, err
		}
		client = node
	}
	o := *client.Options()
	o.PoolSize, o.MinIdleConns, o.MaxRetries = 1, 0, -1
	o.ContextTimeoutEnabled = true
	o.Dialer = closing(ctx, o.Dialer)
	return goredis.NewClient(&o), nil
}

// Close ends the subscriptions and the connections, see [broker.Broker]. It waits until
// all calls have returned, so do not call it in a function of a Subscriber.
func (h *History) Close() error { return h.b.Close() }

// gap returns the error for messages that were no longer in the stream.
func (h *History) gap() error {
	return fmt.Errorf("%w: the stream %q of Redis keeps %d messages and %v (HistoryOptions.MaxLen, MaxAge), or Redis has lost it",
		broker.ErrGap, h.opts.Stream, h.opts.MaxLen, h.opts.MaxAge)
}

// errNoStream: the stream does not exist.
var errNoStream = errors.New("there is no stream")
