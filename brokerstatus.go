package socketio

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// BrokerStatus is how a server or an [Emitter] gets on with its [Broker].
type BrokerStatus struct {
	// Connected is set while messages go out and, for a server, come in, as
	// far as is known. It is false before the first connection.
	Connected bool
	// Since is when Connected changed last.
	Since time.Time
	// Err is why it is not connected; nil if it is, or has not tried yet.
	Err error
	// Outages counts how often the connection was lost.
	Outages uint64
	// Waiting is what is to be published, in messages and in bytes.
	Waiting, WaitingBytes int
	// Published and Received count messages; own ones are not received.
	Published, Received uint64
	// Dropped counts messages that were not published: the broker was away,
	// or too slow.
	Dropped uint64
	// Ignored counts messages on the channel that were none, or that could
	// not be carried out.
	Ignored uint64
}

var errNotConnected = errors.New("socketio: not connected yet")

// linkState is what is known about the connection with the broker.
type linkState struct {
	log                                   *slog.Logger
	published, received, dropped, ignored atomic.Uint64

	mu        sync.Mutex
	subscribe error // why nothing comes in; nil if it does, or need not
	publish   error // why nothing goes out; nil if it does
	connected bool
	was       bool // connected before
	since     time.Time
	outages   uint64
	lost      uint64 // dropped when the outage began
	warned    time.Time
}

// newLinkState returns the state of a server, or, with writeOnly, of an Emitter.
func newLinkState(log *slog.Logger, writeOnly bool) *linkState {
	l := &linkState{log: log, since: time.Now()}
	if writeOnly {
		l.publish = errNotConnected
	} else {
		l.subscribe = errNotConnected
	}
	return l
}

// publishing notes how publishing went.
func (l *linkState) publishing(err error) { l.note(&l.publish, err) }

// subscribing notes that the subscription is in force, or why it is not.
func (l *linkState) subscribing(err error) { l.note(&l.subscribe, err) }

func (l *linkState) publishError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.publish
}

// note logs the beginning and the end of an outage. Each side is noted by one
// goroutine.
func (l *linkState) note(side *error, err error) {
	l.mu.Lock()
	first := *side == errNotConnected && err != nil && err != errNotConnected
	*side = err
	connected, now := l.subscribe == nil && l.publish == nil, time.Now()
	changed, was, after := connected != l.connected, l.was, now.Sub(l.since)
	var dropped uint64
	if changed {
		l.connected, l.since, l.was = connected, now, true
		if connected {
			dropped = l.dropped.Load() - l.lost
		} else {
			l.outages++
			l.lost = l.dropped.Load()
		}
	}
	l.mu.Unlock()
	switch {
	case !changed && first:
		l.log.Warn("socketio: the broker cannot be reached; trying again", "error", err)
	case !changed:
	case !connected:
		l.log.Warn("socketio: the connection with the broker is lost; trying again", "error", err)
	case was:
		l.log.Info("socketio: the connection with the broker is back", "after", after, "dropped", dropped)
	default:
		l.log.Info("socketio: connected with the broker")
	}
}

// warnEvery is how often the same kind of trouble on the channel is logged.
const warnEvery = 10 * time.Second

// calm reports whether enough time has passed to log a warning.
func (l *linkState) calm() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.warned.IsZero() || now.Sub(l.warned) >= warnEvery {
		l.warned = now
		return true
	}
	return false
}

// overflow logs that the broker does not keep up.
func (l *linkState) overflow() {
	if l.calm() {
		l.log.Warn("socketio: the broker is too slow: messages to other servers are dropped (option QueueLimit)", "dropped", l.dropped.Load())
	}
}

// ignore counts a message that cannot be used, and logs some of them.
func (l *linkState) ignore(data []byte, err error) {
	n := l.ignored.Add(1)
	if l.calm() {
		l.log.Warn("socketio: a message from the broker is ignored", "error", err,
			"message", string(data[:min(len(data), 100)]), "bytes", len(data), "ignored", n)
	}
}

// status is the state, with what waits in the outbox.
func (l *linkState) status(o *outbox) BrokerStatus {
	messages, bytes := o.pending()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := BrokerStatus{
		Connected: l.connected, Since: l.since, Outages: l.outages,
		Waiting: messages, WaitingBytes: bytes,
		Published: l.published.Load(), Received: l.received.Load(),
		Dropped: l.dropped.Load(), Ignored: l.ignored.Load(),
	}
	for _, err := range []error{l.subscribe, l.publish} {
		if err != nil && err != errNotConnected && s.Err == nil {
			s.Err = err
		}
	}
	return s
}
