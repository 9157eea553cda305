package nats

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed-d124fa34/socketio/broker"
)

// HistoryOptions says what a [History] keeps. Nil and the zero value mean every default.
// The fields except Stream have an effect only when the stream is created: a stream that
// exists already is used as it is. To change one, use the nats tool.
type HistoryOptions struct {
	// Stream is the name of the stream in JetStream: up to 200 letters, digits, "-" and
	// "_". All servers and emitters of one application must have the same, and each
	// application should have its own. The subjects of its messages begin with it. Zero
	// means "socketio".
	Stream string
	// MaxMessages is how many messages are kept. Zero means 100,000.
	MaxMessages int64
	// MaxBytes is how many bytes of messages are kept. Zero means 256 MiB.
	MaxBytes int64
	// MaxAge is how long messages are kept, within MaxMessages and MaxBytes. It must be at
	// least a second. Zero means 5 minutes.
	MaxAge time.Duration
	// Replicas is how many servers of a NATS cluster keep the stream. Zero means 1.
	Replicas int
	// InMemory keeps messages in memory instead of in files. They are lost when the NATS
	// server ends; servers that missed some then get a [broker.ErrGap].
	InMemory bool
}

var streamName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)

// complete returns the options with defaults.
func (o *HistoryOptions) complete() (HistoryOptions, error) {
	var c HistoryOptions
	if o != nil {
		c = *o
	}
	if c.Stream == "" {
		c.Stream = "socketio"
	}
	if c.MaxMessages == 0 {
		c.MaxMessages = 100_000
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 256 << 20
	}
	if c.MaxAge == 0 {
		c.MaxAge = 5 * time.Minute
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	switch {
	case !streamName.MatchString(c.Stream):
		return c, fmt.Errorf("field HistoryOptions.Stream is %.80q: use only letters, digits, - and _, at most 200 of them", c.Stream)
	case c.MaxMessages < 0:
		return c, fmt.Errorf("field HistoryOptions.MaxMessages is %d: set a positive number, or leave it 0 for the default of 100,000", c.MaxMessages)
	case c.MaxBytes < 0:
		return c, fmt.Errorf("field HistoryOptions.MaxBytes is %d: set a positive number, or leave it 0 for the default of 256 MiB", c.MaxBytes)
	case c.MaxAge < time.Second:
		return c, fmt.Errorf("field HistoryOptions.MaxAge is %v: set at least a second, or leave it 0 for the default of 5 minutes", c.MaxAge)
	case c.Replicas < 0:
		return c, fmt.Errorf("field HistoryOptions.Replicas is %d: set how many servers keep the stream, or leave it 0 for one", c.Replicas)
	}
	return c, nil
}

// History is a [broker.History] on a stream of NATS JetStream: a server that was cut off
// from NATS gets what it missed. The NATS servers must have JetStream enabled. The History
// creates the stream if there is none. Either all servers and emitters of an application
// use a History, or all use a [Broker]: a History does not get what a Broker publishes.
//
// A History is also a [broker.RecordStore]: its records are in a key-value bucket with the
// name of the stream and "-sessions", which it creates when it is first needed.
type History struct {
	b       *Broker
	opts    HistoryOptions
	records bucket
}

var (
	_ broker.History     = (*History)(nil)
	_ broker.BatchBroker = (*History)(nil)
	_ broker.RecordStore = (*History)(nil)
)

// NewHistory returns a broker on the NATS servers with the URLs, see [New], that keeps
// messages. The error is about the URL or the options.
func NewHistory(url string, o *HistoryOptions, options ...natsgo.Option) (*History, error) {
	opts, err := o.complete()
	if err != nil {
		return nil, explain(err)
	}
	b, err := New(url, options...)
	if err != nil {
		return nil, err
	}
	records, err := New(url, options...)
	if err != nil {
		return nil, err
	}
	return &History{b: b, opts: opts, records: bucket{b: records}}, nil
}

// Publish publishes a message, see [broker.Broker]. When it returns nil, the stream has
// the message.
func (h *History) Publish(ctx context.Context, channel string, data []byte) error {
	_, err := h.PublishBatch(ctx, channel, [][]byte{data})
	return err
}

// PublishBatch publishes messages in one round trip, see [broker.BatchBroker].
func (h *History) PublishBatch(ctx context.Context, channel string, messages [][]byte) (published int, err error) {
	err = h.b.calls.Do(ctx, func(ctx context.Context) error {
		return h.b.onLink(ctx, func(l *link) error {
			published, err = h.publish(ctx, l, h.subject(channel), messages)
			return err
		})
	})
	return published, err
}

func (h *History) subject(channel string) string { return h.opts.Stream + "." + subject(channel) }

func (h *History) publish(ctx context.Context, l *link, subject string, messages [][]byte) (published int, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if l.stream == nil {
		js, _, err := h.stream(ctx, l)
		if err != nil {
			return 0, err
		}
		l.stream = js
	}
	acks := make([]jetstream.PubAckFuture, 0, len(messages))
	var failed error // of the message after those in acks
	for _, data := range messages {
		if int64(len(data)) > l.conn.MaxPayload() {
			failed = l.tooBig(data)
			break
		}
		ack, err := l.stream.PublishAsync(subject, data, jetstream.WithRetryAttempts(0))
		if err != nil {
			failed = err
			break
		}
		acks = append(acks, ack)
	}
	for i, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			return i, err
		case <-ctx.Done():
			return i, ctx.Err()
		case <-l.ctx.Done():
			return i, context.Cause(l.ctx)
		}
	}
	return len(acks), failed
}

