package migration

import (
	"context"

	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/recovery"
)

// The hand-over when a server shuts down: it asks another one to take its sessions whose clients are
// away (doTake), and that one fetches them, some at a time (doMoveAll). Those whose clients come back
// meanwhile are fetched one by one (doMove), from whoever has them.

// HandOver has other servers take the sessions whose clients are away, and those that are on their way to this
// server, until there are none, nobody takes them or the context ends. This server takes none any more.
func (m *Mover) HandOver(ctx context.Context) {
	m.mu.Lock()
	m.leaving = true
	m.mu.Unlock()
	for given := true; given; {
		given = m.giveAll(ctx)
		given = m.awaitUnderWay(ctx) && given && m.remaining() > 0 // those that are under way come also if nobody takes any
	}
}

// giveAll has other servers take the sessions whose clients are away. It reports false if some remain.
func (m *Mover) giveAll(ctx context.Context) (done bool) {
	for tried := map[string]bool{}; m.remaining() > 0; {
		to := m.taker(ctx, tried)
		if to == "" || ctx.Err() != nil {
			return false
		}
		tried[to] = true
		q := question{Do: doTake}
		_, _ = m.servers.Ask(ctx, fleet.Question{Content: q.encode(), Order: true, Urgent: true, To: to})
	}
	return true
}

// remaining returns how many sessions no other server has taken yet.
func (m *Mover) remaining() int { return m.host.Waiting() + m.leavers.len() }

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

// takeBatch fetches some of the sessions. It reports false when there are no more, or this server takes none any
// more.
func (m *Mover) takeBatch(from string) bool {
	ctx, cancel := context.WithTimeout(m.ctx, fetchTimeout)
	defer cancel()
	b := new(arrival)
	m.mu.Lock()
	if m.leaving {
		m.mu.Unlock()
		return false
	}
	m.batches[b] = struct{}{}
	m.mu.Unlock()
	q := question{Do: doMoveAll}
	replies, _ := m.take(ctx, &q, from, b, func(*Session) bool { return true })
	m.mu.Lock()
	delete(m.batches, b)
	m.ended.broadcastLocked()
	then := b.then
	m.mu.Unlock()
	for _, w := range then {
		w.proceed()
	}
	return len(replies) == 1 && replies[0].Found
}

// moveAll answers doMoveAll.
func (m *Mover) moveAll(to string, answer func(fleet.Answer)) {
	m.leavers.dismiss()
	m.giveSome(to)
	m.leavers.ask(func(sessions []*Session, all bool) {
		m.mu.Lock()
		for _, s := range sessions { // those of an earlier question, too
			m.handed[recovery.Key(s.Key)] = to
		}
		m.mu.Unlock()
		if all && len(sessions) == 0 {
			answer(fleet.Answer{})
		} else {
			answer(formed(sessions...)) // the other server asks once more
		}
	})
}

// giveSome takes some sessions from this server. Nobody waits for them yet.
func (m *Mover) giveSome(to string) {
	m.giving.Lock()
	defer m.giving.Unlock()
	for bytes, n := int64(0), 0; bytes < batchSize && n < batchLen; n++ {
		key, size, ok := m.host.GiveWaiting(to, m.leavers.given)
		if !ok {
			return
		}
		m.leavers.expect(key)
		bytes += size
		m.mu.Lock()
		m.handed[key] = to
		m.mu.Unlock()
	}
}

// giveLeaver gives a session to a server that asks for it alone, if it is about to be handed over. Otherwise it
// returns to which server it has been handed over; empty if it has not.
func (m *Mover) giveLeaver(key recovery.Key, to string, give func(*Session)) (ok bool, host string) {
	m.giving.Lock() // until giveSome knows what it has taken
	s, ok := m.leavers.claim(key, give)
	m.mu.Lock()
	if ok {
		m.handed[key] = to
	} else {
		host = m.handed[key]
	}
	m.mu.Unlock()
	m.giving.Unlock()
	if s != nil {
		give(s)
	}
	return ok, host
}
