package brokertest

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
)

// No goroutine that a broker has started goes on after Close.
func (s *suite) closeEndsGoroutines() {
	before := goroutines()
	b := s.service.Connect(s.T)
	got := s.subscribe(b, s.name)
	s.publish(b, s.name, "x")
	got.want(s.name, "x")
	if err := b.Close(); err != nil {
		s.Errorf("Close: %v", err)
	}
	got.end()
	s.eventually("the broker's goroutines to end", func() bool {
		for id := range goroutines() {
			if before[id] == "" {
				return false
			}
		}
		return true
	})
}

// goroutines returns the stacks of all goroutines except the caller, by id.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	all := make(map[string]string)
	for _, stack := range strings.Split(string(buf), "\n\n")[1:] {
		id, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		all[id] = stack
	}
	return all
}

// eventually waits for a condition.
func (s *suite) eventually(what string, holds func() bool) {
	s.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("waited %v for %s", patience, what)
		}
	}
}

func (s *suite) needsOutage() {
	s.Helper()
	if s.service.Stop == nil || s.service.Start == nil {
		s.Skip("the service has no Stop and Start")
	}
}

// stop stops the service until start is called, or until the end of the test.
func (s *suite) stop() (start func()) {
	start = sync.OnceFunc(s.service.Start)
	s.Cleanup(start)
	s.service.Stop()
	return start
}

// publishFails publishes until Publish fails. It must fail soon after the service has gone, and
// before the context ends.
func (s *suite) publishFails(b broker.Broker) {
	s.Helper()
	s.eventually("Publish to fail", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), patience/2)
		defer cancel()
		start := time.Now()
		err := b.Publish(ctx, s.name, []byte("lost"))
		if took := time.Since(start); took > patience/2+5*time.Second {
			s.Fatalf("Publish took %v, beyond its context's end", took)
		}
		if errors.Is(err, broker.ErrClosed) || errors.Is(err, broker.ErrTooBig) {
			s.Fatalf("Publish returned %v, which is for ever, because of an outage", err)
		}
		return err != nil
	})
	if b, ok := b.(broker.BatchBroker); ok {
		ctx, cancel := context.WithTimeout(context.Background(), patience/2)
		defer cancel()
		if n, err := b.PublishBatch(ctx, s.name, [][]byte{[]byte("lost"), []byte("lost")}); n != 0 || err == nil {
			s.Fatalf("PublishBatch returned %d, %v during an outage", n, err)
		}
	}
}

// comesBack subscribes and publishes until both work again, as servers do.
func (s *suite) comesBack(b broker.Broker) {
	s.Helper()
	var sub *subscriber
	s.eventually("Subscribe to work again", func() bool {
		sub = s.start(b, s.name)
		select {
		case <-sub.ready:
			return true
		case err := <-sub.ended:
			if errors.Is(err, broker.ErrClosed) {
				s.Fatalf("Subscribe returned %v because of an outage", err)
			}
		case <-time.After(patience):
		}
		return false
	})
	s.eventually("Publish to work again", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), patience/2)
		defer cancel()
		return b.Publish(ctx, s.name, []byte("back")) == nil
	})
	for m := sub.next(); m != s.name+" back"; m = sub.next() {
		if m != s.name+" lost" { // a Publish that failed may have published its message
			s.Fatalf("got %s, want the message after the outage", brief(m))
		}
	}
}

// During an outage Subscribe returns and Publish fails. Both work again with the same broker
// when the service is back.
func (s *suite) outage() {
	s.needsOutage()
	b := s.connect()
	for range 2 {
		sub := s.subscribe(b, s.name)
		s.publish(b, s.name, "before")
		sub.want(s.name, "before")
		start := s.stop()
		if err := sub.end(); errors.Is(err, broker.ErrClosed) || errors.Is(err, context.Canceled) {
			s.Fatalf("Subscribe returned %v because of an outage", err)
		}
		s.publishFails(b)
		start()
		s.comesBack(b)
	}
}

// A broker that is made during an outage works when the service is back.
func (s *suite) outageFirst() {
	s.needsOutage()
	start := s.stop()
	b := s.connect()
	s.publishFails(b)
	start()
	s.comesBack(b)
}

func (s *suite) closeDuringOutage() {
	s.needsOutage()
	b := s.connect()
	sub := s.subscribe(b, s.name)
	s.stop()
	sub.end()
	waiting := s.start(b, s.name)
	closed := make(chan error, 1)
	go func() { closed <- b.Close() }()
	select {
	case <-closed:
	case <-time.After(patience):
		s.Fatalf("Close did not return in %v", patience)
	}
	waiting.end()
}
