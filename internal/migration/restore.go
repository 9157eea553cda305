package migration

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/recovery"
)

const (
	maxRestores = 1000 // sessions that are restored at once; more wait
	maxClaims   = 32   // Restorer.Claim that run at once
	// gatherTime is how long sessions are gathered before they are restored: all clients of a server that was killed
	// come at the same time, and the history is read once for all that are there.
	gatherTime = 20 * time.Millisecond
)

// Restorer is the part of a Host that has what servers have written down of their sessions. Claim and
// Restore wait.
type Restorer interface {
	// CanRestore reports whether Claim may find something. Otherwise it is not called.
	CanRestore() bool
	// Claim takes the session with a key that its server has written down before it was killed, nil if there is none. Any
	// goroutine calls it.
	Claim(ctx context.Context, key recovery.Key) Claim
	// Restore returns the sessions of claims, and up to which position of the broker's history they have what was
	// emitted. Those that are lost are missing. There may be some that have to be restored later. One goroutine calls it.
	Restore(ctx context.Context, claims []Claim) (sessions []*Session, at broker.Position, later []Claim)
}

// Claim is a session that will be restored. Only the Restorer knows its type.
type Claim any

// restores are the sessions that are being restored. Mover.mu guards waiting and running.
type restores struct {
	slots   chan struct{} // one for each session
	claims  chan struct{} // one for each Claim that runs
	waiting []claimed
	running bool // there is a goroutine that restores what waits
}

// claimed is a session that waits.
type claimed struct {
	claim Claim
	done  chan struct{} // closed when it has been restored, or is lost
}

// hold waits for a slot. It reports false if the context ends before.
func hold(ctx context.Context, slots chan struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// restore makes a session that no server has go on on this one, if its server has written it down. It waits
// until that has happened, or cannot.
func (m *Mover) restore(key recovery.Key) {
	r := &m.restores
	if !hold(m.ctx, r.slots) {
		return
	}
	defer func() { <-r.slots }()
	claim := m.claim(key)
	if claim == nil {
		return
	}
	c := claimed{claim, make(chan struct{})}
	m.mu.Lock()
	r.waiting = append(r.waiting, c)
	if !r.running {
		r.running = true
		m.running.Go(m.restoreWaiting)
	}
	m.mu.Unlock()
	<-c.done
}

func (m *Mover) claim(key recovery.Key) Claim {
	ctx, cancel := context.WithTimeout(m.ctx, fetchTimeout)
	defer cancel()
	if !hold(ctx, m.restores.claims) {
		return nil
	}
	defer func() { <-m.restores.claims }()
	return m.host.Claim(ctx, key)
}

// restoreWaiting restores what waits, all of it at once, until nothing does. Those who come meanwhile are restored
// together then.
func (m *Mover) restoreWaiting() {
	r := &m.restores
	for {
		select {
		case <-time.After(gatherTime):
		case <-m.ctx.Done(): // what waits is lost
		}
		m.mu.Lock()
		all := r.waiting
		r.waiting = nil
		r.running = len(all) > 0
		m.mu.Unlock()
		if len(all) == 0 {
			return
		}
		done := make(map[Claim]chan struct{}, len(all))
		claims := make([]Claim, 0, len(all))
		for _, c := range all {
			done[c.claim] = c.done
			claims = append(claims, c.claim)
		}
		var later []claimed
		for _, claim := range m.restoreAll(claims) {
			later = append(later, claimed{claim, done[claim]})
			delete(done, claim)
		}
		m.mu.Lock()
		r.waiting = append(later, r.waiting...)
		m.mu.Unlock()
		for _, c := range done {
			close(c)
		}
	}
}

// restoreAll restores sessions, and returns those that have to be restored later.
//
// What this server has published before goes round first, so that it is in the history; and then
// what has come until the history has been read, so that no part of it comes once more.
func (m *Mover) restoreAll(claims []Claim) (later []Claim) {
	ctx, cancel := context.WithTimeout(m.ctx, fetchTimeout)
	defer cancel()
	capture := m.servers.NewCapture()
	defer capture.End()
	if !m.mark(ctx, capture.Begin) {
		return nil
	}
	sessions, at, later := m.host.Restore(ctx, claims)
	if len(sessions) == 0 {
		return later
	}
	if m.mark(ctx, func() {}) {
		capture.SkipTo(at)
		m.settle(ctx, m.host.Take(sessions, "", capture))
	}
	return later
}

// mark waits until what this server has published before has come back from the broker. It then has
// passed called.
func (m *Mover) mark(ctx context.Context, passed func()) (ok bool) {
	q := question{Do: doMark}
	var came atomic.Bool
	_, _ = m.servers.Ask(ctx, fleet.Question{Content: q.encode(), To: m.self, Passed: func() {
		came.Store(true)
		passed()
	}})
	return came.Load()
}
