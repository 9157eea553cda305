package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/brokers/redis"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/faulty"
)

// runHistory runs all tests of brokers on a History.
func runHistory(t *testing.T, service brokertest.Service, forget func()) {
	t.Helper()
	run(t, service)
	brokertest.RunHistory(t, brokertest.HistoryService{Service: service, Forget: forget})
	brokertest.RunRecords(t, service)
}

func newHistory(t *testing.T, url string, o *redis.HistoryOptions) *redis.History {
	t.Helper()
	b, err := redis.NewHistory(url, o)
	require.NoError(t, err)
	return b
}

func TestHistory(t *testing.T) {
	server := startRedis(t)
	runHistory(t, brokertest.Service{
		Connect: func(t *testing.T) broker.Broker { return newHistory(t, server.url(), nil) },
		Stop:    server.Stop,
		Start:   server.Start,
	}, func() { server.do("XTRIM", "socketio", "MAXLEN", "=", "0") })
}

// A Redis that writes everything to its disk loses nothing when it is killed.
func TestHistoryOnDisk(t *testing.T) {
	server := startRedis(t)
	server.args = append(server.args, "--appendonly", "yes", "--appendfsync", "always")
	server.Stop()
	server.Start()
	b := newHistory(t, server.url(), nil)
	defer b.Close()
	at, _, gap := receive(t, b, "", 0)
	require.NoError(t, gap)
	require.NoError(t, b.Publish(t.Context(), "c", []byte("1")))
	server.Stop()
	server.Start()
	require.Eventually(t, func() bool { return b.Publish(t.Context(), "c", []byte("2")) == nil }, 20*time.Second, 10*time.Millisecond)
	_, got, gap := receive(t, b, at, 2)
	require.NoError(t, gap)
	require.Equal(t, []string{"1", "2"}, got)
}

// receive receives messages of the channel "c" until it is ready and has n of them.
func receive(t *testing.T, b broker.History, after broker.Position, n int) (at broker.Position, got []string, gap error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ready := false
	err := b.SubscribeAfter(ctx, after, []string{"c"}, broker.Subscriber{
		Ready: func(p broker.Position) {
			if ready, at = true, p; len(got) >= n {
				cancel()
			}
		},
		Gap: func(err error) { gap = err },
		Handle: func(m broker.Message) {
			if got, at = append(got, string(m.Data)), m.Position; ready && len(got) >= n {
				cancel()
			}
		},
	})
	require.ErrorIs(t, err, context.Canceled)
	return at, got, gap
}

func TestHistoryOptions(t *testing.T) {
	for want, o := range map[string]redis.HistoryOptions{
		"MaxLen is 999": {MaxLen: 999},
		"MaxLen is -1":  {MaxLen: -1},
		"MaxAge is 1ms": {MaxAge: time.Millisecond},
	} {
		_, err := redis.NewHistory("redis://localhost", &o)
		require.ErrorContains(t, err, want)
		_, err = redis.NewHistoryFromClient(dialRedis("localhost:1"), &o)
		require.ErrorContains(t, err, want)
	}
	_, err := redis.NewHistory("localhost", nil)
	require.ErrorContains(t, err, "no scheme")
	ring := goredis.NewRing(&goredis.RingOptions{})
	defer ring.Close()
	_, err = redis.NewHistoryFromClient(ring, nil)
	require.ErrorContains(t, err, "*redis.Ring")
}

// The stream has the name, the length and the age that were asked for.
func TestHistoryRetention(t *testing.T) {
	server := startRedis(t)
	client := dialRedis(server.addr)
	defer client.Close()
	b, err := redis.NewHistoryFromClient(client, &redis.HistoryOptions{Stream: "app", MaxLen: 2000, MaxAge: 2 * time.Second})
	require.NoError(t, err)
	defer b.Close()
	start, _, _ := receive(t, b, "", 0)
	batch := make([][]byte, 500)
	for i := range batch {
		batch[i] = []byte(strings.Repeat("x", 100))
	}
	for range 10 {
		n, err := b.PublishBatch(t.Context(), "c", batch)
		require.NoError(t, err)
		require.Equal(t, len(batch), n)
	}
	kept := client.XLen(t.Context(), "app").Val()
	require.GreaterOrEqual(t, kept, int64(2000))
	require.Less(t, kept, int64(2500))
	_, got, gap := receive(t, b, start, 2000)
	require.ErrorIs(t, gap, broker.ErrGap)
	require.ErrorContains(t, gap, "MaxLen")
	require.Len(t, got, int(kept))

	// A message that is too old is dropped when another one is published.
	require.Eventually(t, func() bool {
		require.NoError(t, b.Publish(t.Context(), "c", []byte("new")))
		return client.XLen(t.Context(), "app").Val() < 500
	}, 20*time.Second, 100*time.Millisecond)
	_, got, gap = receive(t, b, start, 1)
	require.ErrorIs(t, gap, broker.ErrGap)
	require.Less(t, len(got), 500)
}

// A reader that is so slow that the stream drops messages gets a gap.
func TestHistorySlowReader(t *testing.T) {
	server := startRedis(t)
	b := newHistory(t, server.url(), &redis.HistoryOptions{MaxLen: 1000})
	defer b.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready, full := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	last, gaps := -1, 0
	go func() {
		ended <- b.SubscribeAfter(ctx, "", []string{"c"}, broker.Subscriber{
			Ready: func(broker.Position) { close(ready) },
			Gap: func(err error) {
				require.ErrorIs(t, err, broker.ErrGap)
				gaps++
			},
			Handle: func(m broker.Message) {
				<-full
				var i int
				_, _ = fmt.Sscan(string(m.Data), &i)
				if i != last+1 && gaps == 0 {
					t.Errorf("message %d came after %d, without a gap", i, last)
				}
				if last = i; i == 9999 {
					cancel()
				}
			},
		})
	}()
	<-ready
	for i := range 10_000 {
		require.NoError(t, b.Publish(t.Context(), "c", fmt.Append(nil, i)))
	}
	close(full)
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Equal(t, 1, gaps)
}

// SubscribeAfter returns when its connection has gone silent without being closed. Close does
// not wait.
func TestHistoryHalfOpenConnection(t *testing.T) {
	server := startRedis(t)
	proxy, err := faulty.NewProxy(server.addr, 1)
	require.NoError(t, err)
	defer proxy.Close()
	b := newHistory(t, "redis://"+proxy.Addr(), nil)
	defer b.Close()
	b.SetPing(100*time.Millisecond, 200*time.Millisecond)
	subscribe := func() chan error {
		ready, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			ended <- b.Subscribe(t.Context(), []string{"c"}, func() { close(ready) }, func(string, []byte) {})
		}()
		<-ready
		return ended
	}
	ended, closed := subscribe(), subscribe()
	select { // the answers to the pings keep them alive
	case err := <-ended:
		t.Fatalf("the subscription ended with %v although the connection works", err)
	case <-time.After(time.Second):
	}
	proxy.Silence(faulty.Both)
	for _, ended := range []chan error{ended, closed} {
		select {
		case err := <-ended:
			require.ErrorContains(t, err, "silent")
		case <-time.After(20 * time.Second):
			t.Fatal("the subscription goes on although nothing comes")
		}
	}

	// Close ends a subscription that waits for a silent connection, however long it would wait.
	proxy.Resume()
	b.SetPing(time.Hour, time.Hour)
	ended = subscribe()
	proxy.Silence(faulty.Both)
	start := time.Now()
	require.NoError(t, b.Close())
	require.True(t, errors.Is(<-ended, broker.ErrClosed))
	require.Less(t, time.Since(start), 20*time.Second)
}
