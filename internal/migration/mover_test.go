package migration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/recovery"
)

// network is some servers, each a Mover with its sessions, that reach each other at once.
type network struct {
	turn    sync.Mutex // all get the questions in one order, as from a broker
	mu      sync.Mutex
	servers map[string]*fakeServer
	asked   []string // "from to question"
}

// fakeServer is one of them. Its handlers have returned at once, unless hold is set.
type fakeServer struct {
	*Mover
	n         *network
	name      string
	sessions  map[recovery.Key]string // the key has the session id
	hold      chan struct{}
	given     int
	written   map[recovery.Key]*Session // by servers that are gone
	restored  []int                     // how many at once, by the one goroutine that restores
	restoring func()                    // called meanwhile
	atOnce    int                       // how many are restored at once; 0: all
}

func newNetwork(names ...string) *network {
	n := &network{servers: make(map[string]*fakeServer)}
	for _, name := range names {
		s := &fakeServer{n: n, name: name, sessions: make(map[recovery.Key]string)}
		s.Mover = NewMover(s, s, name)
		n.servers[name] = s
	}
	return n
}

func (n *network) close() {
	for _, s := range n.servers {
		s.Close()
	}
}

func (s *fakeServer) NewCapture() *cluster.Capture { return new(cluster.Cluster).NewCapture() }

func (s *fakeServer) Ask(ctx context.Context, q fleet.Question) (replies []fleet.Reply, err error) {
	s.n.turn.Lock()
	s.n.mu.Lock()
	var asks question
	_ = json.Unmarshal(q.Content, &asks)
	if q.To != s.name {
		s.n.asked = append(s.n.asked, fmt.Sprintf("%s %s %s", s.name, q.To, asks.Do))
	}
	others := make(map[string]*fakeServer)
	for name, o := range s.n.servers {
		if o != s && (q.To == "" || q.To == name) {
			others[name] = o
		}
	}
	s.n.mu.Unlock()
	if q.Passed != nil {
		q.Passed()
	}
	answers := make(map[string]chan fleet.Answer)
	for name, o := range others {
		got := make(chan fleet.Answer, 1)
		answers[name] = got
		if !o.Answer(s.name, q.Content, func(a fleet.Answer) { got <- a }) {
			s.n.turn.Unlock()
			return nil, errors.New("no answer")
		}
	}
	s.n.turn.Unlock()
	for name, got := range answers {
		select {
		case a := <-got:
			replies = append(replies, fleet.Reply{Host: name, Answer: a})
		case <-ctx.Done():
			return replies, ctx.Err()
		}
	}
	return replies, nil
}

func (s *fakeServer) Give(key recovery.Key, _ string, give func(*Session)) bool {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	sid, ok := s.sessions[key]
	if !ok {
		return false
	}
	delete(s.sessions, key)
	s.given++
	hold := s.hold
	go func() {
		if hold != nil {
			<-hold
		}
		give(&Session{Key: key[:], SID: sid})
	}()
	return true
}

func (s *fakeServer) GiveWaiting(to string, give func(*Session)) (key recovery.Key, size int64, ok bool) {
	s.n.mu.Lock()
	for key = range s.sessions {
		ok = true
		break
	}
	s.n.mu.Unlock()
	return key, 1 << 20, ok && s.Give(key, to, give)
}

func (s *fakeServer) Has(key recovery.Key) bool {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	_, ok := s.sessions[key]
	return ok
}

// write writes a session down.
func (s *fakeServer) write(key recovery.Key, sid string) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	s.written[key] = &Session{Key: key[:], SID: sid}
}

// counter returns a function that counts its calls in n.
func (n *network) counter(count *int) func() {
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		*count++
	}
}

func (s *fakeServer) CanRestore() bool { return s.written != nil }

func (s *fakeServer) Claim(_ context.Context, key recovery.Key) Claim {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if m := s.written[key]; m != nil {
		return m
	}
	return nil
}

func (s *fakeServer) Restore(_ context.Context, claims []Claim) (sessions []*Session, at broker.Position, later []Claim) {
	s.restored = append(s.restored, len(claims))
	if s.restoring != nil {
		s.restoring()
	}
	for i, c := range claims {
		switch m := c.(*Session); {
		case s.atOnce > 0 && i >= s.atOnce:
			later = append(later, m)
		case m.SID != "lost":
			sessions = append(sessions, m)
		}
	}
	return sessions, "", later
}

func (s *fakeServer) Waiting() int {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	return len(s.sessions)
}

func (s *fakeServer) Take(sessions []*Session, _ string, _ *cluster.Capture) Arrivals {
	return &fakeArrivals{s: s, sessions: sessions}
}

// fakeArrivals are sessions that a server has when its marks have passed.
type fakeArrivals struct {
	s        *fakeServer
	sessions []*Session
	passed   bool // once
}

func (a *fakeArrivals) Settle() (again bool) {
	a.s.n.mu.Lock()
	defer a.s.n.mu.Unlock()
	if !a.passed {
		a.passed = true
		return true
	}
	for _, m := range a.sessions {
		a.s.sessions[recovery.Key(m.Key)] = m.SID
	}
	a.sessions = nil
	return false
}

func (a *fakeArrivals) End() { a.sessions = nil }

// has returns which servers have a session.
func (n *network) has(key recovery.Key) (names []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, s := range n.servers {
		if _, ok := s.sessions[key]; ok {
			names = append(names, name)
		}
	}
	return names
}

func testKey(i byte) recovery.Key { return recovery.Key{i} }

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
