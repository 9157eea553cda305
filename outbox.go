package socketio

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	publishTimeout = 10 * time.Second       // for one message, or one batch
	minBackoff     = 100 * time.Millisecond // after the first failure
	maxBackoff     = 5 * time.Second

	// replayDelay is how long what was kept waits when the broker is back:
	// until the other servers, after their pauses, have subscribed again.
	replayDelay = maxBackoff + time.Second
)

// backoff returns how long to wait after that many failures in a row. It is
// random, so that servers that lost the same broker do not come back at once.
func backoff(failures int) time.Duration {
	d := maxBackoff
	if n := failures - 1; n < 6 {
		d = min(maxBackoff, minBackoff<<n)
	}
	return d/2 + rand.N(d/2+1)
}

// outbox hands messages to a broker, in order, on one goroutine of its own,
// which newOutbox starts and close ends: whoever emits does not wait for the
// network. While the broker is away, messages are dropped, or kept up to a bound.
type outbox struct {
	broker  Broker
	batches BatchBroker // the same, nil if it takes only one message at once
	link    *linkState
	channel string // for probes
	limit   int    // bytes that may wait
	keep    int    // bytes that are kept while the broker is away

	wake chan struct{}      // has an element when there is something new
	stop context.CancelFunc // ends the goroutine, whatever waits
	done chan struct{}      // closed when the goroutine has ended

	mu      sync.Mutex
	waiting []letter
	size    int
	away    bool // the last attempt failed
	retry   bool // the next attempt need not be waited for
	closing bool // nothing comes any more
}

// letter is a message on its way out.
type letter struct {
	channel string
	data    []byte
}

// counts reports whether a message is one for clients: the others are not counted
// and, when the broker is away, neither kept nor missed.
func (o *outbox) counts(l letter) bool { return l.channel == o.channel && !l.isProbe() }

// maxBatch and maxBatchSize bound what is published at once, unless one message
// is bigger: what comes next should not wait long, nor much be in doubt when the
// broker goes away.
const (
	maxBatch     = 256
	maxBatchSize = 256 << 10
)

// letterOverhead is what a message counts besides its bytes.
const letterOverhead = 64

func (l letter) size() int { return len(l.data) + letterOverhead }

func newOutbox(b Broker, link *linkState, channel string, limit, keep int) *outbox {
	ctx, stop := context.WithCancel(context.Background())
	o := &outbox{
		broker: b, link: link, channel: channel, limit: limit, keep: keep,
		wake: make(chan struct{}, 1), stop: stop, done: make(chan struct{}),
	}
	o.batches, _ = b.(BatchBroker)
	go o.run(ctx)
	return o
}

// put queues a message, whose bytes become the outbox's. It reports false if
// the message had to be dropped. It never waits.
func (o *outbox) put(channel string, data []byte) bool {
	l := letter{channel, data}
	taken, full := o.take(l)
	if !taken && o.counts(l) {
		o.link.dropped.Add(1)
	}
	if full {
		o.link.overflow()
	}
	return taken
}

func (o *outbox) take(l letter) (taken, full bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closing || o.away && (l.size() > o.keep || !o.counts(l)):
		return false, false
	case !o.away && o.size+l.size() > o.limit && o.size > 0:
		return false, true
	}
	o.waiting = append(o.waiting, l)
	o.size += l.size()
	if o.away {
		o.trim()
	}
	o.signal()
	return true, false
}

// trim drops messages until the rest may be kept, with o.mu held: those that do
// not count or are too big on their own, then the oldest.
func (o *outbox) trim() {
	o.drop(func(l letter) bool { return !o.counts(l) })
	o.drop(func(l letter) bool { return l.size() > o.keep })
	o.drop(func(letter) bool { return o.size > o.keep })
}

func (o *outbox) drop(which func(letter) bool) {
	o.waiting = slices.DeleteFunc(o.waiting, func(l letter) bool {
		if !which(l) {
			return false
		}
		o.size -= l.size()
		if o.counts(l) {
			o.link.dropped.Add(1)
		}
		return true
	})
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// tryAgain ends the wait for the next attempt: the broker seems to be back.
func (o *outbox) tryAgain() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.retry = true
	o.signal()
}

// pending returns what waits.
func (o *outbox) pending() (messages, bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.waiting), o.size
}

