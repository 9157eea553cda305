package brokertest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/calls"
)

// Memory is a message service inside the process: servers that are connected to it are one
// application, as with a real broker. It is for tests, and for programs that run several
// servers. Its zero value is ready for use. All methods may be called from any goroutine.
type Memory struct {
	// Keep is how many of the newest messages the service keeps. If it is not zero, the
	// brokers are each a [broker.History] and a [broker.RecordStore]. It must not be
	// changed after the first Connect.
	Keep int

	mu      sync.Mutex
	stopped bool
	subs    []*subscription
	history history
	records records
}

var (
	errStopped = errors.New("brokertest: the memory service is stopped")
	errCut     = errors.New("brokertest: the broker is cut off")
	errBehind  = errors.New("brokertest: the subscriber does not keep up: 32 MiB wait for it")
)

// maxWaiting is how many bytes may wait for one subscriber.
const maxWaiting = 32 << 20

// Connect returns a new broker on the service.
func (m *Memory) Connect() broker.Broker {
	b := &memoryBroker{service: m, calls: calls.New(func(err error) error { return err })}
	if m.Keep > 0 {
		return memoryHistory{b}
	}
	return b
}

// Stop begins an outage: subscriptions are lost, with the messages that they have not
// received yet, and publishing fails until Start.
func (m *Memory) Stop() {
	m.mu.Lock()
	subs := m.subs
	m.stopped, m.subs = true, nil
	m.mu.Unlock()
	for _, s := range subs {
		s.end(errStopped)
	}
}

// Start ends the outage that Stop has begun.
func (m *Memory) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = false
}

// Cut cuts one broker off: its subscriptions are lost, with the messages that they have not
// received yet, and publishing fails until Restore. Other brokers go on.
func (m *Memory) Cut(b broker.Broker) {
	cut := brokerOf(b)
	m.mu.Lock()
	cut.cut = true
	subs := slices.Clone(m.subs)
	m.mu.Unlock()
	for _, s := range subs {
		if s.broker == cut {
			s.end(errCut)
		}
	}
}

// Restore ends the outage that Cut has begun.
func (m *Memory) Restore(b broker.Broker) {
	cut := brokerOf(b)
	m.mu.Lock()
	defer m.mu.Unlock()
	cut.cut = false
}

// brokerOf returns the connection that is behind a broker of Connect.
func brokerOf(b broker.Broker) *memoryBroker {
	if h, ok := b.(memoryHistory); ok {
		return h.memoryBroker
	}
	return b.(*memoryBroker)
}

// memoryBroker is one connection to a Memory. It starts no goroutine: a subscription runs in
// the goroutine of its caller.
type memoryBroker struct {
	service *Memory
	calls   *calls.Group
	cut     bool // guarded by service.mu
}

// reachable returns why the service cannot be reached, or nil. The caller holds Memory.mu.
func (b *memoryBroker) reachable() error {
	switch {
	case b.service.stopped:
		return errStopped
	case b.cut:
		return errCut
	}
	return nil
}

func (b *memoryBroker) Publish(ctx context.Context, channel string, data []byte) error {
	return b.calls.Do(ctx, func(context.Context) error { return b.publish(channel, data) })
}

func (b *memoryBroker) PublishBatch(ctx context.Context, channel string, messages [][]byte) (published int, err error) {
	err = b.calls.Do(ctx, func(context.Context) error {
		for _, data := range messages {
			if err := b.publish(channel, data); err != nil {
				return err
			}
			published++
		}
		return nil
	})
	return published, err
}

func (b *memoryBroker) publish(channel string, data []byte) error {
	m := b.service
	m.mu.Lock()
	if err := b.reachable(); err != nil {
		m.mu.Unlock()
		return err
	}
	var behind []*subscription
	msg := broker.Message{Channel: channel, Data: slices.Clone(data)} // one copy for all subscribers: none may change it
	if m.Keep > 0 {
		msg.Position = m.history.add(msg, m.Keep)
	}
	for _, s := range m.subs {
		if slices.Contains(s.channels, channel) && !s.put(msg) {
			behind = append(behind, s)
		}
	}
	m.mu.Unlock()
	for _, s := range behind {
		s.end(errBehind)
	}
	return nil
}

func (b *memoryBroker) Subscribe(ctx context.Context, channels []string, ready func(), handle func(channel string, data []byte)) error {
	return b.calls.Do(ctx, func(ctx context.Context) error {
		return b.subscribe(ctx, channels, ready, func(m broker.Message) { handle(m.Channel, m.Data) })
	})
}

// subscribe receives the messages that are published from now on.
func (b *memoryBroker) subscribe(ctx context.Context, channels []string, ready func(), handle func(broker.Message)) error {
	b.service.mu.Lock()
	s, err := b.add(channels)
	b.service.mu.Unlock()
	if err != nil {
		return err
	}
	defer b.service.remove(s)
	ready()
	return s.run(ctx, handle)
}

// add begins a subscription. The caller holds Memory.mu.
func (b *memoryBroker) add(channels []string) (*subscription, error) {
	if err := b.reachable(); err != nil {
		return nil, err
	}
	s := &subscription{broker: b, channels: slices.Clone(channels), wake: make(chan struct{}, 1)}
	b.service.subs = append(b.service.subs, s)
	return s, nil
}

// Close waits until all calls of Subscribe have returned, so do not call it in handle.
func (b *memoryBroker) Close() error {
	b.calls.Close()
	return nil
}

func (m *Memory) remove(s *subscription) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subs = slices.DeleteFunc(m.subs, func(o *subscription) bool { return o == s })
}

// subscription is a subscription and the messages that wait for it. Whoever holds Memory.mu may
// take its lock, and not the other way round.
type subscription struct {
	broker   *memoryBroker
	channels []string
	wake     chan struct{} // has an element when there is something to do

	mu      sync.Mutex
	waiting []broker.Message
	size    int
	err     error // why it ended
}

// run passes the messages to the subscriber.
func (s *subscription) run(ctx context.Context, handle func(broker.Message)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		}
		for ctx.Err() == nil {
			msg, ok, err := s.take()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			handle(msg)
		}
	}
}

// put appends a message. It reports false if the subscriber is too far behind.
func (s *subscription) put(msg broker.Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size > maxWaiting {
		return false
	}
	s.size += len(msg.Data)
	s.waiting = append(s.waiting, msg)
	s.signal()
	return true
}

func (s *subscription) take() (msg broker.Message, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || len(s.waiting) == 0 {
		return msg, false, s.err
	}
	msg, s.waiting[0] = s.waiting[0], broker.Message{}
	s.waiting = s.waiting[1:]
	s.size -= len(msg.Data)
	return msg, true, nil
}

func (s *subscription) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err, s.waiting = err, nil
	}
	s.signal()
}

func (s *subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
