package nats_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/brokers/nats"
)

// What a message costs from Publish to handle, with and without a history: one after
// another, and 100 that are on their way at once, in a batch if the broker has batches.
func BenchmarkBroker(b *testing.B) {
	server := startJetStream(b)
	plain, err := nats.New(server.url())
	require.NoError(b, err)
	defer plain.Close()
	history := newHistory(b, server, nil)
	defer history.Close()
	for _, c := range []struct {
		name   string
		broker broker.Broker
	}{{"plain", plain}, {"history", history}} {
		for _, batch := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/batch=%d", c.name, batch), func(b *testing.B) { benchmark(b, c.broker, batch) })
		}
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
