package migration

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/fleet"
)

// A session whose handlers take longer than the server waits that takes all is handed over after that. One that a client
// asks for meanwhile goes to its server at once when they have returned.
func TestHandOverOfLateSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a", "b", "c")
		defer n.close()
		a := n.servers["a"]
		for i := range byte(3) {
			a.sessions[testKey(i)] = fmt.Sprint(i)
		}
		n.servers["c"].sessions[testKey(200)] = "it has more"
		a.hold = make(chan struct{})
		ended := make(chan struct{})
		go func() {
			a.HandOver(t.Context())
			close(ended)
		}()
		time.Sleep(5*batchWait + time.Second)
		done := false
		require.True(t, n.servers["c"].Fetch(testKey(1), "a", func() { done = true }))
		synctest.Wait()
		assert.Empty(t, n.has(testKey(0)))
		select {
		case <-ended:
			t.Error("sessions are left")
		default:
		}
		close(a.hold)
		<-ended
		synctest.Wait()
		assert.True(t, done)
		assert.Equal(t, []string{"b"}, n.has(testKey(0)))
		assert.Equal(t, []string{"c"}, n.has(testKey(1)))
		assert.Equal(t, []string{"b"}, n.has(testKey(2)))
		assert.Zero(t, a.Close())
	})
}

// Close says how many sessions were about to be handed over.
func TestCloseDuringTheHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a", "b")
		defer n.close()
		a := n.servers["a"]
		a.sessions[testKey(1)], a.sessions[testKey(2)] = "1", "2"
		a.hold = make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		a.HandOver(ctx)
		assert.Equal(t, 2, a.Close())
		close(a.hold)
		synctest.Wait()
	})
}

// A server that asks for a session in the moment in which another one has taken it for its batch hears where it is.
func TestMoveWhileABatchIsTaken(t *testing.T) {
	n := newNetwork("a", "b", "c")
	defer n.close()
	a := n.servers["a"]
	a.sessions[testKey(1)] = "sid"
	n.servers["c"].sessions[testKey(200)] = "it has more"
	answered, early := make(chan fleet.Answer, 1), false
	a.giving = func() {
		go a.move(testKey(1), "c", func(answer fleet.Answer) { answered <- answer })
		for range 10_000 { // no bubble: it does not know that a goroutine waits for a lock
			runtime.Gosched()
		}
		early = len(answered) > 0
	}
	a.HandOver(t.Context())
	assert.False(t, early, "it is not known yet")
	answer := <-answered
	if !answer.Found {
		assert.Equal(t, fleet.Answer{Names: []string{"b"}, Count: elsewhere}, answer)
		assert.Equal(t, []string{"b"}, n.has(testKey(1)))
	}
}

// A server that shuts down hands over sessions that were on their way to it, too, and asks for none any more.
func TestHandOverOfArrivals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a", "b", "c")
		defer n.close()
		a, b := n.servers["a"], n.servers["b"]
		a.sessions[testKey(1)] = "sid"
		a.hold = make(chan struct{})
		done := 0
		require.True(t, b.Fetch(testKey(1), "a", n.counter(&done)))
		synctest.Wait()
		ended := make(chan struct{})
		go func() {
			b.HandOver(t.Context())
			close(ended)
		}()
		synctest.Wait()
		assert.Zero(t, done)
		close(a.hold)
		<-ended
		b.Close()
		assert.Equal(t, 1, done)
		assert.Len(t, n.has(testKey(1)), 1)
		assert.NotContains(t, n.has(testKey(1)), "b")
	})
}

// A server whose sessions nobody takes waits for those that are on their way to it.
func TestHandOverToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a", "b")
		defer n.close()
		a, b := n.servers["a"], n.servers["b"]
		a.sessions[testKey(1)], b.sessions[testKey(2)] = "it stays", "it comes"
		b.hold = make(chan struct{})
		done := 0
		require.True(t, a.Fetch(testKey(2), "b", n.counter(&done)))
		synctest.Wait()
		b.mu.Lock()
		b.leaving = true
		b.mu.Unlock()
		ended := make(chan struct{})
		go func() {
			a.HandOver(t.Context())
			close(ended)
		}()
		synctest.Wait()
		select {
		case <-ended:
			t.Error("a session is under way")
		default:
		}
		close(b.hold)
		<-ended
		a.Close()
		assert.Equal(t, 1, done)
		assert.True(t, a.Has(testKey(1)))
		assert.True(t, a.Has(testKey(2)))
	})
}

// A server that shuts down while another one hands its sessions over to it takes no further ones: they go to a third server.
func TestTwoServersHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a", "b", "c")
		defer n.close()
		a, b, c := n.servers["a"], n.servers["b"], n.servers["c"]
		const many = 20
		for i := range byte(many) {
			a.sessions[testKey(i)] = fmt.Sprint(i)
		}
		c.sessions[testKey(200)] = "it has more"
		a.hold = make(chan struct{})
		ended := make(chan struct{}, 2)
		handOver := func(s *fakeServer) {
			s.HandOver(t.Context())
			s.Close()
			ended <- struct{}{}
		}
		go handOver(a)
		synctest.Wait()
		go handOver(b)
		synctest.Wait()
		close(a.hold)
		<-ended
		<-ended
		assert.Empty(t, a.sessions)
		assert.Empty(t, b.sessions)
		assert.Len(t, c.sessions, many+1)
	})
}

// A client whose session is in a batch finds it also when the server that hands it over has gone.
func TestFetchWhileABatchSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a", "b")
		defer n.close()
		b := n.servers["b"]
		batch := new(arrival)
		b.mu.Lock()
		b.batches[batch] = struct{}{}
		b.mu.Unlock()
		found := false
		require.True(t, b.Fetch(testKey(1), "gone", func() { found = b.Has(testKey(1)) }))
		time.Sleep(time.Second)
		n.mu.Lock()
		b.sessions[testKey(1)] = "sid"
		n.mu.Unlock()
		b.mu.Lock()
		delete(b.batches, batch)
		then := batch.then
		b.mu.Unlock()
		require.Len(t, then, 1)
		then[0].proceed()
		synctest.Wait()
		assert.True(t, found)
	})
}
