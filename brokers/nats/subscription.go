package nats

import (
	"context"
	"errors"
	"sync"

	natsgo "github.com/nats-io/nats.go"
)

// subscription is one call of Subscribe. The library puts messages into a short queue, which
// keeps the order among the channels. From there they go to a longer queue, which is bounded
// in bytes.
type subscription struct {
	channels map[string]string // by subject
	arrived  chan *natsgo.Msg
	wake     chan struct{} // has an element when there is something to do

	mu      sync.Mutex
	waiting []*natsgo.Msg
	size    int
}

const (
	maxBurst   = 16 << 10 // messages; if more wait, the library reports a slow consumer
	maxWaiting = 64 << 20 // bytes
)

var errBehind = errors.New("the subscriber does not keep up: 64 MiB wait for it")

// collect moves messages to the longer queue until the link is lost.
func (s *subscription) collect(l *link) {
	for {
		select {
		case m := <-s.arrived:
			if !s.put(m) {
				l.cancel(errBehind)
				return
			}
		case <-l.ctx.Done():
			return
		}
	}
}

// put appends a message. It reports false if the subscriber is too far behind.
func (s *subscription) put(m *natsgo.Msg) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size > maxWaiting {
		return false
	}
	s.waiting = append(s.waiting, m)
	s.size += m.Size()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return true
}

func (s *subscription) take() *natsgo.Msg {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		return nil
	}
	m := s.waiting[0]
	s.waiting[0] = nil
	s.waiting = s.waiting[1:]
	s.size -= m.Size()
	return m
}

// handle passes the messages to the subscriber until the link is lost.
func (s *subscription) handle(l *link, handle func(channel string, data []byte)) {
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-s.wake:
		}
		for m := s.take(); m != nil && context.Cause(l.ctx) == nil; m = s.take() {
			handle(s.channels[m.Subject], m.Data)
		}
	}
}