// close ends the outbox when everything is published, or when the context ends.
// The error says how many messages were lost.
func (o *outbox) close(ctx context.Context) error {
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
	lost := 0
	for _, l := range o.waiting {
		if o.counts(l) {
			lost++
		}
	}
	o.waiting, o.size = nil, 0
	o.mu.Unlock()
	o.link.dropped.Add(uint64(lost))
	if lost > 0 {
		return fmt.Errorf("socketio: %d messages were not published: %w", lost, errors.Join(ctx.Err(), o.link.publishError()))
	}
	return nil
}

func (o *outbox) run(ctx context.Context) {
	defer close(o.done)
	failures := 0
	for {
		letters, ok := o.next(ctx, failures)
		if !ok {
			return
		}
		n, err := o.publish(ctx, letters)
		letters = letters[n:]
		switch {
		case err == nil:
			failures = 0
			o.sent(ctx)
		case errors.Is(err, ErrMessageTooBig):
			if o.counts(letters[0]) {
				o.link.dropped.Add(1)
			}
			o.link.log.Error("socketio: a message was not published", "bytes", len(letters[0].data), "error", err)
			o.putBack(letters[1:])
		case ctx.Err() != nil:
			o.putBack(letters)
			return
		default:
			failures++
			o.failed(letters, err)
			if errors.Is(err, ErrBrokerClosed) {
				return
			}
		}
	}
}

// publish hands letters of one channel over. It returns how many the broker has
// taken; if that is not all, the error is about the next one.
func (o *outbox) publish(ctx context.Context, letters []letter) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if len(letters) == 1 {
		if err = o.broker.Publish(ctx, letters[0].channel, letters[0].data); err == nil {
			n = 1
		}
	} else {
		messages := make([][]byte, 0, len(letters))
		for _, l := range letters {
			messages = append(messages, l.data)
		}
		n, err = o.batches.PublishBatch(ctx, letters[0].channel, messages)
	}
	for _, l := range letters[:n] {
		if o.counts(l) {
			o.link.published.Add(1)
		}
	}
	return n, err
}

// probe is published to find out whether the broker is back: a message that
// means nothing to anybody.
var probe = []byte("{}")

func (l letter) isProbe() bool { return string(l.data) == string(probe) }

// next waits for what is to be published: messages, or, while the broker is
// away, a probe when it is time. ok is false when the outbox is to end.
func (o *outbox) next(ctx context.Context, failures int) (letters []letter, ok bool) {
	var pause <-chan time.Time
	if failures > 0 {
		timer := time.NewTimer(backoff(failures))
		defer timer.Stop()
		pause = timer.C
	}
	for due := false; ; {
		o.mu.Lock()
		due = due || o.retry
		o.retry = false
		switch {
		case len(o.waiting) == 0 && o.closing:
			o.mu.Unlock()
			return nil, false
		case o.away && due:
			o.mu.Unlock()
			return []letter{{o.channel, probe}}, true
		case !o.away && len(o.waiting) > 0:
			letters = o.batch()
			o.mu.Unlock()
			return letters, true
		}
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

// batch removes what is to be published next from what waits, with o.mu held.
func (o *outbox) batch() []letter {
	n, size := 1, o.waiting[0].size()
	for o.batches != nil && n < min(len(o.waiting), maxBatch) && o.waiting[n].channel == o.waiting[0].channel {
		if size += o.waiting[n].size(); size > maxBatchSize {
			break
		}
		n++
	}
	letters := slices.Clone(o.waiting[:n])
	clear(o.waiting[:n]) // for the garbage collector
	o.waiting = o.waiting[n:]
	for _, l := range letters {
		o.size -= l.size()
	}
	return letters
}

// sent notes that the broker is there. If there is something to replay, it waits
// for the other servers.
func (o *outbox) sent(ctx context.Context) {
	o.link.publishing(nil)
	var delay <-chan time.Time
	for {
		o.mu.Lock()
		if !o.away || o.closing || len(o.waiting) == 0 {
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
func (o *outbox) failed(letters []letter, err error) {
	o.mu.Lock()
	o.away = true
	if errors.Is(err, ErrBrokerClosed) {
		o.closing, o.keep = true, 0
	}
	o.back(letters)
	o.trim()
	o.mu.Unlock()
	o.link.publishing(err)
}

// putBack returns messages that were not published to their place.
func (o *outbox) putBack(letters []letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.back(letters)
}

func (o *outbox) back(letters []letter) {
	letters = slices.DeleteFunc(letters, func(l letter) bool { return !o.counts(l) })
	o.waiting = slices.Insert(o.waiting, 0, letters...)
	for _, l := range letters {
		o.size += l.size()
	}
}
