package standby

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/outbox"
)

const (
	writeTimeout = 10 * time.Second
	writeBatch   = 256         // records that are written at once
	writeBytes   = 1 << 20     // bytes of them, and up to one record more
	lookEvery    = time.Second // after which time values of sessions that have changed are noticed
	// handOverTime is how long a server that has given a session to this one may take to delete its record.
	handOverTime = 10 * time.Second
)

// Source is a session whose snapshots are written. Its methods are called by the goroutine of the
// Writer, with no lock held.
type Source interface {
	// Snapshot returns the form of the session, nil if none is to be kept.
	Snapshot() []byte
	// Version changes when values of the session do.
	Version() uint64
	// Taken is called when another server has the session.
	Taken()
}

// Entry is a Source in a Writer, which guards it.
type Entry struct {
	source  Source
	record  broker.Record
	queued  bool
	removed bool
	held    bool   // nothing is written or deleted, except final
	final   []byte // what is written last
	stored  bool   // there may be a record
	version uint64
	due     time.Time // of the next refresh
	added   time.Time
}

// Writer writes snapshots behind what happens. One goroutine is its own: NewWriter starts it and Close
// ends it. The other methods may be called from any goroutine, with any lock held.
type Writer struct {
	store broker.RecordStore
	count func(bytes int64)
	ttl   time.Duration
	every time.Duration // between refreshes
	log   *slog.Logger
	wake  chan struct{}
	stop  context.CancelFunc
	done  chan struct{}

	mu      sync.Mutex
	entries map[*Entry]struct{}
	queue   []*Entry
	closing time.Time // when Close was called; zero: it was not
}

// NewWriter starts a Writer, whose records outlive their server by window at least. count is called with the bytes of
// snapshots that are being written, and with their negative when they are not kept any more.
func NewWriter(store broker.RecordStore, window time.Duration, count func(bytes int64), log *slog.Logger) *Writer {
	ctx, stop := context.WithCancel(context.Background())
	w := &Writer{
		store: store, count: count, ttl: 2 * window, every: window / 2, log: log,
		wake: make(chan struct{}, 1), stop: stop, done: make(chan struct{}), entries: make(map[*Entry]struct{}),
	}
	go w.run(ctx)
	return w
}

// Add has a session written, by a key. owner is that of its record, empty if it is not known.
func (w *Writer) Add(key, owner string, s Source) *Entry {
	e := &Entry{source: s, record: broker.Record{Key: key, Owner: owner}, stored: owner != "", added: time.Now()}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing.IsZero() {
		w.entries[e] = struct{}{}
		w.queueLocked(e)
	}
	return e
}

// Changed has the session written once more. e may be nil.
func (w *Writer) Changed(e *Entry) {
	if e == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !e.removed {
		w.queueLocked(e)
	}
}

// Remove ends the writing, and deletes the record if it is still this server's. e may be nil. Only the
// first call has an effect.
func (w *Writer) Remove(e *Entry) {
	if e == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !e.removed && !e.held {
		e.removed = true
		delete(w.entries, e)
		w.queueLocked(e)
	}
}

// Writes reports whether Remove has not been called.
func (w *Writer) Writes(e *Entry) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !e.removed
}

// Hold lets the record of a session as it is: Remove has no effect any more.
func (w *Writer) Hold(e *Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !e.removed {
		e.held = true
		delete(w.entries, e)
	}
}

// Keep writes a record that is held, for the last time.
func (w *Writer) Keep(e *Entry, form []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.held && form != nil {
		e.final = form
		w.queueLocked(e)
	}
}

func (w *Writer) queueLocked(e *Entry) {
	if e.queued {
		return
	}
	e.queued = true
	w.queue = append(w.queue, e)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Close writes what waits, until the context ends or nothing can be written for writeTimeout, and ends the Writer.
func (w *Writer) Close(ctx context.Context) {
	w.mu.Lock()
	w.closing = time.Now()
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		w.stop()
		<-w.done
	}
	w.stop()
}

