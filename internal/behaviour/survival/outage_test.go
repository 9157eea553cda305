package survival_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// What a server does on its broker when it restores a session.
const (
	takes = "take" // the record
	marks = "mark" // it waits until what it has published has come back
	reads = "read" // the history
)

// watched is a broker that calls a function before and after what a server does on it to restore sessions.
type watched struct {
	history

	mu     sync.Mutex
	around func(ctx context.Context, what string, after bool) // nil: nothing
	down   bool                                               // there is no subscription; all else works
	end    context.CancelFunc                                 // of the subscription
}

func (b *watched) watch(f func(ctx context.Context, what string, after bool)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.around = f
}

func (b *watched) at(ctx context.Context, what string, do func() error) error {
	b.mu.Lock()
	f := b.around
	b.mu.Unlock()
	if f == nil {
		return do()
	}
	f(ctx, what, false)
	defer f(ctx, what, true)
	return do()
}

func (b *watched) Publish(ctx context.Context, channel string, data []byte) error {
	publish := func() error { return b.history.Publish(ctx, channel, data) }
	if bytes.Contains(data, []byte(`"do":"mark"`)) {
		return b.at(ctx, marks, publish)
	}
	return publish()
}

func (b *watched) TakeRecord(ctx context.Context, key string, ttl time.Duration) (value []byte, owner string, err error) {
	err = b.at(ctx, takes, func() (err error) {
		value, owner, err = b.history.TakeRecord(ctx, key, ttl)
		return err
	})
	return value, owner, err
}

var errDown = errors.New("no subscription")

func (b *watched) SubscribeAfter(ctx context.Context, after broker.Position, channels []string, s broker.Subscriber) error {
	if strings.Contains(strings.Join(channels, " "), "#sessions") {
		return b.at(ctx, reads, func() error { return b.history.SubscribeAfter(ctx, after, channels, s) })
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b.mu.Lock()
	b.end = cancel
	down := b.down
	b.mu.Unlock()
	if down {
		return errDown
	}
	return b.history.SubscribeAfter(ctx, after, channels, s)
}

// subscribes ends the subscription, or makes it possible again.
func (b *watched) subscribes(yes bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down = !yes; !yes {
		b.end()
	}
}

// watchedFleet is a fleet whose brokers are watched.
func watchedFleet(t *testing.T, n int, opts *socketio.Options) (*fleet, []*watched) {
	t.Helper()
	f := newFleet(t, 0, 10_000)
	var brokers []*watched
	f.Wrap = func(b socketio.Broker) socketio.Broker {
		w := &watched{history: b.(history)}
		brokers = append(brokers, w)
		return w
	}
	for range n {
		o := *opts
		f.add(&o)
	}
	return f, brokers
}

// A server that loses its broker while it restores a session, at whatever step, does so when the broker is back: its
// client has everything, each once, what was emitted during the outage included.
func TestBrokerIsLostDuringTheRestore(t *testing.T) {
	type step struct {
		what string
		n    int // how often it has been before
	}
	for _, s := range []step{{takes, 0}, {marks, 0}, {reads, 0}, {marks, 1}, {marks, 2}} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprint(s.what, s.n, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f, brokers := watchedFleet(t, 3, &socketio.Options{Cluster: socketio.ClusterOptions{ReplayLimit: 1 << 20}})
					a, b, third := f.Servers[0], f.Servers[1], f.Servers[2]
					c := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
					require.NoError(t, a.Emit("e", 1))
					require.NoError(t, b.Emit("e", 2, socketio.To("r")))
					synctest.Wait()
					f.Service.Cut(brokers[0].history)
					c.Drop()
					cut := make(chan struct{})
					n := 0
					brokers[1].watch(func(_ context.Context, what string, is bool) {
						if what != s.what || is != after {
							return
						}
						if n++; n == s.n+1 {
							f.Service.Cut(brokers[1].history)
							close(cut)
						}
					})
					c.To(b).Dial()
					c.SendConnect()
					<-cut
					time.Sleep(3 * time.Second)
					require.NoError(t, third.Emit("e", 3))
					require.NoError(t, b.Emit("e", 4, socketio.To("r")))
					require.NoError(t, b.Emit("e", 5, socketio.To(c.SID)))
					time.Sleep(3 * time.Second)
					if s != (step{marks, 2}) || !after { // that mark may come back before the cut: then the session is there
						require.Zero(t, c.Arrived())
					}
					f.Service.Restore(brokers[1].history)
					time.Sleep(20 * time.Second)
					require.NoError(t, b.Emit("e", 6))
					c.Answered()
					require.True(t, c.Recovered)
					require.ElementsMatch(t, []string{`["e",1]`, `["e",2]`, `["e",3]`, `["e",4]`, `["e",5]`, `["e",6]`}, c.Received())
					require.Zero(t, b.Stats().Recovery.Expired[socketio.ExpiredMove])
					f.Service.Restore(brokers[0].history)
				})
			})
		}
	}
}

