package brokertest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
)

// history holds the newest messages of a Memory. Memory.mu guards it.
type history struct {
	kept []keptMessage
	last uint64 // the position of the newest message that has ever been published
}

type keptMessage struct {
	broker.Message
	published time.Time
}

// add appends a message and returns its position.
func (h *history) add(m broker.Message, keep int) broker.Position {
	h.last++
	m.Position = position(h.last)
	h.kept = append(h.kept, keptMessage{m, time.Now()})
	h.kept = h.kept[max(0, len(h.kept)-keep):]
	return m.Position
}

func position(n uint64) broker.Position { return broker.Position(fmt.Sprintf("%016x", n)) }

// after returns the messages of some channels after a position, with their ages, and the gap if some are missing.
func (h *history) after(p broker.Position, channels []string) (missed []broker.Message, gap error) {
	n, err := strconv.ParseUint(string(p), 16, 64)
	if err != nil || n > h.last {
		return nil, fmt.Errorf("%w: there is no position %q", broker.ErrGap, p)
	}
	begin := h.last - uint64(len(h.kept)) // the position before the oldest message that is kept
	if n < begin {
		gap = fmt.Errorf("%w: the last %d messages are kept (Memory.Keep)", broker.ErrGap, len(h.kept))
	}
	for _, m := range h.kept[max(n, begin)-begin:] {
		if slices.Contains(channels, m.Channel) {
			m.Age = time.Since(m.published)
			missed = append(missed, m.Message)
		}
	}
	return missed, gap
}

// Forget makes the service drop the messages that it keeps.
func (m *Memory) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.history.kept = nil
}

// memoryHistory is a connection to a Memory that keeps messages.
type memoryHistory struct{ *memoryBroker }

var _ broker.History = memoryHistory{}

func (b memoryHistory) SubscribeAfter(ctx context.Context, after broker.Position, channels []string, to broker.Subscriber) error {
	return b.calls.Do(ctx, func(ctx context.Context) error { return b.subscribeAfter(ctx, after, channels, to) })
}

func (b memoryHistory) subscribeAfter(ctx context.Context, after broker.Position, channels []string, to broker.Subscriber) error {
	m := b.service
	m.mu.Lock()
	s, err := b.add(channels)
	at := position(m.history.last)
	var missed []broker.Message
	var gap error
	if after != "" {
		missed, gap = m.history.after(after, channels)
	}
	m.mu.Unlock()
	if err != nil {
		return err
	}
	defer m.remove(s)
	if gap != nil {
		to.Gap(gap)
	}
	for _, msg := range missed {
		if err := s.ended(ctx); err != nil {
			return err
		}
		to.Handle(msg)
	}
	to.Ready(at)
	return s.run(ctx, to.Handle)
}

// ended returns why the subscription has ended, nil if it has not.
func (s *subscription) ended(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	return ctx.Err()
}