// stream returns the stream. It creates the stream if there is none.
func (h *History) stream(ctx context.Context, l *link) (jetstream.JetStream, jetstream.Stream, error) {
	js, err := jetstream.New(l.conn, jetstream.WithDefaultTimeout(askTimeout))
	if err != nil {
		return nil, nil, err
	}
	for range 2 { // another server may create it at the same time
		s, err := js.Stream(ctx, h.opts.Stream)
		if errors.Is(err, natsgo.ErrNoResponders) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
			err = fmt.Errorf("%w: enable JetStream in the configuration of NATS, or wait until it has a leader", err)
		}
		if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return js, s, err
		}
		s, err = js.CreateStream(ctx, h.config())
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return js, s, err
		}
	}
	return nil, nil, jetstream.ErrStreamNameAlreadyInUse
}

func (h *History) config() jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name: h.opts.Stream, Subjects: []string{h.opts.Stream + ".>"},
		Description: "messages between socketio servers",
		MaxMsgs:     h.opts.MaxMessages, MaxBytes: h.opts.MaxBytes, MaxAge: h.opts.MaxAge,
		Replicas: h.opts.Replicas, Storage: jetstream.FileStorage,
	}
	if h.opts.InMemory {
		c.Storage = jetstream.MemoryStorage
	}
	return c
}

// Subscribe receives messages, see [broker.Broker].
func (h *History) Subscribe(ctx context.Context, channels []string, ready func(), handle func(channel string, data []byte)) error {
	return h.SubscribeAfter(ctx, "", channels, broker.Subscriber{
		Ready:  func(broker.Position) { ready() },
		Handle: func(m broker.Message) { handle(m.Channel, m.Data) },
	})
}

// SubscribeAfter receives messages after a position, see [broker.History]. It returns an
// error if the connection does not answer pings, within 20 to 30 seconds. A call of Gap
// after Ready means that Handle is too slow: the stream has dropped messages before they
// were read.
func (h *History) SubscribeAfter(ctx context.Context, after broker.Position, channels []string, to broker.Subscriber) error {
	return h.b.calls.Do(ctx, func(ctx context.Context) error {
		l, err := h.b.connect(ctx, ctx)
		if err != nil {
			return err
		}
		defer l.close()
		r := &reader{h: h, to: to, channels: make(map[string]string, len(channels))}
		for _, channel := range channels {
			r.channels[h.subject(channel)] = channel
		}
		err = r.read(ctx, l, after)
		if cause := context.Cause(l.ctx); cause != nil {
			err = cause
		}
		return err
	})
}

// Close ends the subscriptions and the connections, see [broker.Broker]. It waits until
// all calls have returned, so do not call it in a function of a Subscriber.
func (h *History) Close() error { return errors.Join(h.b.Close(), h.records.b.Close()) }
