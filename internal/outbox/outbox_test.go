package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/internal/outbox"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

const channel = "ch"

// fakeBroker notes what is published.
type fakeBroker struct {
	broker.Broker // its Close and Subscribe are not called

	mu        sync.Mutex
	err       error // what Publish returns
	max       int   // bytes that it takes, if positive
	published []string
	gate      chan struct{} // Publish waits for it, unless it is nil
}

func (b *fakeBroker) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func (b *fakeBroker) Publish(ctx context.Context, channel string, data []byte) error {
	if b.gate != nil {
		select {
		case <-b.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.err != nil:
		return b.err
	case b.max > 0 && len(data) > b.max:
		return broker.ErrTooBig
	}
	if !outbox.IsProbe(data) {
		b.published = append(b.published, string(data))
	}
	return nil
}

// take returns what has been published since the last call.
func (b *fakeBroker) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	published := b.published
	b.published = nil
	return published
}

// start returns an outbox whose subscription is in force, and what it logs.
func start(t *testing.T, b broker.Broker, opts outbox.Options) (*outbox.Outbox, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	opts.Broker, opts.Channel = b, channel
	if opts.Limit == 0 {
		opts.Limit = broker.DefaultQueueLimit
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(log, nil))
	}
	o := outbox.New(opts)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = o.Close(ctx)
	})
	if !opts.WriteOnly {
		o.Link.Subscribed(nil)
	}
	synctest.Wait()
	return o, log
}

func put(t *testing.T, o *outbox.Outbox, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		o.Put(channel, fmt.Append(nil, i))
		synctest.Wait()
	}
}

func numbers(from, to int) (all []string) {
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

var errAway = errors.New("away")

// The newest messages are kept while the broker is away, in order, and come before
// what is put when it is back, after a pause in which the others subscribe again.
func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(fakeBroker)
		o, _ := start(t, b, outbox.Options{Keep: 700}) // ten messages
		b.fail(errAway)
		put(t, o, 0, 20)
		require.False(t, o.Put(channel, make([]byte, 1000)), "beyond the limit on its own")
		require.False(t, o.PutTransient("other", []byte("late")), "of no use later")
		st := o.Status()
		require.False(t, st.Connected)
		require.ErrorIs(t, st.Err, errAway)
		require.EqualValues(t, 1, st.Outages)
		require.LessOrEqual(t, st.WaitingBytes, 700)
		require.EqualValues(t, 21, st.Dropped+uint64(st.Waiting))
		b.fail(nil)
		time.Sleep(5 * time.Second) // the longest pause between two attempts
		require.True(t, o.Status().Connected)
		require.Empty(t, b.take())
		put(t, o, 20, 21)
		kept := o.Status().Waiting
		time.Sleep(6 * time.Second)
		require.Equal(t, numbers(21-kept, 21), b.take())
	})
}

// Without Keep nothing is kept, and what is transient is not counted.
func TestNothingIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(fakeBroker)
		o, _ := start(t, b, outbox.Options{})
		require.True(t, o.PutTransient("other", []byte("a")))
		synctest.Wait()
		require.Equal(t, []string{"a"}, b.take())
		require.Zero(t, o.Status().Published)
		b.fail(errAway)
		require.True(t, o.PutTransient("other", []byte("b")), "nobody knows yet that the broker is away")
		synctest.Wait()
		require.Zero(t, o.Status().Dropped)
		put(t, o, 0, 1)
		require.EqualValues(t, 1, o.Status().Dropped)
		b.fail(nil)
		time.Sleep(20 * time.Second)
		put(t, o, 1, 2)
		require.Equal(t, []string{"1"}, b.take())
	})
}

// A broker that does not publish is noticed, and that it does again, by probes,
// when nothing is put. Retry shortens the wait.
func TestProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(fakeBroker)
		o, log := start(t, b, outbox.Options{})
		b.fail(errAway)
		put(t, o, 0, 1)
		time.Sleep(time.Minute)
		require.False(t, o.Status().Connected)
		b.fail(nil)
		o.Retry()
		synctest.Wait()
		st := o.Status()
		require.True(t, st.Connected)
		require.Zero(t, st.Published, "probes are no messages")
		require.EqualValues(t, 1, st.Dropped)
		for _, line := range []string{"connection with the broker is lost", "connection with the broker is back"} {
			require.Equal(t, 1, strings.Count(log.String(), line), log.String())
		}
	})
}

// Without a subscription the link is connected when publishing works.
func TestWriteOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(fakeBroker)
		b.fail(errAway)
		o, log := start(t, b, outbox.Options{WriteOnly: true})
		require.False(t, o.Status().Connected)
		require.Contains(t, log.String(), "cannot be reached")
		b.fail(nil)
		time.Sleep(5 * time.Second)
		require.True(t, o.Status().Connected)
		require.Zero(t, o.Status().Outages)
	})
}

// A message that is too big is dropped, and is no sign of an outage.
func TestTooBig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &fakeBroker{max: 10}
		o, log := start(t, b, outbox.Options{Keep: 1000})
		require.True(t, o.Put(channel, []byte("more than ten")))
		require.True(t, o.Put(channel, []byte("small")))
		synctest.Wait()
		st := o.Status()
		require.True(t, st.Connected)
		require.EqualValues(t, 1, st.Dropped)
		require.EqualValues(t, 1, st.Published)
		require.Equal(t, []string{"small"}, b.take())
		require.Contains(t, log.String(), "too big")
	})
}

