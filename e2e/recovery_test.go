package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/e2e/recovery"
)

// TestRecovery plays a short version of each scenario with our server, over every
// transport: everything is delivered, once, in order, and nothing else.
func TestRecovery(t *testing.T) {
	enable(t)
	for _, sc := range recovery.Scenarios() {
		t.Run(sc.Name, func(t *testing.T) {
			t.Parallel()
			v, err := recovery.Run(t.Context(), recovery.Config{
				Server: recovery.Ours, Clients: 30, Short: true, Transports: recovery.EveryTransport, NodeDir: "node",
			}, sc)
			require.NoError(t, err)
			t.Log(v)
			require.True(t, v.Good())
		})
	}
}

// TestRecoveryOnNATS plays the scenarios of several servers with NATS instead of Redis. For a change CI kills a
// server under clients of one transport.
func TestRecoveryOnNATS(t *testing.T) {
	enable(t)
	config := recovery.Config{Server: recovery.Ours, Broker: recovery.NATS, Clients: 30, Short: true, Transports: recovery.EveryTransport, NodeDir: "node"}
	if quick() {
		config.Clients, config.Transports = 12, recovery.LikeReports
	}
	for _, sc := range recovery.Scenarios() {
		if sc.Servers < 2 || quick() && !sc.NeedsHistory {
			continue
		}
		t.Run(sc.Name, func(t *testing.T) {
			t.Parallel()
			v, err := recovery.Run(t.Context(), config, sc)
			require.NoError(t, err)
			t.Log(v)
			require.True(t, v.Good())
		})
	}
}
