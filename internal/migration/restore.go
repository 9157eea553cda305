package migration

import (
	"context"
	"sync/atomic"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/recovery"
)

// maxRestores is how many sessions are restored at once: each reads a part of the broker's history.
const maxRestores = 32

// Restorer is the part of a Host that has what servers have written down of their sessions.
type Restorer interface {
	// CanRestore reports whether Restore may find something.
	CanRestore() bool
	// Restore returns a session that its server has written down before it was killed, nil if there
	// is none, and up to which position of the broker's history it has what was emitted. It waits.
	Restore(ctx context.Context, key recovery.Key) (*Session, broker.Position)
}

// restore makes a session that no server has go on here, if its server has written it down.
//
// It first waits until what this server has published before has come back from the broker, so that
// it is in the history. When the history has been read, it waits once more in the same way, so that no
// part of the history comes a second time.
func (m *Mover) restore(key recovery.Key) {
	select {
	case m.restores <- struct{}{}:
		defer func() { <-m.restores }()
	case <-m.ctx.Done():
		return
	}
	ctx, cancel := context.WithTimeout(m.ctx, fetchTimeout)
	defer cancel()
	capture := m.servers.NewCapture()
	defer capture.End()
	if !m.mark(ctx, capture.Begin) {
		return
	}
	s, at := m.host.Restore(ctx, key)
	if s == nil || !m.mark(ctx, func() {}) {
		return
	}
	capture.SkipTo(at)
	m.settle(ctx, m.host.Take([]*Session{s}, "", capture))
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
