package brokertest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed-d124fa34/socketio/broker"
)

// A batch is published like its messages one after another, and in order with other messages.
func (s *suite) batches() {
	b, ok := s.connect().(broker.BatchBroker)
	if !ok {
		s.Skip("it is no BatchBroker")
	}
	got := s.subscribe(s.connect(), s.name)
	var want []string
	batch := func(size int) (messages [][]byte) {
		for range size {
			m := fmt.Sprint(len(want), " ", strings.Repeat("x", len(want)%7*1000))
			want, messages = append(want, m), append(messages, []byte(m))
		}
		return messages
	}
	for size := range 40 {
		messages := batch(size)
		n, err := b.PublishBatch(context.Background(), s.name, messages)
		if n != size || err != nil {
			s.Fatalf("PublishBatch of %d messages: %d, %v", size, n, err)
		}
		for _, m := range messages {
			clear(m) // the broker must have copied them
		}
		s.publish(b, s.name, string(batch(1)[0]))
	}
	got.want(s.name, want...)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if n, err := b.PublishBatch(ctx, s.name, batch(2)); n != 0 || !errors.Is(err, context.Canceled) {
		s.Errorf("PublishBatch returned %d, %v, want 0, context.Canceled", n, err)
	}
	if err := b.Close(); err != nil {
		s.Fatal(err)
	}
	if n, err := b.PublishBatch(context.Background(), s.name, batch(2)); n != 0 || !errors.Is(err, broker.ErrClosed) {
		s.Errorf("PublishBatch returned %d, %v, want 0, ErrClosed", n, err)
	}
}
