package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// memory is a store in memory.
type memory struct {
	mu     sync.Mutex
	n      int64
	kept   map[string][]sample
	broken bool
}

var errBroken = errors.New("the store is away")

func (m *memory) next(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken {
		return 0, errBroken
	}
	m.n++
	return m.n, nil
}

func (m *memory) add(_ context.Context, s sample) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept[s.Name] = append(m.kept[s.Name], s)
	return nil
}

func (m *memory) last(_ context.Context, name string) ([]sample, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken {
		return nil, errBroken
	}
	return append([]sample{}, m.kept[name]...), nil
}

// rig is a worker and two web servers on one broker.
type rig struct {
	kept    *memory
	servers [2]*socketio.Server
}

func bubble(t *testing.T, f func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		service := new(brokertest.Memory)
		r := &rig{kept: &memory{kept: map[string][]sample{}}}
		for i := range r.servers {
			r.servers[i] = newServer(service.Connect(), r.kept)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		synctest.Wait()
		go func() { done <- work(ctx, time.Second, service.Connect(), r.kept) }()
		t.Cleanup(func() {
			cancel()
			assert.NoError(t, <-done)
			for _, srv := range r.servers {
				assert.NoError(t, srv.Shutdown(context.Background()))
			}
		})
		f(t, r)
	})
}

// numbers are those of the figures that have come.
func numbers(t *testing.T, c *socketiotest.Client, name string) (all []int64) {
	t.Helper()
	for _, e := range c.Received() {
		require.Equal(t, "sample", e.Name)
		var s sample
		e.Bind(append([]any{&s}, make([]any, e.Len()-1)...)...) // a second argument is for Recovery
		require.GreaterOrEqual(t, s.Value, 0.0)
		require.LessOrEqual(t, s.Value, 100.0)
		if s.Name == name {
			all = append(all, s.N)
		}
	}
	return all
}

func TestWatch(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		ann, bob := socketiotest.Connect(t, r.servers[0], nil), socketiotest.Connect(t, r.servers[1], nil)
		var got []string
		ann.Call("series").Bind(&got)
		assert.Equal(t, names, got)
		time.Sleep(2500 * time.Millisecond)
		var last []sample
		ann.Call("watch", "orders").Bind(&last)
		require.Len(t, last, 2)
		assert.Equal(t, sample{"orders", 2, last[1].Value}, last[1])
		ann.ExpectNothing()
		bob.Call("watch", "visitors")
		time.Sleep(2 * time.Second)
		assert.Equal(t, []int64{3, 4}, numbers(t, ann, "orders"))
		assert.Equal(t, []int64{3, 4}, numbers(t, bob, "visitors"))
		ann.Call("unwatch", "orders")
		time.Sleep(time.Second)
		ann.ExpectNothing()
		assert.Equal(t, []int64{5}, numbers(t, bob, "visitors"))
	})
}

func TestNoSuchSeries(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		ann, bob := socketiotest.Connect(t, r.servers[0], nil), socketiotest.Connect(t, r.servers[1], nil)
		for _, event := range []string{"watch", "unwatch"} {
			var answer struct{ Error struct{ Message string } }
			ann.Call(event, bob.ID()).Bind(&answer)
			assert.Equal(t, errSeries.Message, answer.Error.Message)
		}
	})
}

// Redis is away for a while: pages are told, and it goes on afterwards.
func TestStoreIsAway(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		ann := socketiotest.Connect(t, r.servers[0], nil)
		ann.Call("watch", "orders")
		set := func(broken bool) {
			r.kept.mu.Lock()
			defer r.kept.mu.Unlock()
			r.kept.broken = broken
		}
		set(true)
		time.Sleep(3500 * time.Millisecond)
		var answer struct{ Error struct{ Message string } }
		ann.Call("watch", "orders").Bind(&answer)
		assert.Equal(t, errKept.Message, answer.Error.Message)
		ann.ExpectNothing()
		set(false)
		time.Sleep(2 * time.Second)
		assert.Equal(t, []int64{1, 2}, numbers(t, ann, "orders"))
	})
}

func TestPage(t *testing.T) {
	handler := newHandler(http.NotFoundHandler())
	for path, want := range map[string]int{"/": 200, "/static/page.js": 200, "/nothing": 404} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		assert.Equal(t, want, w.Code, path)
	}
}