// When the broker stays away, the client is told after a while that it has a new session, and the log says why.
func TestBrokerStaysAwayDuringTheRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs siotest.Logs
		f, brokers := watchedFleet(t, 2, &socketio.Options{Logger: siotest.Logger(&logs)})
		a, b := f.Servers[0], f.Servers[1]
		c := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		synctest.Wait()
		f.Service.Cut(brokers[0].history)
		c.Drop()
		brokers[1].watch(func(_ context.Context, what string, after bool) {
			if what == reads && !after {
				f.Service.Cut(brokers[1].history)
			}
		})
		c.To(b).Dial()
		c.SendConnect()
		time.Sleep(20 * time.Second)
		require.Zero(t, c.Arrived())
		time.Sleep(20 * time.Second)
		c.Answered()
		require.False(t, c.Recovered)
		require.EqualValues(t, 1, b.Stats().Recovery.NotRecovered["unknown"])
		require.Contains(t, logs.String(), "could not be restored")
		f.Service.Restore(brokers[0].history)
		f.Service.Restore(brokers[1].history)
	})
}

// A server that shuts down while it restores a session leaves it to another one.
func TestShutdownDuringTheRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, brokers := watchedFleet(t, 3, &socketio.Options{})
		a, b, third := f.Servers[0], f.Servers[1], f.Servers[2]
		c := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		require.NoError(t, a.Emit("e", 1))
		synctest.Wait()
		f.Service.Cut(brokers[0].history)
		c.Drop()
		brokers[1].watch(func(ctx context.Context, what string, after bool) {
			if what == reads && !after {
				<-ctx.Done()
			}
		})
		c.To(b).Dial()
		c.SendConnect()
		time.Sleep(5 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_ = b.Shutdown(ctx)
		c.Drop()
		require.NoError(t, third.Emit("e", 2))
		c.To(third).Connect()
		require.True(t, c.Recovered)
		c.Want(`["e",1]`, `["e",2]`)
		f.Service.Restore(brokers[0].history)
	})
}

// So it is when the server has the session, and waits for what was emitted meanwhile. If it has emitted something to the session
// itself, the client gets a new one instead.
func TestShutdownBeforeTheRestoreEnds(t *testing.T) {
	for _, emits := range []bool{false, true} {
		t.Run(fmt.Sprint(emits), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, brokers := watchedFleet(t, 3, &socketio.Options{})
				a, b, third := f.Servers[0], f.Servers[1], f.Servers[2]
				c := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
				require.NoError(t, a.Emit("e", 1))
				synctest.Wait()
				f.Service.Cut(brokers[0].history)
				c.Drop()
				n := 0
				brokers[1].watch(func(ctx context.Context, what string, after bool) {
					if what != marks || after {
						return
					}
					if n++; n > 2 {
						<-ctx.Done()
					}
				})
				c.To(b).Dial()
				c.SendConnect()
				time.Sleep(5 * time.Second)
				s := b.Socket(c.SID)
				require.NotNil(t, s)
				if emits {
					require.NoError(t, s.Emit("only here", nil))
				}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				_ = b.Shutdown(ctx)
				c.Drop()
				require.NoError(t, third.Emit("e", 2))
				c.To(third).Connect()
				require.Equal(t, !emits, c.Recovered)
				if !emits {
					c.Want(`["e",1]`, `["e",2]`)
					require.Zero(t, b.Stats().Recovery.Expired[socketio.ExpiredMove])
				}
				f.Service.Restore(brokers[0].history)
			})
		})
	}
}

