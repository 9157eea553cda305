package brokertest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
)

// reader is a call of SubscribeAfter.
type reader struct {
	*historySuite
	cancel context.CancelFunc
	ready  chan struct{}
	got    chan arrival
	ended  chan error

	// Set when ready is closed.
	at  broker.Position
	gap error
}

// arrival is a message that a reader has received.
type arrival struct {
	text string // "channel message"
	at   broker.Position
	late bool // it came before ready
	age  time.Duration
}

// read calls SubscribeAfter in a goroutine, which ends with the test.
func (s *historySuite) read(b broker.History, after broker.Position, channels ...string) *reader {
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{
		historySuite: s, cancel: cancel,
		ready: make(chan struct{}), got: make(chan arrival, 20_000), ended: make(chan error, 1),
	}
	var isReady, done atomic.Bool
	var last broker.Position
	over := make(chan struct{})
	go func() {
		defer close(over)
		err := b.SubscribeAfter(ctx, after, channels, broker.Subscriber{
			Ready: func(at broker.Position) {
				if isReady.Swap(true) {
					s.Error("Ready was called twice")
					return
				}
				if at == "" || at < last {
					s.Errorf("Ready got the position %q after a message at %q", at, last)
				}
				r.at, last = at, at
				close(r.ready)
			},
			Handle: func(m broker.Message) {
				if m.Position <= last {
					s.Errorf("a message at %q came after the position %q", m.Position, last)
				}
				if done.Load() {
					s.Error("a message arrived after SubscribeAfter had returned")
				}
				last = m.Position
				r.got <- arrival{m.Channel + " " + string(m.Data), m.Position, !isReady.Load(), m.Age}
			},
			Gap: func(err error) {
				if !errors.Is(err, broker.ErrGap) {
					s.Errorf("Gap got %v, which is no ErrGap", err)
				}
				if isReady.Load() || r.gap != nil || len(r.got) > 0 {
					s.Errorf("Gap got %v, not at the beginning", err)
				}
				r.gap = err
			},
		})
		done.Store(true)
		r.ended <- err
	}()
	s.Cleanup(func() {
		cancel()
		select {
		case <-over:
		case <-time.After(patience):
			s.Errorf("SubscribeAfter did not return within %v of the end of its context", patience)
		}
	})
	return r
}

// wantReady waits for ready, and checks whether there was a gap.
func (r *reader) wantReady(gap bool) *reader {
	r.Helper()
	select {
	case <-r.ready:
	case err := <-r.ended:
		r.Fatalf("SubscribeAfter returned %v before it called ready", err)
	case <-time.After(patience):
		r.Fatalf("SubscribeAfter did not call ready in %v", patience)
	}
	if (r.gap != nil) != gap {
		r.Fatalf("the gap is %v", r.gap)
	}
	return r
}

func (r *reader) next() arrival {
	r.Helper()
	select {
	case a := <-r.got:
		return a
	case err := <-r.ended:
		r.Fatalf("the subscription ended with %v while a message was expected", err)
	case <-time.After(patience):
		r.Fatalf("no message in %v", patience)
	}
	return arrival{}
}

// want expects messages, these and in this order, and returns the position of the last.
func (r *reader) want(channel string, messages ...string) (at broker.Position) {
	r.Helper()
	for _, m := range messages {
		a := r.next()
		if a.text != channel+" "+m {
			r.Fatalf("got %s, want %s", brief(a.text), brief(channel+" "+m))
		}
		at = a.at
	}
	return at
}

// end ends the subscription.
func (r *reader) end() {
	r.Helper()
	r.cancel()
	select {
	case err := <-r.ended:
		if !errors.Is(err, context.Canceled) {
			r.Fatalf("SubscribeAfter returned %v, want context.Canceled", err)
		}
	case <-time.After(patience):
		r.Fatalf("SubscribeAfter did not return in %v", patience)
	}
}
