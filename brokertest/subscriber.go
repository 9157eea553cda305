package brokertest

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
)

// subscriber is a call of Subscribe.
type subscriber struct {
	*suite
	cancel context.CancelFunc
	ready  chan struct{}
	got    chan string // "channel message"
	ended  chan error
	done   atomic.Bool // Subscribe has returned
}

// subscribe calls Subscribe in a goroutine, which ends with the test, and waits until it is ready.
func (s *suite) subscribe(b broker.Broker, channels ...string) *subscriber {
	s.Helper()
	sub := s.start(b, channels...)
	select {
	case <-sub.ready:
	case err := <-sub.ended:
		s.Fatalf("Subscribe returned %v before it called ready", err)
	case <-time.After(patience):
		s.Fatalf("Subscribe did not call ready in %v", patience)
	}
	return sub
}

func (s *suite) start(b broker.Broker, channels ...string) *subscriber {
	ctx, cancel := context.WithCancel(context.Background())
	sub := &subscriber{
		suite: s, cancel: cancel,
		ready: make(chan struct{}), got: make(chan string, 10_000), ended: make(chan error, 1),
	}
	var isReady bool
	over := make(chan struct{})
	go func() {
		defer close(over)
		err := b.Subscribe(ctx, channels, func() {
			if isReady {
				s.Error("ready was called twice")
			}
			isReady = true
			close(sub.ready)
		}, func(channel string, data []byte) {
			if !isReady {
				s.Error("a message arrived before ready was called")
			}
			if sub.done.Load() {
				s.Error("a message arrived after Subscribe had returned")
			}
			sub.got <- channel + " " + string(data)
		})
		sub.done.Store(true)
		sub.ended <- err
	}()
	s.Cleanup(func() {
		cancel()
		select {
		case <-over:
		case <-time.After(patience):
			s.Errorf("Subscribe did not return within %v of the end of its context", patience)
		}
	})
	return sub
}

// next returns the next message.
func (sub *subscriber) next() string {
	sub.Helper()
	select {
	case m := <-sub.got:
		return m
	case err := <-sub.ended:
		sub.Fatalf("the subscription ended with %v while a message was expected", err)
	case <-time.After(patience):
		sub.Fatalf("no message in %v", patience)
	}
	return ""
}

// want expects messages on a channel, these and in this order.
func (sub *subscriber) want(channel string, messages ...string) {
	sub.Helper()
	for _, m := range messages {
		if got := sub.next(); got != channel+" "+m {
			sub.Fatalf("got %s, want %s", brief(got), brief(channel+" "+m))
		}
	}
}

// end returns why the subscription ended.
func (sub *subscriber) end() error {
	sub.Helper()
	select {
	case err := <-sub.ended:
		if err == nil {
			sub.Fatal("Subscribe returned nil: it has to say why it ended")
		}
		return err
	case <-time.After(patience):
		sub.Fatalf("Subscribe did not return in %v", patience)
		return nil
	}
}
