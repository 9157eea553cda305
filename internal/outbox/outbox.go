package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/plural"
)

const (
	publishTimeout = 10 * time.Second // for one message, or one batch

	// replayDelay is how long what was kept waits when the broker is back:
	// until the other servers, after their pauses, have subscribed again. It is not
	// needed if they get from a broker.History what they missed.
	replayDelay = maxBackoff + time.Second
)

// probe is published to find out whether the broker is back: a message that means
// nothing to anybody.
var probe = []byte("{}")

// IsProbe reports whether a message is one that outboxes publish to find out
// whether the broker is back.
func IsProbe(data []byte) bool { return string(data) == string(probe) }

// Options are what an Outbox needs to know.
type Options struct {
	Broker  broker.Broker
	Channel string // where probes go
	Limit   int    // bytes that may wait; one message is accepted whatever its size
	Keep    int    // bytes that are kept while the broker is away
	Logger  *slog.Logger
	// WriteOnly means that there is no subscription: the link is connected when
	// publishing works.
	WriteOnly bool
}

// Outbox hands messages to a broker. All methods may be called from any
// goroutine. One goroutine is its own: New starts it and Close ends it.
type Outbox struct {
	Link *Link

	opts    Options
	batches broker.BatchBroker // opts.Broker, nil if it takes only one message at once
	history bool               // opts.Broker keeps messages

	wake chan struct{}      // has an element when there is something new
	stop context.CancelFunc // ends the goroutine, whatever waits
	done chan struct{}      // closed when the goroutine has ended

	mu       sync.Mutex
	queue    queue
	waits    bool // the goroutine looks at the queue only when it is woken
	away     bool // the last attempt failed
	retry    bool // the next attempt need not wait
	overflew bool // a message was dropped for want of room, which has not been logged
	closing  bool // nothing is accepted any more
}

// New starts an outbox.
func New(opts Options) *Outbox {
	ctx, stop := context.WithCancel(context.Background())
	o := &Outbox{
		Link: newLink(opts.Logger, opts.WriteOnly), opts: opts,
		wake: make(chan struct{}, 1), stop: stop, done: make(chan struct{}),
	}
	o.batches, _ = opts.Broker.(broker.BatchBroker)
	_, o.history = opts.Broker.(broker.History)
	if opts.WriteOnly { // so that the status is known
		o.queue.push(message{channel: opts.Channel, data: probe, transient: true})
		o.signal()
	}
	go o.run(ctx)
	return o
}

// Put queues a message, whose bytes become the outbox's. It reports false if the
// message had to be dropped. It neither waits nor calls anybody.
func (o *Outbox) Put(channel string, data []byte) bool {
	return o.put(message{channel: channel, data: data})
}

// PutReporting is Put, and calls dropped if the message, having been accepted, is dropped before
// Close: because of an outage, or because the broker never takes a message of its size
// (broker.ErrTooBig). Any goroutine may call it, with no lock held.
func (o *Outbox) PutReporting(channel string, data []byte, dropped func(error)) bool {
	return o.put(message{channel: channel, data: data, dropped: dropped})
}

// PutTransient is Put for a message that is of no use later: it is dropped at
// once while the broker is away, and does not count in the status.
func (o *Outbox) PutTransient(channel string, data []byte) bool {
	return o.put(message{channel: channel, data: data, transient: true})
}

func (o *Outbox) put(m message) bool {
	accepted, trimmed := o.accept(m)
	if trimmed {
		o.report(o.Link.publishError())
	}
	return accepted
}

// report calls the functions of messages that were dropped.
func (o *Outbox) report(err error) {
	o.mu.Lock()
	undelivered := o.queue.undelivered
	o.queue.undelivered = nil
	o.mu.Unlock()
	for _, dropped := range undelivered {
		dropped(err)
	}
}

func (o *Outbox) accept(m message) (accepted, trimmed bool) {
	size := m.size()
	o.mu.Lock()
	switch {
	case o.closing || o.away && (m.transient || size > o.opts.Keep):
	case !o.away && o.queue.size > 0 && o.queue.size+size > o.opts.Limit:
		o.overflew = true
	default:
		accepted = true
		o.queue.push(m)
		if o.away {
			o.Link.dropped.Add(o.queue.trim(o.opts.Keep))
			trimmed = len(o.queue.undelivered) > 0
		}
	}
	waits := o.waits
	o.waits = false
	o.mu.Unlock()
	if waits {
		o.signal()
	}
	if !accepted && !m.transient {
		o.Link.dropped.Add(1)
	}
	return accepted, trimmed
}

func (o *Outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Retry ends the wait for the next attempt: the broker seems to be back.
func (o *Outbox) Retry() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.retry = true
	o.signal()
}

// Status returns the state of the link, and what waits.
func (o *Outbox) Status() broker.Status {
	s := o.Link.status()
	o.mu.Lock()
	defer o.mu.Unlock()
	s.Waiting, s.WaitingBytes = o.queue.len(), o.queue.size
	return s
}

