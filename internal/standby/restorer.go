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
func (r *Restorer) Claim(ctx context.Context, key recovery.Key) (migration.Claim, error) {
	form, owner, err := r.Store.TakeRecord(ctx, RecordKey(key), r.Taken)
	switch {
	case errors.Is(err, broker.ErrTaken), errors.Is(err, broker.ErrClosed):
		return nil, nil // another server was faster, or this one ends
	case err != nil:
		return nil, err
	case form == nil:
		return nil, nil // there is no record
	}
	snap, err := Decode(form)
	if err == nil && recovery.Key(snap.Session.Key) != key {
		err = errWrongKey
	}
	if err != nil {
		r.Lost(ctx, err)
		return nil, nil
	}
	r.Claimed(snap)
	b := NewRebuild(snap, owner)
	b.recordSize = int64(len(form))
	return b, nil
}

// Restore makes sessions of what Claim has taken and of the history.
func (r *Restorer) Restore(ctx context.Context, claims []migration.Claim) (sessions []*migration.Session, at broker.Position, later []migration.Claim, err error) {
	all := make([]*Rebuild, len(claims))
	for i, c := range claims {
		all[i] = c.(*Rebuild)
	}
	at, postponed, err := r.History.Read(ctx, all)
	if err != nil {
		return nil, "", nil, err
	}
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
			r.lose(ctx, b, err)
			continue
		}
		s.Restored = Restored{b.Owner, order}
		sessions = append(sessions, s)
	}
	return sessions, at, later, nil
}

// lose says once that a session is lost.
func (r *Restorer) lose(ctx context.Context, b *Rebuild, why error) {
	if !b.lost {
		b.lost = true
		r.Lost(ctx, why)
	}
}

// Release writes the records of sessions once more, as they were when Claim took them.
func (r *Restorer) Release(ctx context.Context, claims []migration.Claim, why error) {
	var records []*broker.Record
	var all []*Rebuild
	for _, c := range claims {
		b := c.(*Rebuild)
		if b.err != nil {
			r.lose(ctx, b, b.err)
			continue
		}
		form, err := b.snap.Encode()
		if err != nil {
			r.lose(ctx, b, err)
			continue
		}
		all = append(all, b)
		records = append(records, &broker.Record{Key: RecordKey(b.Key()), Value: form, Owner: b.Owner})
	}
	if len(records) == 0 {
		return
	}
	if err := r.Store.PutRecords(ctx, records, r.Taken); err != nil {
		for _, b := range all {
			r.lose(ctx, b, errors.Join(why, err))
		}
	}
}