func (w *Writer) run(ctx context.Context) {
	defer close(w.done)
	defer w.warnOfUnwritten()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	failures := 0
	var written time.Time // when something was written last
	for {
		select {
		case <-look.C:
			w.look()
		default:
		}
		closing := w.isClosing() // before gather, which then has all that is to be written
		b := w.gather()
		if len(b.all) == 0 {
			if closing {
				return
			}
			select {
			case <-w.wake:
			case <-look.C:
				w.look()
			case <-ctx.Done():
				return
			}
			continue
		}
		err := w.write(ctx, b, w.timeLeft(written))
		b.forget()
		w.count(-b.size)
		if err == nil {
			failures, written = 0, time.Now()
			continue
		}
		w.again(b.all) // their snapshots are made anew then
		if failures++; failures == 1 && ctx.Err() == nil {
			w.log.Warn("socketio: sessions cannot be written to the broker's store: their clients get new sessions if this server is killed now; trying again", "error", err)
		}
		pause := outbox.Backoff(failures)
		if ctx.Err() != nil || w.timeLeft(written) <= pause {
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

func (w *Writer) isClosing() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.closing.IsZero()
}

// timeLeft returns how long the next write may take. After Close it gets less while nothing can be written, so that
// Close returns although the store is away. written is when something was written last.
func (w *Writer) timeLeft(written time.Time) time.Duration {
	w.mu.Lock()
	since := w.closing
	w.mu.Unlock()
	if since.IsZero() {
		return writeTimeout
	}
	if written.After(since) {
		since = written
	}
	return time.Until(since.Add(writeTimeout))
}

// warnOfUnwritten says how many records are not as they should be at the end.
func (w *Writer) warnOfUnwritten() {
	w.mu.Lock()
	n := len(w.queue)
	w.mu.Unlock()
	if n > 0 {
		w.log.Warn("socketio: records of sessions could not be written to the broker's store, or deleted, before this server ended: they stay as they were written last until they expire", "records", n)
	}
}

// batch is what is written at once.
type batch struct {
	all       []*Entry
	written   []*Entry         // those of put
	put, gone []*broker.Record // gone: they are deleted
	size      int64            // bytes of the snapshots
}

// forget forgets the snapshots.
func (b *batch) forget() {
	for _, r := range b.put {
		r.Value = nil
	}
}

// gather returns what is written next, with snapshots that are made now.
func (w *Writer) gather() *batch {
	b := new(batch)
	for len(b.all) < writeBatch && b.size < writeBytes {
		e, state := w.next()
		if e == nil {
			break
		}
		b.all = append(b.all, e)
		version := e.source.Version()
		form := state.final
		if !state.removed && !state.held {
			form = e.source.Snapshot()
		}
		switch {
		case form != nil:
			w.count(int64(len(form)))
			b.size += int64(len(form))
			e.record.Value, e.stored = form, true
			b.put, b.written = append(b.put, &e.record), append(b.written, e)
			w.mu.Lock()
			e.version, e.due = version, time.Now().Add(w.every)
			w.mu.Unlock()
		case e.stored && !w.isHeld(e):
			b.gone = append(b.gone, &e.record)
		}
	}
	return b
}

// recordState is what decides what is to be done with a record.
type recordState struct {
	removed, held bool
	final         []byte
}

// next takes the first entry from the queue, nil if there is none.
func (w *Writer) next() (e *Entry, state recordState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		w.queue = nil
		return nil, state
	}
	e, w.queue[0] = w.queue[0], nil
	w.queue = w.queue[1:]
	e.queued = false
	return e, recordState{e.removed, e.held, e.final}
}

// isHeld reports whether Hold was called, perhaps just now: then the source has no snapshot any more.
func (w *Writer) isHeld(e *Entry) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return e.held
}

// again queues what could not be written.
func (w *Writer) again(all []*Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range all {
		w.queueLocked(e)
	}
}

// look queues the sessions that must be refreshed, or whose values have changed.
func (w *Writer) look() {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for e := range w.entries {
		if !now.Before(e.due) || e.source.Version() != e.version {
			w.queueLocked(e)
		}
	}
}

// errNotYet: the server that has given a session to this one has not deleted its record yet.
var errNotYet = errors.New("the record still belongs to the server from which the session has come")

// write writes, or deletes, records. After an error b has those that are to be tried again.
func (w *Writer) write(ctx context.Context, b *batch, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if len(b.put) > 0 {
		if err := w.store.PutRecords(ctx, b.put, w.ttl); err != nil {
			return err
		}
	}
	var late []*Entry
	for _, e := range b.written {
		switch {
		case !e.record.Taken:
		case e.record.Owner == "" && time.Since(e.added) < handOverTime:
			// The server that gave the session to this one had taken the record, and has not deleted it yet.
			e.record.Taken = false
			w.mu.Lock()
			e.due = time.Now() // w.look has it written once more
			if e.held {
				late = append(late, e) // w.look does not know it any more
			}
			w.mu.Unlock()
		default:
			w.Remove(e)
			e.source.Taken()
		}
	}
	if len(b.gone) > 0 {
		if err := w.store.DeleteRecords(ctx, b.gone); err != nil {
			return err
		}
	}
	if len(late) > 0 {
		b.all = late
		return errNotYet
	}
	return nil
}
