package nats_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokers/nats"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// startServer starts a server on a NATS server, and waits until it is connected.
func startServer(t *testing.T, url string, replay int) *socketio.Server {
	t.Helper()
	b, err := nats.New(url)
	require.NoError(t, err)
	srv := socketio.NewServer(&socketio.Options{Broker: b, BrokerReplayLimit: replay, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, srv.Shutdown(ctx))
		require.NoError(t, b.Close())
	})
	connected(t, srv)
	return srv
}

func connected(t *testing.T, srv *socketio.Server) {
	t.Helper()
	require.Eventually(t, func() bool { return srv.BrokerStatus().Connected }, 30*time.Second, 10*time.Millisecond)
}

// Two servers on one NATS server, which is killed and restarted in the middle.
func TestServers(t *testing.T) {
	server := startNATS(t, nil)
	a, b := startServer(t, server.url(), 0), startServer(t, server.url(), 1<<20)
	for _, srv := range []*socketio.Server{a, b} {
		srv.On("say", func(c *socketio.Context, text string) error {
			return c.Emit("said", text, socketio.Broadcast(), socketio.SkipSelf())
		})
	}
	ann := socketiotest.Connect(t, a, &socketiotest.Options{Timeout: 30 * time.Second})
	bob := socketiotest.Connect(t, b, &socketiotest.Options{
		Answer: func(socketiotest.Event) []any { return []any{"yes", []byte{1, 2}} },
	})
	ann.Emit("say", "hello")
	bob.Expect("said", "hello")
	require.NoError(t, a.JoinRoom(bob.ID(), "room"))
	require.NoError(t, a.Emit("binary", []byte{0, 255}, socketio.To("room")))
	bob.Expect("binary", []byte{0, 255})
	replies, err := a.Call(t.Context(), "ask", nil, socketio.To(bob.ID()))
	require.NoError(t, err)
	require.Equal(t, socketio.Args{"yes", []byte{1, 2}}, replies[0].Args())
	bob.Expect("ask")
	count, err := a.Cluster().Count(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, 2, count)

	server.Stop()
	require.Eventually(t, func() bool { return !a.BrokerStatus().Connected && !b.BrokerStatus().Connected }, 30*time.Second, 10*time.Millisecond)
	bob.Emit("say", "kept")
	require.NoError(t, a.Emit("local", 1))
	ann.Expect("local", 1)
	server.Start()
	connected(t, a)
	connected(t, b)
	ann.Expect("said", "kept") // replayed by its server

	w, err := nats.New(server.url())
	require.NoError(t, err)
	defer w.Close()
	worker := socketio.NewEmitter(w, nil)
	require.NoError(t, worker.Emit("job", "done"))
	require.NoError(t, worker.Disconnect(bob.ID()))
	require.NoError(t, worker.Close(t.Context()))
	ann.Expect("job", "done")
	bob.Expect("job", "done")
	bob.WaitDisconnect()
}
