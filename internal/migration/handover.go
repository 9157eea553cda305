package migration

import (
	"context"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/internal/fleet"
)

// The hand-over when a server shuts down: it asks another one to take its sessions whose clients are
// away (doTake), and that one fetches them, some at a time (doMoveAll). Those whose clients come back
// meanwhile are fetched one by one (doMove), from whoever has them.

// HandOver has other servers take the sessions whose clients are away, until there are none, nobody
// takes them or the context ends. This server takes none any more.
func (m *Mover) HandOver(ctx context.Context) {
	m.mu.Lock()
	m.leaving = true
	m.mu.Unlock()
	for tried := map[string]bool{}; m.host.Waiting() > 0 && ctx.Err() == nil; {
		to := m.taker(ctx, tried)
		if to == "" {
			return
		}
		tried[to] = true
		q := question{Do: doTake}
		_, _ = m.servers.Ask(ctx, fleet.Question{Content: q.encode(), Order: true, Urgent: true, To: to})
	}
}

// taker returns the server, of those that were not tried, with the fewest sessions whose clients are
// away; empty if there is none.
func (m *Mover) taker(ctx context.Context, tried map[string]bool) (to string) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	q := question{Do: doHost}
	replies, _ := m.servers.Ask(ctx, fleet.Question{Content: q.encode(), Urgent: true}) // of those that answer, one is enough
	fewest := 0
	for _, r := range replies {
		if r.Found && r.Err == "" && !tried[r.Host] && (to == "" || r.Count < fewest) {
			to, fewest = r.Host, r.Count
		}
	}
	return to
}

// takeAll answers doTake: it fetches what the other server hands over.
func (m *Mover) takeAll(from string, answer func(fleet.Answer)) {
	m.mu.Lock()
	if m.leaving {
		m.mu.Unlock()
		answer(fleet.Answer{})
		return
	}
	m.running.Go(func() {
		for m.takeBatch(from) {
		}
		answer(fleet.Answer{Found: true})
	})
	m.mu.Unlock()
}

// takeBatch fetches some of the sessions. It reports false when there are no more.
func (m *Mover) takeBatch(from string) bool {
	ctx, cancel := context.WithTimeout(m.ctx, fetchTimeout)
	defer cancel()
	b := new(arrival)
	m.mu.Lock()
	m.batches[b] = struct{}{}
	m.mu.Unlock()
	q := question{Do: doMoveAll}
	replies := m.take(ctx, &q, from, b, func(*Session) bool { return true })
	m.mu.Lock()
	delete(m.batches, b)
	then := b.then
	m.mu.Unlock()
	for _, w := range then {
		w.proceed()
	}
	return len(replies) == 1 && replies[0].Found
}

// moveAll answers doMoveAll.
func (m *Mover) moveAll(to string, answer func(fleet.Answer)) {
	b := &batch{answer: answer, waiting: 1}
	defer b.given(nil)
	for bytes, n := int64(0), 0; bytes < batchSize && n < batchLen; n++ {
		b.add()
		key, size, ok := m.host.GiveWaiting(to, b.given)
		if !ok {
			b.given(nil)
			return
		}
		bytes += size
		m.mu.Lock()
		m.handed[key] = to
		m.mu.Unlock()
		if n == 0 {
			b.limit()
		}
	}
}

// batch is some sessions on their way to another server.
type batch struct {
	answer func(fleet.Answer)

	mu       sync.Mutex
	waiting  int // for how many sessions, and the one who asks for them
	sessions []*Session
	timer    *time.Timer
	answered bool
}

func (b *batch) add() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting++
}

// limit bounds the wait: handlers of the application may take their time.
func (b *batch) limit() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.timer = time.AfterFunc(batchWait, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.endLocked()
	})
}

// given takes a session, nil if there was none.
func (b *batch) given(s *Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s != nil {
		b.sessions = append(b.sessions, s)
	}
	if b.waiting--; b.waiting == 0 {
		b.endLocked()
	}
}

// endLocked answers. The caller holds b.mu.
func (b *batch) endLocked() {
	if b.answered {
		return
	}
	b.answered = true
	if b.timer != nil {
		b.timer.Stop()
	}
	if len(b.sessions) == 0 {
		b.answer(fleet.Answer{})
		return
	}
	b.answer(formed(b.sessions...))
}