// Close ends the outbox when everything is published, or when the context ends.
// The error says how many messages were lost.
func (o *Outbox) Close(ctx context.Context) error {
	o.mu.Lock()
	o.closing = true
	o.signal()
	o.mu.Unlock()
	select {
	case <-o.done:
	case <-ctx.Done():
		o.stop()
		<-o.done // the broker returns when its context ends
	}
	o.stop()
	o.mu.Lock()
	lost := o.queue.clear()
	o.mu.Unlock()
	o.Link.dropped.Add(lost)
	if lost > 0 {
		return fmt.Errorf("socketio: %s not published: %w", plural.Of(lost, "message"), errors.Join(ctx.Err(), o.Link.publishError()))
	}
	return nil
}

func (o *Outbox) run(ctx context.Context) {
	defer close(o.done)
	failures := 0
	for {
		messages, ok := o.next(ctx, failures)
		if !ok {
			return
		}
		n, err := o.publish(ctx, messages)
		clear(messages[:n]) // for the garbage collector
		messages = messages[n:]
		switch {
		case err == nil:
			failures = 0
			o.arrived(ctx)
		case errors.Is(err, broker.ErrTooBig):
			o.tooBig(messages[0], err)
			o.putBack(messages[1:])
			clear(messages)
		case ctx.Err() != nil:
			o.putBack(messages)
			return
		default:
			failures++
			o.failed(messages, err)
			if errors.Is(err, broker.ErrClosed) {
				return
			}
		}
	}
}

// publish hands messages of one channel over. It returns how many the broker has
// taken; if that is not all, the error is about the next one.
func (o *Outbox) publish(ctx context.Context, messages []message) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if len(messages) == 1 {
		if err = o.opts.Broker.Publish(ctx, messages[0].channel, messages[0].data); err == nil {
			n = 1
		}
	} else {
		data := make([][]byte, 0, len(messages))
		for _, m := range messages {
			data = append(data, m.data)
		}
		n, err = o.batches.PublishBatch(ctx, messages[0].channel, data)
	}
	for _, m := range messages[:n] {
		if !m.transient {
			o.Link.published.Add(1)
		}
	}
	return n, err
}

// next waits for something to publish: messages, or, while the broker is away,
// a probe when it is time. ok is false when the outbox is to end.
func (o *Outbox) next(ctx context.Context, failures int) (messages []message, ok bool) {
	var pause <-chan time.Time
	if failures > 0 {
		timer := time.NewTimer(Backoff(failures))
		defer timer.Stop()
		pause = timer.C
	}
	for due := false; ; {
		o.warn()
		o.mu.Lock()
		due = due || o.retry
		o.retry = false
		switch {
		case o.queue.len() == 0 && o.closing:
			o.mu.Unlock()
			return nil, false
		case o.away && due:
			o.mu.Unlock()
			return []message{{channel: o.opts.Channel, data: probe, transient: true}}, true
		case !o.away && o.queue.len() > 0:
			messages = o.queue.take(o.batches != nil)
			o.mu.Unlock()
			return messages, true
		}
		o.waits = true
		o.mu.Unlock()
		select {
		case <-o.wake:
		case <-pause:
			due = true
		case <-ctx.Done():
			return nil, false
		}
	}
}

// warn logs that messages were dropped for want of room.
func (o *Outbox) warn() {
	o.mu.Lock()
	overflew := o.overflew
	o.overflew = false
	o.mu.Unlock()
	if overflew {
		o.Link.overflow()
	}
}

// tooBig drops a message that the broker never takes.
func (o *Outbox) tooBig(m message, err error) {
	if !m.transient {
		o.Link.dropped.Add(1)
	}
	o.opts.Logger.Error("socketio: a message was not published", "bytes", len(m.data), "error", err)
	if m.dropped != nil {
		m.dropped(err)
	}
}

// arrived notes that the broker is there. If there is something to replay, it
// waits for the other servers.
func (o *Outbox) arrived(ctx context.Context) {
	o.Link.publishes(nil)
	var delay <-chan time.Time
	for {
		o.mu.Lock()
		if !o.away || o.closing || o.history || o.queue.len() == 0 {
			o.away = false
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
		if delay == nil {
			delay = time.After(replayDelay)
		}
		select {
		case <-o.wake:
		case <-delay:
			o.mu.Lock()
			o.away = false
			o.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}

// failed notes that the broker is away, and what was not published.
func (o *Outbox) failed(messages []message, err error) {
	o.mu.Lock()
	o.away = true
	keep := o.opts.Keep
	if errors.Is(err, broker.ErrClosed) {
		o.closing, keep = true, 0
	}
	o.queue.putBack(messages)
	o.Link.dropped.Add(o.queue.trim(keep))
	o.mu.Unlock()
	o.Link.publishes(err)
	o.report(err)
}

// putBack returns messages that were not published to their place.
func (o *Outbox) putBack(messages []message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue.putBack(messages)
}
