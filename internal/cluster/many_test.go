package cluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/internal/wire/flask"
	"github.com/seed-d124fa34/socketio/parser"
)

// fakeHost is a server whose clients never answer by themselves.
type fakeHost struct {
	mu     sync.Mutex
	rooms  [][]string // of each event that was delivered
	asked  []*cluster.Question
	ended  int // questions that nobody waits for any more
	failed map[string]error
}

func (h *fakeHost) Interested(*wire.Event) bool { return true }
func (h *fakeHost) Apply(wire.Command) error    { return nil }

func (h *fakeHost) Deliver(e *wire.Event, q *cluster.Question) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rooms = append(h.rooms, append([]string(nil), e.Rooms...))
	h.asked = append(h.asked, q)
	q.Wait(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.ended++
	})
	return nil
}

func (h *fakeHost) WaitIdle(context.Context) error { return nil }
func (h *fakeHost) Busy() func()                   { return func() {} }
func (h *fakeHost) Panicked(v any)                 { panic(v) }

func (h *fakeHost) Answered(string, parser.Args) {}

func (h *fakeHost) Failed(sid string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed[sid] = err
}

// allMembers knows every server. It is asked nothing.
type allMembers struct{ cluster.Members }

func (allMembers) Connected(bool)         {}
func (allMembers) Disconnected()          {}
func (allMembers) Receive([]byte) error   { return nil }
func (allMembers) Reachable(string) error { return nil }
func (allMembers) Close()                 {}

// Many clients of one server are asked by several messages, so that every broker takes them. All of
// them are heard, and Cancel ends the wait for all.
func TestAskManyClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := new(brokertest.Memory)
		hosts := make(map[string]*fakeHost)
		clusters := make(map[string]*cluster.Cluster)
		for _, id := range []string{"a", "b"} {
			b := service.Connect()
			defer b.Close()
			hosts[id] = &fakeHost{failed: make(map[string]error)}
			c := cluster.New(cluster.Options{
				Host: hosts[id], ID: id, Wire: flask.New(id, "ch"), Broker: b, Codec: parser.New(nil),
				Logger: slog.New(slog.DiscardHandler), ProbeChannel: "ch", Limit: 1 << 20,
			})
			c.Start(allMembers{}, "members")
			defer c.Close(t.Context())
			clusters[id] = c
		}
		synctest.Wait()
		const n = 5000
		clients := make(map[string]string)
		for i := range n {
			clients[fmt.Sprintf("%022d", i)] = "b"
		}
		event := &wire.Event{Namespace: "/", Everyone: true, Name: []byte(`"ask"`)}
		require.NoError(t, clusters["a"].Emit(event, &cluster.Ask{
			ID: 1, Namespace: "/", Asker: hosts["a"], Clients: clients, CallerEnds: true, Failures: true,
		}))
		synctest.Wait()
		b := hosts["b"]
		require.Len(t, b.rooms, 3)
		for i, q := range b.asked {
			for _, sid := range b.rooms[i][1:] {
				q.Failed(sid, 0)
			}
		}
		b.asked[1].Done() // all of these have answered
		synctest.Wait()
		require.Len(t, hosts["a"].failed, n-3)
		clusters["a"].Cancel(1)
		synctest.Wait()
		require.Equal(t, 2, b.ended)
	})
}