// Whoever wants to know hears that a message is dropped, whatever the reason, once, and with no
// lock held.
func TestReporting(t *testing.T) {
	for _, keep := range []int{0, 200} {
		synctest.Test(t, func(t *testing.T) {
			b := &fakeBroker{max: 100}
			o, _ := start(t, b, outbox.Options{Limit: 1 << 20, Keep: keep})
			reports := make(map[string]error)
			put := func(text string) bool {
				return o.PutReporting(channel, []byte(text), func(err error) {
					o.Status() // no lock is held
					require.NotContains(t, reports, text[:1])
					reports[text[:1]] = err
				})
			}
			require.True(t, put("a"))
			synctest.Wait()
			require.Empty(t, reports)
			require.True(t, put("b"+strings.Repeat("x", 100)))
			synctest.Wait()
			require.ErrorIs(t, reports["b"], broker.ErrTooBig)
			clear(reports)

			away := errors.New("away")
			b.fail(away)
			require.True(t, put("c"))
			synctest.Wait()
			if keep == 0 {
				require.Equal(t, map[string]error{"c": away}, reports)
				require.False(t, put("d"))
			} else { // the oldest of those that are kept goes first
				for _, text := range []string{"d", "e"} {
					require.True(t, put(text))
					require.Empty(t, reports)
				}
				require.True(t, put("f"))
				require.Equal(t, map[string]error{"c": away}, reports)
			}
			clear(reports)
			b.fail(nil)
			time.Sleep(time.Minute)
			require.Empty(t, reports)
		})
	}
}

// stuckLogger waits with every warning until its gate opens.
type stuckLogger struct {
	slog.Handler
	gate chan struct{}
}

func (l stuckLogger) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

func (l stuckLogger) Handle(context.Context, slog.Record) error {
	<-l.gate
	return nil
}

// Put neither waits for a broker that hangs nor calls the logger, which may wait;
// what waits is bounded, and Close ends with its context.
func TestPutNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &fakeBroker{gate: make(chan struct{})}
		logger := stuckLogger{slog.DiscardHandler, make(chan struct{})}
		o, _ := start(t, b, outbox.Options{Limit: 1000, Logger: slog.New(logger)})
		began := time.Now()
		for range 100 {
			o.Put(channel, make([]byte, 100))
		}
		require.Zero(t, time.Since(began))
		close(logger.gate)
		st := o.Status()
		require.LessOrEqual(t, st.WaitingBytes, 1000)
		require.Positive(t, st.Waiting)
		require.Positive(t, st.Dropped)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := o.Close(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "messages not published")
		require.Equal(t, time.Second, time.Since(began))
		require.EqualValues(t, 100, o.Status().Dropped)
		require.False(t, o.Put(channel, nil))
	})
}

// That messages are dropped for want of room is logged.
func TestOverflowIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		b := &fakeBroker{gate: gate}
		o, log := start(t, b, outbox.Options{Limit: 1000})
		for range 100 {
			o.Put(channel, make([]byte, 100))
		}
		close(gate)
		synctest.Wait()
		require.Equal(t, 1, strings.Count(log.String(), "too slow"), log.String())
	})
}

// A closed broker ends the outbox: nothing is accepted any more.
func TestBrokerIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(fakeBroker)
		o, _ := start(t, b, outbox.Options{Keep: 1000})
		b.fail(broker.ErrClosed)
		put(t, o, 0, 2)
		st := o.Status()
		require.ErrorIs(t, st.Err, broker.ErrClosed)
		require.EqualValues(t, 2, st.Dropped)
		require.NoError(t, o.Close(t.Context()))
	})
}

// Close publishes what waits.
func TestCloseFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(fakeBroker)
		o, _ := start(t, b, outbox.Options{})
		for i := range 100 {
			o.Put(channel, fmt.Append(nil, i))
		}
		require.NoError(t, o.Close(t.Context()))
		require.Equal(t, numbers(0, 100), b.take())
	})
}

func TestBackoff(t *testing.T) {
	for failures := 1; failures < 100; failures++ {
		most := 5 * time.Second
		if failures <= 6 {
			most = 100 * time.Millisecond << (failures - 1)
		}
		d := outbox.Backoff(failures)
		require.GreaterOrEqual(t, d, most/2)
		require.LessOrEqual(t, d, most)
	}
}

// BenchmarkPut is a message from Put to a broker that takes it at once.
func BenchmarkPut(b *testing.B) {
	service := new(brokertest.Memory).Connect()
	defer service.Close()
	o := outbox.New(outbox.Options{Broker: service, Channel: channel, Limit: broker.DefaultQueueLimit, Logger: slog.New(slog.DiscardHandler)})
	msg := make([]byte, 300)
	b.ReportAllocs()
	for b.Loop() {
		o.Put(channel, msg)
	}
	_ = o.Close(context.Background())
}

// BenchmarkPutParallel is BenchmarkPut from many goroutines, whose messages have one order. Run it
// with -cpu 1,2,4,8,16.
func BenchmarkPutParallel(b *testing.B) {
	service := new(brokertest.Memory).Connect()
	defer service.Close()
	o := outbox.New(outbox.Options{Broker: service, Channel: channel, Limit: broker.DefaultQueueLimit, Logger: slog.New(slog.DiscardHandler)})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		msg := make([]byte, 300)
		for pb.Next() {
			o.Put(channel, msg)
		}
	})
	_ = o.Close(context.Background())
}
