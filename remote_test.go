package socketio_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// Calls of another server that have timed out do not count against what a client may
// owe: the server of the client knows the deadline.
func TestRemoteCallsThatTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 2, &socketio.Options{Limits: socketio.Limits{MaxPendingAcks: 50}})
		p := siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		time.Sleep(3 * time.Second) // the servers know each other
		for range 60 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := f.Servers[0].Call(ctx, "ask", nil, socketio.To(p.SID))
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			p.WantAckEvent(`["ask"]`)
		}
		synctest.Wait()
		require.Zero(t, f.Servers[1].Socket(p.SID).PendingAcks())
		require.Zero(t, f.Servers[1].QuestionsOfOthers())
		answered := make(chan error)
		go func() {
			_, err := f.Servers[0].Call(t.Context(), "ask", nil, socketio.To(p.SID))
			answered <- err
		}()
		p.Send("3" + p.WantAckEvent(`["ask"]`) + `[]`)
		require.NoError(t, <-answered)
		require.Zero(t, f.Servers[1].QuestionsOfOthers())
	})
}

// A Call without a deadline that is given up is cancelled at the server of the client.
func TestRemoteCallThatIsCancelled(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		p, other := siotest.Join(t, f.Servers[1], eiotest.WebSocket), siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() {
			_, err := f.Servers[0].Call(ctx, "ask", nil)
			failed <- err
		}()
		p.Send("3" + p.WantAckEvent(`["ask"]`) + `[]`)
		other.WantAckEvent(`["ask"]`)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, 1, f.Servers[1].Socket(other.SID).PendingAcks(), "nobody has given up")
		cancel()
		require.ErrorIs(t, <-failed, context.Canceled)
		synctest.Wait()
		require.Zero(t, f.Servers[1].Socket(other.SID).PendingAcks())
		require.Zero(t, f.Servers[1].QuestionsOfOthers())
		require.Zero(t, f.Servers[1].BrokerStatus().Ignored)
	})
}

// A server of Flask-SocketIO does not say how long it waits: the answer is owed for
// ClusterOptions.AckTimeout.
func TestQuestionWithoutTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 1, &socketio.Options{Cluster: socketio.ClusterOptions{AckTimeout: 30 * time.Second}})
		p, tap := siotest.Join(t, f.Servers[0], eiotest.WebSocket), siotest.NewTap(f)
		tap.Publish(fmt.Sprintf(`{"method":"emit","event":"q","data":[],"namespace":"/","room":%q,"callback":["x","/",1],"host_id":"flask"}`, p.SID))
		synctest.Wait()
		id := p.WantAckEvent(`["q"]`)
		time.Sleep(29 * time.Second)
		require.Equal(t, 1, f.Servers[0].Socket(p.SID).PendingAcks())
		time.Sleep(2 * time.Second)
		require.Zero(t, f.Servers[0].Socket(p.SID).PendingAcks())
		p.Send("3" + id + `[]`)
		require.Empty(t, tap.Published())
	})
}

// An outage ends a Call that waits for a client of another server, and so does the end
// of that server, in good order or not.
func TestRemoteCallEndsWithItsServer(t *testing.T) {
	var silent atomic.Bool
	for name, end := range map[string]func(f *siotest.Fleet){
		"outage":   func(f *siotest.Fleet) { f.Service.Stop() },
		"shutdown": func(f *siotest.Fleet) { _ = f.Servers[1].Shutdown(f.T.Context()) },
		"crash":    func(*siotest.Fleet) { silent.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			siotest.InFleet(t, 1, func(t *testing.T, f *siotest.Fleet) {
				silent.Store(false)
				lossy(f, func([]byte) bool { return silent.Load() })
				f.Add(nil)
				p := siotest.Join(t, f.Servers[1], eiotest.WebSocket)
				failed := make(chan error)
				go func() {
					_, err := f.Servers[0].Call(t.Context(), "ask", nil)
					failed <- err
				}()
				p.WantAckEvent(`["ask"]`)
				began := time.Now()
				end(f)
				err := <-failed
				var missing *socketio.CallError
				require.ErrorAs(t, err, &missing)
				require.Equal(t, []string{p.SID}, missing.Missing)
				require.Less(t, time.Since(began), 30*time.Second)
				require.Zero(t, f.Servers[0].RemoteQuestions())
			})
		})
	}
}

// A client that leaves after it was chosen and before it is asked is reported.
func TestRemoteClientThatLeavesBeforeItIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 2, nil)
		stays, leaves := siotest.Join(t, f.Servers[1], eiotest.WebSocket), siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		f.Wrap = func(b socketio.Broker) socketio.Broker {
			return before{b, `"home"`, func() { f.Servers[1].Socket(leaves.SID).Disconnect() }}
		}
		asks := f.Add(nil)
		time.Sleep(3 * time.Second) // the servers know each other
		type result struct {
			replies []socketio.Reply
			err     error
		}
		results := make(chan result)
		go func() {
			replies, err := asks.Call(t.Context(), "ask", nil)
			results <- result{replies, err}
		}()
		stays.Send("3" + stays.WantAckEvent(`["ask"]`) + `[]`)
		got := <-results
		require.ErrorIs(t, got.err, socketio.ErrClosed)
		var missing *socketio.CallError
		require.ErrorAs(t, got.err, &missing)
		require.Equal(t, []string{leaves.SID}, missing.Missing)
		require.Len(t, got.replies, 1)
	})
}

