package nats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed-d124fa34/socketio/broker"
)

const (
	// prefetch is how many messages are asked for at once.
	prefetch = 128
	// lookAgain is how long the reader waits for a message of the past before it asks
	// whether the message is still in the stream.
	lookAgain = time.Second
	// forgetReader is how long NATS keeps the state of a reader that has gone.
	forgetReader = 30 * time.Second
	// endTimeout is how long a subscription that ends waits until NATS has deleted its state.
	endTimeout = time.Second
)

// reader is one call of SubscribeAfter. It reads the messages of all channels, so that their
// numbers show whether one is missing.
type reader struct {
	h        *History
	to       broker.Subscriber
	channels map[string]string // by subject

	created time.Time // when the stream was created; numbers of another stream mean nothing
	last    uint64    // the number of the message that was read last
	ready   bool
	target  uint64        // the number of the last message of the past
	clock   time.Duration // how far the clock of NATS is ahead of ours
}

func (r *reader) read(ctx context.Context, l *link, after broker.Position) error {
	_, stream, err := r.h.stream(ctx, l)
	if err != nil {
		return err
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return err
	}
	r.begin(info, after)
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.last + 1,
		AckPolicy: jetstream.AckNonePolicy, InactiveThreshold: forgetReader, MemoryStorage: true, Replicas: 1,
	})
	if err != nil {
		return err
	}
	defer func() {
		if l.conn.IsConnected() {
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
			defer cancel()
			_ = stream.DeleteConsumer(ending, consumer.CachedInfo().Name) // if this fails, NATS does so after forgetReader
		}
	}()
	messages, err := consumer.Messages(jetstream.PullMaxMessages(prefetch), jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		if r.last >= r.target {
			r.beReady()
		}
		m, err := r.next(l.ctx, messages)
		switch {
		case errors.Is(err, natsgo.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) && l.ctx.Err() == nil:
			err = r.lookForTarget(ctx, stream)
		case err == nil:
			err = r.hand(m)
		}
		if err == nil {
			err = l.ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// begin finds out where the stream ends, and at which message the reader begins.
func (r *reader) begin(info *jetstream.StreamInfo, after broker.Position) {
	first, last := info.State.FirstSeq, info.State.LastSeq
	r.created, r.target = info.Created, last
	if !info.TimeStamp.IsZero() {
		r.clock = time.Until(info.TimeStamp)
	}
	created, number, ok := readPosition(after)
	switch {
	case after == "":
		r.last = last
	case !ok, created == r.created.UnixNano() && number > last: // the stream has lost messages
		r.last = last
		r.to.Gap(r.h.gap())
	case created != r.created.UnixNano(): // another stream: all its messages are new
		r.last = before(first)
		r.to.Gap(r.h.gap())
	default:
		r.last = number
		r.skipTo(first)
	}
}

func before(n uint64) uint64 { return max(n, 1) - 1 }

// skipTo continues at the message with a number. It reports a gap unless that is the one after
// last.
func (r *reader) skipTo(number uint64) {
	if r.last+1 < number {
		r.to.Gap(r.h.gap())
		r.last = number - 1
	}
}

// next returns the next message. It waits for lookAgain only, as long as messages of the past are missing.
func (r *reader) next(ctx context.Context, messages jetstream.MessagesContext) (jetstream.Msg, error) {
	if !r.ready {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lookAgain)
		defer cancel()
	}
	return messages.Next(jetstream.NextContext(ctx))
}

// lookForTarget asks NATS whether the messages of the past that have not come are still in
// the stream.
func (r *reader) lookForTarget(ctx context.Context, stream jetstream.Stream) error {
	info, err := stream.Info(ctx)
	if err == nil {
		r.skipTo(min(info.State.FirstSeq, r.target+1))
	}
	return err
}

// hand passes one message to the subscriber.
func (r *reader) hand(m jetstream.Msg) error {
	about, err := m.Metadata()
	if err != nil {
		return err
	}
	number := about.Sequence.Stream
	if number <= r.last {
		return fmt.Errorf("message %d of the stream came after message %d", number, r.last)
	}
	r.skipTo(number)
	if number > r.target {
		r.beReady()
	}
	if channel, ok := r.channels[m.Subject()]; ok {
		message := broker.Message{Channel: channel, Data: m.Data(), Position: r.position(number)}
		if !r.ready {
			message.Age = max(0, time.Since(about.Timestamp)+r.clock)
		}
		r.to.Handle(message)
	}
	r.last = number
	return nil
}

// beReady calls Ready, once: the subscriber has all messages of the past.
func (r *reader) beReady() {
	if !r.ready {
		r.ready = true
		r.to.Ready(r.position(r.last))
	}
}

// digits is the length of each of the two numbers of a position.
const digits = 16

// position returns the time when the stream was created and the number of a message, as a
// fixed number of hexadecimal digits, so that later positions are greater strings.
func (r *reader) position(number uint64) broker.Position {
	return broker.Position(fmt.Sprintf("%016x%016x", uint64(r.created.UnixNano()), number))
}

func readPosition(p broker.Position) (created int64, number uint64, ok bool) {
	if len(p) != 2*digits {
		return 0, 0, false
	}
	created, err := strconv.ParseInt(string(p[:digits]), 16, 64)
	if err != nil {
		return 0, 0, false
	}
	number, err = strconv.ParseUint(string(p[digits:]), 16, 64)
	return created, number, err == nil
}

// gap returns the error for messages that were no longer in the stream.
func (h *History) gap() error {
	return fmt.Errorf("%w: the stream %q of NATS was created to keep %d messages, %d bytes and %v (HistoryOptions.MaxMessages, MaxBytes, MaxAge; later: nats stream edit), or NATS has lost it",
		broker.ErrGap, h.opts.Stream, h.opts.MaxMessages, h.opts.MaxBytes, h.opts.MaxAge)
}
