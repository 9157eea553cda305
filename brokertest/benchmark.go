package brokertest

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed-d124fa34/socketio/broker"
)

// RunBenchmark measures what a message costs from Publish to handle: one message at a time, and
// 100 at a time, in a batch if the broker is a [broker.BatchBroker].
func RunBenchmark(b *testing.B, br broker.Broker) {
	for _, batch := range []int{1, 100} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) { benchmark(b, br, batch) })
	}
}

func benchmark(b *testing.B, br broker.Broker, batch int) {
	ctx, cancel := context.WithCancel(context.Background())
	ready, got, ended := make(chan struct{}), make(chan struct{}, batch), make(chan struct{})
	go func() {
		defer close(ended)
		_ = br.Subscribe(ctx, []string{"c"}, func() { close(ready) }, func(string, []byte) { got <- struct{}{} })
	}()
	<-ready
	messages := make([][]byte, batch)
	for i := range messages {
		messages[i] = make([]byte, 300)
	}
	batches, _ := br.(broker.BatchBroker)
	publish := func() error {
		if batches != nil {
			_, err := batches.PublishBatch(ctx, "c", messages)
			return err
		}
		for _, m := range messages {
			if err := br.Publish(ctx, "c", m); err != nil {
				return err
			}
		}
		return nil
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%batch != 0 {
			continue
		}
		if err := publish(); err != nil {
			b.Fatal(err)
		}
		for range batch {
			<-got
		}
	}
	cancel()
	<-ended
}
