package redis_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/brokers/redis"
)

// What a message costs from Publish to handle, with and without a history: one after
// another, and in batches of 100.
func BenchmarkBroker(b *testing.B) {
	server := startRedis(b)
	plain, err := redis.New(server.url())
	require.NoError(b, err)
	defer plain.Close()
	history, err := redis.NewHistory(server.url(), nil)
	require.NoError(b, err)
	defer history.Close()
	for _, c := range []struct {
		name   string
		broker broker.BatchBroker
	}{{"plain", plain}, {"history", history}} {
		for _, batch := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/batch=%d", c.name, batch), func(b *testing.B) { benchmark(b, c.broker, batch) })
		}
	}
}

func benchmark(b *testing.B, br broker.BatchBroker, batch int) {
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
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%batch != 0 {
			continue
		}
		if _, err := br.PublishBatch(ctx, "c", messages); err != nil {
			b.Fatal(err)
		}
		for range batch {
			<-got
		}
	}
	cancel()
	<-ended
}
