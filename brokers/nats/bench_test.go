package nats_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/brokers/nats"
	"github.com/seed-d124fa34/socketio/brokertest"
)

// What a message costs with and without a history.
func BenchmarkBroker(b *testing.B) {
	server := startJetStream(b)
	plain, err := nats.New(server.url())
	require.NoError(b, err)
	defer plain.Close()
	history := newHistory(b, server, nil)
	defer history.Close()
	b.Run("plain", func(b *testing.B) { brokertest.RunBenchmark(b, plain) })
	b.Run("history", func(b *testing.B) { brokertest.RunBenchmark(b, history) })
}