// A server that cannot ask the others, because its subscription is lost, does not restore the session of a server that is alive: it
// asks when it can.
func TestSessionOfALivingServerIsNotRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, brokers := watchedFleet(t, 2, &socketio.Options{})
		a, b := f.Servers[0], f.Servers[1]
		c := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		time.Sleep(time.Second)
		taken := false
		brokers[1].watch(func(_ context.Context, what string, _ bool) { taken = taken || what == takes })
		brokers[1].subscribes(false)
		c.Drop()
		require.NoError(t, a.Emit("e", 1, socketio.To(c.SID)))
		c.To(b).Dial()
		c.SendConnect()
		time.Sleep(10 * time.Second)
		require.NoError(t, a.Emit("e", 2, socketio.To(c.SID)))
		require.True(t, a.Socket(c.SID).Away())
		brokers[1].subscribes(true)
		time.Sleep(10 * time.Second)
		c.Answered()
		require.True(t, c.Recovered)
		require.Nil(t, a.Socket(c.SID))
		require.NoError(t, a.Emit("e", 3, socketio.To(c.SID)))
		c.Want(`["e",1]`, `["e",2]`, `["e",3]`)
		require.False(t, taken)
	})
}

// Events that could not be published, and are in the history of no broker, are not left out of what a client gets whose server is killed
// later: the record of the session has them.
func TestEventsThatWereNotPublishedAreWrittenDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, 10_000)
		a, b := f.Servers[0], f.Servers[1]
		away := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		silent := siotest.NewReturner(t, a, eiotest.WebSocket).Connect() // it looks at nothing
		require.NoError(t, a.Emit("e", 1))
		away.Want(`["e",1]`)
		away.Drop()
		f.Service.Cut(f.Brokers[0])
		require.NoError(t, a.Emit("e", 2))
		synctest.Wait()
		require.NoError(t, a.Emit("e", 3, socketio.To("r")))
		require.NoError(t, b.Emit("e", 4))
		time.Sleep(time.Second)
		require.EqualValues(t, 2, a.BrokerStatus().Dropped)
		f.Service.Restore(f.Brokers[0])
		time.Sleep(10 * time.Second)
		require.NoError(t, a.Emit("e", 5))
		f.kill(0, silent)
		require.NoError(t, b.Emit("e", 6))
		away.To(b).Connect()
		require.True(t, away.Recovered)
		away.Want(`["e",2]`, `["e",3]`, `["e",4]`, `["e",5]`, `["e",6]`)
		silent.To(b).Connect()
		require.True(t, silent.Recovered)
		silent.Want(`["e",1]`, `["e",2]`, `["e",3]`, `["e",4]`, `["e",5]`, `["e",6]`)
		f.Service.Restore(f.Brokers[0])
	})
}

// An event to a room does not fit into the queue of a client. Before its connection is closed for that, the client comes back over
// another one: it is not called recovered, because it lacks the event.
func TestBackBeforeItsFullQueueIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0, 1000)
		srv := f.add(&socketio.Options{Limits: socketio.Limits{SendQueueLimit: 10_000}})
		raw := &eiotest.Raw{Transport: eiotest.Serve(t, srv, nil), Path: "/socket.io/"}
		_, _, err := raw.Handshake(t.Context())
		require.NoError(t, err)
		_, err = raw.Post(t.Context(), "40")
		require.NoError(t, err)
		resp, err := raw.Get(t.Context())
		require.NoError(t, err)
		pid := regexp.MustCompile(`"pid":"([^"]*)"`).FindStringSubmatch(resp.Body)
		require.NotNil(t, pid, resp.Body)

		siotest.NewReturner(t, srv, eiotest.WebSocket).Connect()
		back := siotest.NewReturner(t, srv, eiotest.WebSocket)
		back.PID = pid[1]
		var over atomic.Bool
		srv.AddHooks(socketio.Hooks{Sent: func(*socketio.Socket, *socketio.Emission) {
			if over.CompareAndSwap(true, false) { // the other client has the event
				back.Connect()
			}
		}})
		for range 2 {
			require.NoError(t, srv.Emit("e", strings.Repeat("x", 1000), socketio.To("r")))
			synctest.Wait() // the other client takes it
		}
		over.Store(true)
		require.NoError(t, srv.Emit("over", strings.Repeat("x", 9000), socketio.To("r")))
		require.Equal(t, 1, back.Answers)
		require.False(t, back.Recovered)
	})
}