// before is a broker that calls do before it publishes a message with some text.
type before struct {
	socketio.Broker
	text string
	do   func()
}

func (b before) Publish(ctx context.Context, channel string, data []byte) error {
	if strings.Contains(string(data), b.text) {
		b.do()
	}
	return b.Broker.Publish(ctx, channel, data)
}

// An answer that arrives twice is one.
func TestAnswerThatComesTwice(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		p, tap := siotest.Join(t, f.Servers[1], eiotest.WebSocket), siotest.NewTap(f)
		require.NoError(t, f.Servers[1].JoinRoom(p.SID, "room"))
		for _, target := range []string{p.SID, "room"} {
			var rec siotest.Record
			require.NoError(t, f.Servers[0].Emit("q", nil, socketio.To(target), socketio.OnAck(func(c *socketio.Context) { rec.Add("%s", c.ID()) })))
			p.Send("3" + p.WantAckEvent(`["q"]`) + `[]`)
			rec.Want(t, p.SID)
			for _, m := range tap.Published() {
				if m["method"] == "callback" {
					tap.Publish(fmt.Sprintf(`{"method":"callback","host_id":%q,"sid":%q,"namespace":"/","id":%v,"from":%q,"args":[]}`, m["host_id"], m["sid"], m["id"], m["from"]))
				}
			}
			rec.Want(t)
		}
	})
}

// The callbacks of one client of another server run one after another, those of two
// at the same time.
func TestRemoteCallbacksRunOneAfterAnother(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		p, other := siotest.Join(t, f.Servers[1], eiotest.WebSocket), siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		var mu sync.Mutex
		running, most := map[string]int{}, map[string]int{}
		all, mostOfAll := 0, 0
		count := func(sid string, n int) {
			mu.Lock()
			defer mu.Unlock()
			running[sid] += n
			all += n
			most[sid], mostOfAll = max(most[sid], running[sid]), max(mostOfAll, all)
		}
		for range 5 {
			require.NoError(t, f.Servers[0].Emit("q", nil, socketio.OnAck(func(c *socketio.Context) {
				count(c.ID(), 1)
				time.Sleep(time.Second)
				count(c.ID(), -1)
			})))
			for _, from := range []*siotest.Peer{p, other} {
				from.Send("3" + from.WantAckEvent(`["q"]`) + `[]`)
			}
		}
		time.Sleep(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, map[string]int{p.SID: 1, other.SID: 1}, most)
		require.Equal(t, 2, mostOfAll)
	})
}

// A question of a server that has gone is owed no answer.
func TestQuestionOfAServerThatHasGone(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		p := siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		require.NoError(t, f.Servers[0].Emit("q", nil, socketio.OnAck(func(*socketio.Context) {})))
		p.WantAckEvent(`["q"]`)
		require.Equal(t, 1, f.Servers[1].Socket(p.SID).PendingAcks())
		require.NoError(t, f.Servers[0].Shutdown(t.Context()))
		synctest.Wait()
		require.Zero(t, f.Servers[1].Socket(p.SID).PendingAcks())
		require.Zero(t, f.Servers[1].QuestionsOfOthers())
	})
}

// logFunc is a slog.Handler that calls a function.
type logFunc func()

func (logFunc) Enabled(context.Context, slog.Level) bool    { return true }
func (f logFunc) Handle(context.Context, slog.Record) error { f(); return nil }
func (f logFunc) WithAttrs([]slog.Attr) slog.Handler        { return f }
func (f logFunc) WithGroup(string) slog.Handler             { return f }

// No lock of the server is held while a logger of the application runs: it may emit
// and ask, and a message that is dropped is no reason to wait.
func TestLoggerThatEmits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 1, nil)
		var srv *socketio.Server
		log := func() {
			if srv != nil {
				_ = srv.Emit("logged", nil)
				_ = srv.BrokerStatus()
				_ = srv.Cluster().Servers()
			}
		}
		srv = f.Add(&socketio.Options{Logger: slog.New(logFunc(log)), Cluster: socketio.ClusterOptions{QueueLimit: 1}})
		tap := siotest.NewTap(f)
		tap.Publish("nonsense")
		for range 100 {
			require.NoError(t, srv.Emit("e", strings.Repeat("x", 100)))
		}
		f.Service.Stop()
		time.Sleep(time.Minute)
		f.Service.Start()
		time.Sleep(time.Minute)
		require.True(t, srv.BrokerStatus().Connected)
	})
}
