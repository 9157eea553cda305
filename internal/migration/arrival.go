package migration

import (
	"context"

	"github.com/seed-d124fa34/socketio/internal/recovery"
)

// arrival is a session that is under way, or a batch of them.
type arrival struct {
	// passed: the question for it has come back from the broker, and this server may yet get it.
	// Servers that asked before that do not wait, so that two servers never wait for each other.
	passed bool
	then   []waiting // in the order in which they have come
}

// waiting is somebody who waits for a session.
type waiting struct {
	proceed func() // when it has come, or has not
	server  bool   // it is another server
}

// hasEnded reports whether there is something to be done now that a fetch has ended, and forgets the
// fetch if not.
func (m *Mover) hasEnded(key recovery.Key, a *arrival) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	a.passed = false // who asks for the session need not wait any more
	if len(a.then) > 0 {
		return true
	}
	m.waiting--
	delete(m.arrivals, key)
	m.ended.broadcastLocked()
	return false
}

// awaitUnderWay waits until no session is on its way to this server. It reports false if the context ends before.
func (m *Mover) awaitUnderWay(ctx context.Context) bool {
	return m.ended.await(ctx, &m.mu, func() bool { return m.waiting == 0 && len(m.batches) == 0 })
}

// Await has done called as Fetch does, if the session is being fetched. Otherwise it reports false.
// So those who come for a session get it in the order in which they have come.
func (m *Mover) Await(key recovery.Key, done func()) (ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.arrivals[key]
	if a != nil {
		a.then = append(a.then, waiting{proceed: done})
	}
	return a != nil
}

// letPass has the servers that wait for a session go on: it has not come, and this server is about to
// ask others, those among them.
func (m *Mover) letPass(a *arrival) {
	m.mu.Lock()
	a.passed = false
	all := a.then
	a.then = nil
	var servers []waiting
	for _, w := range all {
		if w.server {
			servers = append(servers, w)
		} else {
			a.then = append(a.then, w)
		}
	}
	m.mu.Unlock()
	for _, w := range servers {
		w.proceed()
	}
}

// hasAfterBatches reports whether this server has a session when those have arrived that other servers are handing
// over.
func (m *Mover) hasAfterBatches(ctx context.Context, key recovery.Key) bool {
	m.awaitBatches(ctx)
	return m.host.Has(key)
}

// awaitBatches waits until the sessions that other servers are handing over have arrived.
func (m *Mover) awaitBatches(ctx context.Context) {
	var running []chan struct{}
	m.mu.Lock()
	for b := range m.batches {
		done := make(chan struct{})
		b.then = append(b.then, waiting{proceed: func() { close(done) }})
		running = append(running, done)
	}
	m.mu.Unlock()
	for _, done := range running {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}
