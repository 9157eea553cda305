package nats_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/brokers/nats"
	"github.com/seed-d124fa34/socketio/brokertest"
)

func startJetStream(t testing.TB) *natsServer {
	return startNATS(t, &server.Options{JetStream: true, StoreDir: t.TempDir()})
}

func newHistory(t testing.TB, s *natsServer, o *nats.HistoryOptions) *nats.History {
	t.Helper()
	b, err := nats.NewHistory(s.url(), o)
	require.NoError(t, err)
	return b
}

// admin returns the stream of a server, on a connection of the test.
func admin(t testing.TB, s *natsServer, stream string) jetstream.Stream {
	t.Helper()
	conn, err := natsgo.Connect(s.url())
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	st, err := js.Stream(t.Context(), stream)
	require.NoError(t, err)
	return st
}

func TestHistory(t *testing.T) {
	s := startJetStream(t)
	service := brokertest.Service{
		Connect:    func(t *testing.T) broker.Broker { return newHistory(t, s, nil) },
		Stop:       s.Stop,
		Start:      s.Start,
		MaxMessage: 1 << 20,
	}
	run(t, service)
	brokertest.RunHistory(t, brokertest.HistoryService{Service: service, Forget: func() {
		require.NoError(t, admin(t, s, "socketio").Purge(t.Context()))
	}})
	brokertest.RunRecords(t, service)
}

// Messages that are kept in memory are lost when the NATS server ends, and readers get a gap.
func TestHistoryInMemory(t *testing.T) {
	s := startJetStream(t)
	service := brokertest.Service{
		Connect: func(t *testing.T) broker.Broker {
			return newHistory(t, s, &nats.HistoryOptions{Stream: "in-memory", InMemory: true})
		},
		Stop:       s.Stop,
		Start:      s.Start,
		MaxMessage: 1 << 20,
	}
	brokertest.RunHistory(t, brokertest.HistoryService{Service: service, Forget: func() {
		require.NoError(t, admin(t, s, "in-memory").Purge(t.Context()))
	}})
}

func TestHistoryOptions(t *testing.T) {
	for want, o := range map[string]nats.HistoryOptions{
		`Stream is "a.b"`:  {Stream: "a.b"},
		"MaxMessages is -": {MaxMessages: -1},
		"MaxBytes is -":    {MaxBytes: -1},
		"MaxAge is 1ms":    {MaxAge: time.Millisecond},
		"Replicas is -":    {Replicas: -1},
	} {
		_, err := nats.NewHistory("nats://localhost", &o)
		require.ErrorContains(t, err, want)
	}
	_, err := nats.NewHistory("localhost", nil)
	require.ErrorContains(t, err, "no scheme")
}

// Without JetStream the error says what to do.
func TestHistoryWithoutJetStream(t *testing.T) {
	b := newHistory(t, startNATS(t, nil), nil)
	defer b.Close()
	require.ErrorContains(t, b.Publish(t.Context(), "c", nil), "enable JetStream")
	err := b.Subscribe(t.Context(), []string{"c"}, func() { t.Error("ready") }, func(string, []byte) {})
	require.ErrorContains(t, err, "enable JetStream")
}

// A stream is created as the options say. One that exists is used as it is.
func TestHistoryStream(t *testing.T) {
	s := startJetStream(t)
	first := newHistory(t, s, &nats.HistoryOptions{Stream: "app", MaxMessages: 100, MaxAge: time.Minute, MaxBytes: 1 << 20})
	defer first.Close()
	require.NoError(t, first.Publish(t.Context(), "c", []byte("1")))
	second := newHistory(t, s, &nats.HistoryOptions{Stream: "app", MaxMessages: 7})
	defer second.Close()
	require.NoError(t, second.Publish(t.Context(), "c", []byte("2")))
	config := admin(t, s, "app").CachedInfo().Config
	require.Equal(t, []string{"app.>"}, config.Subjects)
	require.EqualValues(t, 100, config.MaxMsgs)
	require.EqualValues(t, 1<<20, config.MaxBytes)
	require.Equal(t, time.Minute, config.MaxAge)
	require.Equal(t, jetstream.FileStorage, config.Storage)
}

// A reader that is so slow that the stream drops messages gets a gap.
func TestHistorySlowReader(t *testing.T) {
	s := startJetStream(t)
	b := newHistory(t, s, &nats.HistoryOptions{MaxMessages: 1000})
	defer b.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready, full := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	gaps, got := 0, 0
	go func() {
		ended <- b.SubscribeAfter(ctx, "", []string{"c"}, broker.Subscriber{
			Ready: func(broker.Position) { close(ready) },
			Gap: func(err error) {
				require.ErrorIs(t, err, broker.ErrGap)
				gaps++
			},
			Handle: func(m broker.Message) {
				<-full
				if got++; string(m.Data) == "end" {
					cancel()
				}
			},
		})
	}()
	<-ready
	for range 20 {
		n, err := b.PublishBatch(t.Context(), "c", make([][]byte, 250))
		require.NoError(t, err)
		require.Equal(t, 250, n)
	}
	require.NoError(t, b.Publish(t.Context(), "c", []byte("end")))
	close(full)
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Equal(t, 1, gaps)
	require.Less(t, got, 5001)
}
