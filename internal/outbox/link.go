package outbox

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
)

var errNotConnected = errors.New("socketio: not connected yet")

// Link is what is known about the connection with the broker. It logs the
// beginning and the end of outages, and no more of the rest than is useful. All
// methods may be called from any goroutine; no lock is held while it logs.
type Link struct {
	log                *slog.Logger
	published, dropped atomic.Uint64
	received, replayed atomic.Uint64
	ignored, gaps      atomic.Uint64
	outages            atomic.Uint64

	mu            sync.Mutex
	subscription  error // why nothing comes in; nil if it does, or need not
	publishing    error // why nothing goes out; nil if it does
	connected     bool
	wasConnected  bool
	since         time.Time
	droppedBefore uint64    // dropped when the outage began
	warned        time.Time // when trouble on the channel was last logged
}

// newLink returns the state of a link before its first connection. It has a
// subscription unless it is writeOnly.
func newLink(log *slog.Logger, writeOnly bool) *Link {
	l := &Link{log: log, since: time.Now()}
	if writeOnly {
		l.publishing = errNotConnected
	} else {
		l.subscription = errNotConnected
	}
	return l
}

// Subscribed notes that the subscription is in force, or why it is not. It is for
// one goroutine.
func (l *Link) Subscribed(err error) { l.note(&l.subscription, err) }

// publishes notes how publishing went. It is for one goroutine.
func (l *Link) publishes(err error) { l.note(&l.publishing, err) }

func (l *Link) publishError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.publishing
}

// note notes the state of one side of the link, and logs what is new.
func (l *Link) note(side *error, err error) {
	l.mu.Lock()
	first := *side == errNotConnected && err != nil && err != errNotConnected
	*side = err
	connected, now := l.subscription == nil && l.publishing == nil, time.Now()
	changed, was, after := connected != l.connected, l.wasConnected, now.Sub(l.since)
	var dropped uint64
	if changed {
		l.connected, l.since, l.wasConnected = connected, now, true
		if connected {
			dropped = l.dropped.Load() - l.droppedBefore
		} else {
			l.outages.Add(1)
			l.droppedBefore = l.dropped.Load()
		}
	}
	l.mu.Unlock()
	switch {
	case !changed && first:
		l.log.Warn("socketio: the broker cannot be reached: check its URL, and that it runs; trying again", "error", err)
	case !changed:
	case !connected:
		l.log.Warn("socketio: the connection with the broker is lost; trying again", "error", err)
	case was:
		l.log.Info("socketio: the connection with the broker is back", "after", after, "dropped", dropped)
	default:
		l.log.Info("socketio: connected with the broker")
	}
}

// warnEvery is how often trouble on the channel is logged.
const warnEvery = 10 * time.Second

// mayWarn reports whether enough time has passed since the last warning.
func (l *Link) mayWarn() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.warned.IsZero() || now.Sub(l.warned) >= warnEvery {
		l.warned = now
		return true
	}
	return false
}

// overflow logs that the broker does not keep up.
func (l *Link) overflow() {
	if l.mayWarn() {
		l.log.Warn("socketio: the broker is too slow: messages to other servers are dropped: raise the option QueueLimit if bursts are larger, or give the broker more CPU", "dropped", l.dropped.Load())
	}
}

// Received counts a message from another server. replayed means that it was published
// during an outage.
func (l *Link) Received(replayed bool) {
	l.received.Add(1)
	if replayed {
		l.replayed.Add(1)
	}
}

// Gap counts and logs that messages of other servers are lost although the broker keeps a
// history. The error says what to change.
func (l *Link) Gap(err error) {
	n := l.gaps.Add(1)
	l.log.Warn("socketio: messages of other servers are lost: the outage was longer than the broker's history", "error", err, "gaps", n)
}

// Ignore counts a message that cannot be used, and logs some of them.
func (l *Link) Ignore(data []byte, err error) {
	n := l.ignored.Add(1)
	if l.mayWarn() {
		l.log.Warn("socketio: a message from the broker is ignored", "error", err,
			"message", string(data[:min(len(data), 100)]), "bytes", len(data), "ignored", n)
	}
}

// Dropped returns how many messages that are of use later have not been published.
func (l *Link) Dropped() uint64 { return l.dropped.Load() }

// Outages returns how often the connection has been lost.
func (l *Link) Outages() uint64 { return l.outages.Load() }

// CountIgnored counts a message that cannot be used, and that has been logged.
func (l *Link) CountIgnored() { l.ignored.Add(1) }

// status is the state but for what waits.
func (l *Link) status() broker.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := broker.Status{
		Connected: l.connected, Since: l.since, Outages: l.outages.Load(),
		Published: l.published.Load(), Received: l.received.Load(), Replayed: l.replayed.Load(),
		Dropped: l.dropped.Load(), Ignored: l.ignored.Load(), Gaps: l.gaps.Load(),
	}
	for _, err := range []error{l.subscription, l.publishing} {
		if err != nil && err != errNotConnected && s.Err == nil {
			s.Err = err
		}
	}
	return s
}
