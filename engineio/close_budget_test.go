package engineio

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pollers opens polling sessions that do not poll.
func pollers(t *testing.T, s *Server, n int) (conns []*Conn) {
	t.Helper()
	for range n {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/engine.io/?EIO=4&transport=polling", nil))
		require.Equal(t, http.StatusOK, w.Code, w.Body)
	}
	return s.all()
}

func budgetServer(t *testing.T, opts Options) *Server {
	t.Helper()
	opts.OnConnect = func(*Conn) (Receiver, error) { return echoing{got: make(chan string, 1)}, nil }
	s, err := NewServer(&opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Shutdown(ctx)
		s.wg.Wait()
		assert.Zero(t, s.budget.Used(), "what is counted is given back")
	})
	return s
}

// A broadcast of 1 MB to 2,000 clients that have not taken it yet counts once, and cuts nobody.
func TestBudgetOfABroadcast(t *testing.T) {
	s := budgetServer(t, Options{})
	conns := pollers(t, s, 2000)
	f := TextFrames(strings.Repeat("x", 1_000_000))
	for _, c := range conns {
		require.NoError(t, c.Send(f))
	}
	assert.Equal(t, f.unit.Cost(), s.budget.Used())
	assert.EqualValues(t, 2000*f.unit.Size(), s.Stats().QueuedBytes)
	for _, c := range conns {
		require.NoError(t, c.Context().Err())
	}
}

// When the budget is used up, those for whom most waits are closed, and no others.
func TestBudgetCutsThoseFurthestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := budgetServer(t, Options{Limits: Limits{SendBudget: 1_000_000}})
		conns := pollers(t, s, 10)
		for i, c := range conns {
			size := 90_000
			if i == 0 {
				size = 400_000
			}
			require.NoError(t, c.Send(TextFrames(strings.Repeat(fmt.Sprint(i), size))))
		}
		synctest.Wait()
		assert.Less(t, s.budget.Used(), int64(1_000_000))
		for i, c := range conns {
			assert.Equal(t, i == 0, c.Context().Err() != nil, "connection %d", i)
		}
		st := s.Stats()
		assert.EqualValues(t, 1, st.LimitHits["SendBudget"])
		assert.EqualValues(t, 1, st.Closed[ReasonSlowClient])
		var closed *CloseError
		require.ErrorAs(t, context.Cause(conns[0].Context()), &closed)
		assert.ErrorContains(t, closed, "Options.Limits.SendBudget")
	})
}

// A message that waits on two servers counts on both.
func TestBudgetOfTwoServers(t *testing.T) {
	a, b := budgetServer(t, Options{}), budgetServer(t, Options{})
	f := TextFrames(strings.Repeat("x", 100_000))
	for _, s := range []*Server{a, b} {
		for _, c := range pollers(t, s, 2) {
			require.NoError(t, c.Send(f))
		}
	}
	assert.Equal(t, f.unit.Cost(), a.budget.Used())
	assert.Equal(t, 2*f.unit.Cost(), b.budget.Used())
}

// The counter of connections passes 2^31 and 2^32 (int has 32 bits on some machines).
func TestFlusherAfterManyConnections(t *testing.T) {
	s := budgetServer(t, Options{})
	for _, at := range []uint32{math.MaxInt32 - 2, math.MaxUint32 - 2} {
		s.next.Store(at)
		for range 5 {
			require.NotNil(t, s.nextFlusher())
		}
	}
}
