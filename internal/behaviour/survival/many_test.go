package survival_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/race"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// counting is a broker that counts the readings of its history, each of which takes its time.
type counting struct {
	history
	readings atomic.Int64
}

func (b *counting) SubscribeAfter(ctx context.Context, after broker.Position, channels []string, s broker.Subscriber) error {
	if strings.Contains(strings.Join(channels, " "), "#sessions") {
		b.readings.Add(1)
		time.Sleep(100 * time.Millisecond)
	}
	return b.history.SubscribeAfter(ctx, after, channels, s)
}

// When a server is killed and all its clients come back at the same time, the history is read a few times
// for all of them together, and each gets what it has missed.
func TestManyComeBack(t *testing.T) {
	clients := 1000
	if race.Enabled {
		clients = 200
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0, 100_000)
		var reads *counting
		f.Wrap = func(b socketio.Broker) socketio.Broker {
			reads = &counting{history: b.(history)}
			return reads
		}
		a, b := f.add(new(socketio.Options)), f.add(new(socketio.Options))
		var all []*siotest.Returner
		for range clients {
			all = append(all, siotest.NewReturner(t, a, eiotest.WebSocket).Connect())
		}
		time.Sleep(time.Second) // sessions are written behind
		require.NoError(t, a.Emit("e", 1, socketio.To("r")))
		synctest.Wait()
		f.Service.Cut(f.Brokers[0].(*counting).history)
		for _, c := range all {
			c.Drop()
		}
		require.NoError(t, b.Emit("e", 2))
		before := reads.readings.Load()
		for _, c := range all {
			c.To(b).Dial()
			c.SendConnect()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, clients, b.Count())
		for _, c := range all {
			c.Answered()
			require.True(t, c.Recovered)
			c.Want(`["e",1]`, `["e",2]`)
		}
		n := reads.readings.Load() - before
		t.Logf("%d readings for %d clients", n, clients)
		require.Positive(t, n)
		require.LessOrEqual(t, n, int64(clients/20))
		require.EqualValues(t, clients, b.Stats().Recovery.MovedIn)
		f.Service.Restore(f.Brokers[0].(*counting).history)
	})
}

// What many clients have missed is kept once for all of them, also after their server was killed: it does not use
// up the budget.
func TestManyMissTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, events, size = 30, 10, 50 << 10
		f := newFleet(t, 0, 10_000)
		for range 2 {
			f.add(&socketio.Options{Recovery: &socketio.Recovery{SessionLimit: 1 << 20, Budget: 4 << 20}})
		}
		b := f.Servers[1]
		var all []*siotest.Returner
		for range clients {
			all = append(all, siotest.NewReturner(t, f.Servers[0], eiotest.WebSocket).Connect())
		}
		time.Sleep(time.Second) // sessions are written behind
		f.kill(0, all...)
		var want []string
		for i := range events {
			text := strings.Repeat(string(rune('a'+i)), size)
			require.NoError(t, b.Emit("e", text))
			want = append(want, `["e","`+text+`"]`)
		}
		for _, c := range all {
			c.To(b).Dial()
			c.SendConnect()
		}
		time.Sleep(30 * time.Second)
		require.Empty(t, b.Stats().Recovery.Expired[socketio.ExpiredBudget])
		require.Less(t, b.Stats().Recovery.KeptBytes, int64(2*events*size))
		for _, c := range all {
			c.Answered()
			require.True(t, c.Recovered)
			c.Want(want...)
		}
		f.Service.Restore(f.Brokers[0])
	})
}
