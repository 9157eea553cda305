package standby

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/migration"
	"github.com/seed-d124fa34/socketio/internal/recovery"
)

// Restorer makes sessions of the records of servers that were killed, and of the broker's history
// since. It is the migration.Restorer of a server. A nil Restorer has nothing to restore.
type Restorer struct {
	Store broker.RecordStore
	// Taken is how long the store remembers that a record has been taken.
	Taken   time.Duration
	History HistoryReader
	// Claimed is called with each snapshot that has been taken, before its session is made.
	Claimed func(*Snapshot)
	// Lost is called with the reason why a session cannot go on.
	Lost func(ctx context.Context, why error)
}

var _ migration.Restorer = (*Restorer)(nil)

// Restored is the migration.Session.Restored of a session that was restored.
type Restored struct {
	Owner string // of its record, see broker.RecordStore
	Order *Order
}

var errWrongKey = errors.New("the record of a session has another key")

// RecordKey returns the key of the record of a session.
func RecordKey(key recovery.Key) string { return hex.EncodeToString(key[:]) }

// CanRestore reports whether there is anything to restore sessions from.
func (r *Restorer) CanRestore() bool { return r != nil }

// Claim takes the record of a session. What it returns is a *Rebuild, or nil.
func (r *Restorer) Claim(ctx context.Context, key recovery.Key) migration.Claim {
	form, owner, err := r.Store.TakeRecord(ctx, RecordKey(key), r.Taken)
	if err != nil || form == nil {
		return nil // there is no record, or another server was faster
	}
	snap, err := Decode(form)
	if err == nil && recovery.Key(snap.Session.Key) != key {
		err = errWrongKey
	}
	if err != nil {
		r.Lost(ctx, err)
		return nil
	}
	r.Claimed(snap)
	return NewRebuild(snap, owner)
}

// Restore makes sessions of what Claim has taken and of the history.
func (r *Restorer) Restore(ctx context.Context, claims []migration.Claim) (sessions []*migration.Session, at broker.Position, later []migration.Claim) {
	all := make([]*Rebuild, len(claims))
	for i, c := range claims {
		all[i] = c.(*Rebuild)
	}
	at, postponed := r.History.Read(ctx, all)
	again := make(map[*Rebuild]bool)
	for _, b := range postponed {
		again[b] = true
		later = append(later, b)
	}
	for _, b := range all {
		if again[b] {
			continue
		}
		s, order, err := b.Finish()
		if err != nil {
			r.Lost(ctx, err)
			continue
		}
		s.Restored = Restored{b.Owner, order}
		sessions = append(sessions, s)
	}
	return sessions, at, later
}
