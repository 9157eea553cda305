package migration

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/recovery"
)

// The server that the private id names is asked first, and all if it does not have the session.
func TestFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a", "b", "c")
		defer n.close()
		n.servers["a"].sessions[testKey(1)] = "sid"
		done := 0
		fetch := func(to, home string) {
			require.True(t, n.servers[to].Fetch(testKey(1), home, n.counter(&done)))
			synctest.Wait()
			time.Sleep(broadPause)
		}
		fetch("b", "a")
		assert.Equal(t, []string{"b"}, n.has(testKey(1)))
		fetch("c", "a") // it is not there any more
		assert.Equal(t, []string{"c"}, n.has(testKey(1)))
		fetch("a", "a")
		assert.Equal(t, []string{"a"}, n.has(testKey(1)))
		assert.Equal(t, 3, done)
		assert.Equal(t, []string{"b a moveSession", "c a moveSession", "c  moveSession", "a  moveSession"}, n.asked)
		require.True(t, n.servers["b"].Fetch(testKey(2), "nobody", n.counter(&done)))
		synctest.Wait()
		assert.Equal(t, 4, done, "nobody has it")
		n.servers["b"].Close()
		assert.False(t, n.servers["b"].Fetch(testKey(1), "a", func() {}))
	})
}

// Two servers that look for one session do not wait for each other, and the one that asks later has it in
// the end.
func TestFetchTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a", "b", "c")
		defer n.close()
		a := n.servers["a"]
		a.sessions[testKey(1)] = "sid"
		a.hold = make(chan struct{})
		var order []string
		require.True(t, n.servers["b"].Fetch(testKey(1), "a", func() { order = append(order, "b") }))
		synctest.Wait()
		require.True(t, n.servers["b"].Fetch(testKey(1), "a", func() { order = append(order, "b again") }))
		require.True(t, n.servers["c"].Fetch(testKey(1), "a", func() { order = append(order, "c") }))
		synctest.Wait()
		assert.Empty(t, order)
		close(a.hold)
		synctest.Wait()
		assert.Equal(t, []string{"b", "b again", "c"}, order)
		assert.Equal(t, []string{"c"}, n.has(testKey(1)))

		begin := time.Now() // nobody has it: neither waits for the other
		var ended atomic.Int32
		for _, name := range []string{"a", "b", "c"} {
			require.True(t, n.servers[name].Fetch(testKey(2), "", func() { ended.Add(1) }))
		}
		time.Sleep(time.Second)
		assert.EqualValues(t, 3, ended.Load())
		assert.Less(t, time.Since(begin), 2*time.Second)
	})
}

// Who comes for a session while those who came before are served gets it after them.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a", "b")
		defer n.close()
		n.servers["a"].sessions[testKey(1)] = "sid"
		b := n.servers["b"]
		var order []string
		note := func(what string) func() { return func() { order = append(order, what) } }
		assert.False(t, b.Await(testKey(1), note("nobody fetches it")))
		first := make(chan struct{})
		require.True(t, b.Fetch(testKey(1), "a", func() { <-first; note("first")() }))
		require.True(t, b.Fetch(testKey(1), "a", note("second")))
		synctest.Wait()
		assert.True(t, b.Has(testKey(1)), "the first one has not claimed it")
		require.True(t, b.Await(testKey(1), func() {
			note("third")()
			assert.True(t, b.Await(testKey(1), note("fourth")))
		}))
		assert.False(t, b.Await(testKey(2), note("of another session")))
		assert.Empty(t, order)
		close(first)
		synctest.Wait()
		assert.Equal(t, []string{"first", "second", "third", "fourth"}, order)
		assert.False(t, b.Await(testKey(1), note("too late")))
	})
}

// A client that comes to the very server that its session is being handed over to waits for it there.
func TestFetchWhileHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a", "b", "c")
		defer n.close()
		a, b := n.servers["a"], n.servers["b"]
		n.servers["c"].sessions[testKey(200)] = "it has more"
		a.sessions[testKey(1)] = "sid"
		a.hold = make(chan struct{})
		go a.HandOver(t.Context())
		synctest.Wait()
		done := false
		require.True(t, b.Fetch(testKey(1), "a", func() { done = true }))
		synctest.Wait()
		assert.False(t, done)
		close(a.hold)
		synctest.Wait()
		assert.True(t, done)
		assert.True(t, b.Has(testKey(1)))
		assert.NotContains(t, n.asked, "b  moveSession", "nobody else is asked")
	})
}

// Clients with unknown private ids, which wait for the batches that are under way, do not keep others from being fetched.
func TestFetchWhileManyAwaitABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a", "b")
		defer n.close()
		b := n.servers["b"]
		b.mu.Lock()
		b.batches[new(arrival)] = struct{}{} // it does not end
		b.mu.Unlock()
		for i := range maxFetches {
			require.True(t, b.Fetch(recovery.Key{byte(i), 1}, "gone", func() {}))
		}
		time.Sleep(2 * maxFetches * broadPause)
		n.mu.Lock()
		n.servers["a"].sessions[testKey(1)] = "sid"
		n.mu.Unlock()
		done := 0
		require.True(t, b.Fetch(testKey(1), "a", n.counter(&done)))
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, 1, done)
		assert.True(t, b.Has(testKey(1)))
	})
}

// A session that does not come is given up.
func TestFetchGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a", "b")
		defer n.close()
		a := n.servers["a"]
		a.sessions[testKey(1)] = "sid"
		a.hold = make(chan struct{})
		done := make(chan struct{})
		require.True(t, n.servers["b"].Fetch(testKey(1), "a", func() { close(done) }))
		begin := time.Now()
		<-done
		assert.Equal(t, fetchTimeout, time.Since(begin))
		close(a.hold)
	})
}

// All sessions are handed over, in batches, to a server that takes them; clients that come back meanwhile
// are told where theirs are.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a", "b", "c")
		defer n.close()
		a := n.servers["a"]
		const many = 50
		for i := range byte(many) {
			a.sessions[testKey(i)] = fmt.Sprint(i)
		}
		n.servers["b"].sessions[testKey(200)] = "it has more"
		a.hold = make(chan struct{})
		ended := make(chan struct{})
		go func() {
			a.HandOver(t.Context())
			close(ended)
		}()
		synctest.Wait()
		assert.Less(t, a.given, many, "they go in batches")
		var some recovery.Key
		for i := range byte(many) {
			if len(n.has(testKey(i))) == 0 { // it is under way
				some = testKey(i)
			}
		}
		done := false
		require.True(t, n.servers["b"].Fetch(some, "a", func() { done = true }))
		synctest.Wait()
		assert.False(t, done)
		close(a.hold)
		<-ended
		synctest.Wait()
		assert.True(t, done)
		assert.Equal(t, []string{"b"}, n.has(some))
		assert.Empty(t, a.sessions)
		assert.Len(t, n.servers["c"].sessions, many-1)
		assert.False(t, a.Fetch(some, "b", func() {}), "it takes none any more")
		a.Answer("c", (&question{Do: doHost}).encode(), func(answer fleet.Answer) { assert.False(t, answer.Found) })
		a.Answer("c", (&question{Do: doTake}).encode(), func(answer fleet.Answer) { assert.False(t, answer.Found) })
		assert.False(t, a.Answer("c", []byte(`{"do":"count"}`), nil))
		assert.False(t, a.Answer("c", []byte(`[`), nil))
	})
}
