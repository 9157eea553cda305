package migration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

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
	giving    func()                    // called when GiveWaiting has taken a session, with no lock held
	away      bool                      // it has no connection with the broker
	written   map[recovery.Key]*Session // by servers that are gone
	size      int64                     // of each
	restored  []int                     // how many at once, by the one goroutine that restores
	restoring func()                    // called meanwhile
	atOnce    int                       // how many are restored at once; 0: all
	settling  func([]*Session) bool     // called by Settle, with mu held, until it returns true, which Settle returns then
	counted   int64
	most      int64 // of counted
}

func newNetwork(names ...string) *network {
	n := &network{servers: make(map[string]*fakeServer)}
	for _, name := range names {
		n.add(name, 0)
	}
	return n
}

// add adds a server, with a budget.
func (n *network) add(name string, budget int64) *fakeServer {
	s := &fakeServer{n: n, name: name, sessions: make(map[recovery.Key]string)}
	s.Mover = NewMover(s, s, name, budget)
	n.servers[name] = s
	return s
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
	if ctx.Err() != nil {
		s.n.mu.Unlock()
		s.n.turn.Unlock()
		return nil, &fleet.Error{Err: ctx.Err()}
	}
	if s.away {
		s.n.mu.Unlock()
		s.n.turn.Unlock()
		return nil, &fleet.Error{Err: fleet.ErrUnavailable}
	}
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
	ok = ok && s.Give(key, to, give)
	if ok && s.giving != nil {
		s.giving()
	}
	return key, 1 << 20, ok
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

// writtenSession is a Claim.
type writtenSession struct {
	*Session
	size int64
}

func (w *writtenSession) Size() int64 { return w.size }

func (w *writtenSession) Key() recovery.Key { return recovery.Key(w.Session.Key) }

func (s *fakeServer) Claim(_ context.Context, key recovery.Key) (Claim, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	m := s.written[key]
	switch {
	case s.away:
		return nil, errors.New("no broker")
	case m == nil:
		return nil, nil
	}
	delete(s.written, key)
	return &writtenSession{m, s.size}, nil
}

func (s *fakeServer) Restore(_ context.Context, claims []Claim) (sessions []*Session, at broker.Position, later []Claim, err error) {
	s.restored = append(s.restored, len(claims))
	if s.restoring != nil {
		s.restoring()
	}
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if s.away {
		return nil, "", nil, errors.New("no broker")
	}
	for i, c := range claims {
		switch m := c.(*writtenSession).Session; {
		case s.atOnce > 0 && i >= s.atOnce:
			later = append(later, c)
		case m.SID != "lost":
			sessions = append(sessions, m)
		}
	}
	return sessions, "", later, nil
}

// Release writes the sessions once more.
func (s *fakeServer) Release(_ context.Context, claims []Claim, _ error) {
	for _, c := range claims {
		m := c.(*writtenSession).Session
		s.write(recovery.Key(m.Key), m.SID)
	}
}

func (s *fakeServer) Count(bytes int64) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	s.counted += bytes
	s.most = max(s.most, s.counted)
}

// setAway cuts the server off, or ends that.
func (s *fakeServer) setAway(away bool) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	s.away = away
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
	if f := a.s.settling; f != nil && f(a.sessions) {
		a.s.settling = nil
		return true
	}
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

func (a *fakeArrivals) End() (again []recovery.Key) {
	for _, m := range a.sessions {
		again = append(again, recovery.Key(m.Key))
	}
	a.sessions = nil
	return again
}

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
