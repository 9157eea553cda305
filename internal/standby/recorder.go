package standby

import (
	"slices"

	"github.com/seed-d124fa34/socketio/internal/recovery"
)

// maxChanges is how many joins and leaves of a session are remembered until its client has confirmed
// what was emitted before them. A session that has more of them is not written any more.
const maxChanges = 1024

// Recorder has one session written down: it knows from which place in the order of the server on its
// client may lack events, and which rooms the session has joined or left since. The zero value records
// nothing. The methods that say so are called with the sequence locked; a lock of the session guards the
// Recorder.
type Recorder struct {
	writer   *Writer
	sequence *Sequence
	entry    *Entry
	base     Mark
	changes  []Change // since base, oldest first
	missing  uint64   // see Rebase
}

// Start has the session written from now on. owner is that of its record, empty if it is not known. It
// has no effect if the session is being written already. The sequence is locked.
func (r *Recorder) Start(w *Writer, q *Sequence, key recovery.Key, owner string, s Source) {
	if r.entry != nil {
		return
	}
	r.writer, r.sequence, r.base, r.changes = w, q, q.Now(), nil
	r.entry = w.Add(RecordKey(key), owner, s)
}

// Changed notes that the session has joined a room, or left one. The sequence is locked.
func (r *Recorder) Changed(room string, left bool) {
	if r.entry == nil {
		return
	}
	if len(r.changes) >= maxChanges {
		r.writer.Remove(r.entry)
		return
	}
	r.changes = append(r.changes, Change{Place: r.sequence.Now().Place, Room: room, Left: left})
	r.writer.Changed(r.entry)
}

// Stop ends the writing. It deletes the record, unless another server has written it since.
func (r *Recorder) Stop() {
	if r.entry != nil {
		r.writer.Remove(r.entry)
	}
}

// IsWritten reports whether the session is written: it has been started, and neither stopped nor changed too often.
func (r *Recorder) IsWritten() bool { return r.entry != nil && r.writer.Writes(r.entry) }

// Hold ends the writing and lets the record stay as it is, until Keep is called.
func (r *Recorder) Hold() {
	if r.entry != nil {
		r.writer.Hold(r.entry)
	}
}

// Keep writes the record for the last time, after Hold. Without a form it stays as it is.
func (r *Recorder) Keep(form []byte) {
	if r.entry != nil {
		r.writer.Keep(r.entry, form)
	}
}

// IsInBase reports whether an event, by its step, is too old for the history: a snapshot has it itself.
func (r *Recorder) IsInBase(step uint64) bool { return step <= r.base.Step() }

// Rebase is called before a snapshot is made, with how many messages the history misses that this server should have
// published. If there are more than before, the history is of no use for what has happened until now: the
// snapshot has it itself. The sequence is locked.
func (r *Recorder) Rebase(missing uint64) {
	if r.sequence != nil && missing != r.missing {
		r.missing, r.base = missing, r.sequence.Now()
	}
}

// Complete sets the places of a snapshot that is made now, and its changes. oldest is the step of the
// oldest event that the client may lack and that is not in the base; 0 if there is none. The sequence is
// locked.
func (r *Recorder) Complete(snap *Snapshot, oldest uint64) {
	if oldest == 0 {
		r.base = r.sequence.Now()
	} else if mark, ok := r.sequence.Before(oldest); ok && mark.Step() > r.base.Step() {
		r.base = mark
	}
	r.changes = slices.DeleteFunc(r.changes, func(c Change) bool { return c.Compare(r.base.Place) <= 0 })
	snap.Base, snap.Now, snap.Changes = r.base, r.sequence.Now().Place, slices.Clone(r.changes)
}
