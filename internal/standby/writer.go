package standby

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/outbox"
)

const (
	writeTimeout = 10 * time.Second
	writeBatch   = 256         // records that are written at once
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
	stored  bool // there may be a record
	version uint64
	due     time.Time // of the next refresh
	added   time.Time
}

// Writer writes snapshots behind what happens. One goroutine is its own: NewWriter starts it and Close
// ends it. The other methods may be called from any goroutine, with any lock held.
type Writer struct {
	store broker.RecordStore
	ttl   time.Duration
	every time.Duration // between refreshes
	log   *slog.Logger
	wake  chan struct{}
	stop  context.CancelFunc
	done  chan struct{}

	mu      sync.Mutex
	entries map[*Entry]struct{}
	queue   []*Entry
	closing bool
}

// NewWriter starts a Writer, whose records outlive their server by window at least.
func NewWriter(store broker.RecordStore, window time.Duration, log *slog.Logger) *Writer {
	ctx, stop := context.WithCancel(context.Background())
	w := &Writer{
		store: store, ttl: 2 * window, every: window / 2, log: log,
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
	if !w.closing {
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
	if !e.removed {
		e.removed = true
		delete(w.entries, e)
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

// Close writes what waits, until the context ends, and ends the Writer.
func (w *Writer) Close(ctx context.Context) {
	w.mu.Lock()
	w.closing = true
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
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	failures := 0
	for {
		batch, closing := w.take()
		if len(batch) == 0 {
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
		if err := w.write(ctx, batch); err == nil {
			failures = 0
			continue
		} else if ctx.Err() != nil {
			return
		} else if failures++; failures == 1 {
			w.log.Warn("socketio: sessions cannot be written to the broker's store: their clients get new sessions if this server is killed now; trying again", "error", err)
		}
		w.again(batch)
		if closing {
			return
		}
		select {
		case <-time.After(outbox.Backoff(failures)):
		case <-ctx.Done():
			return
		}
	}
}

// take returns the records to write next.
func (w *Writer) take() (batch []*Entry, closing bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(len(w.queue), writeBatch)
	batch = append(batch, w.queue[:n]...)
	w.queue = w.queue[n:]
	if len(w.queue) == 0 {
		w.queue = nil
	}
	for _, e := range batch {
		e.queued = false
	}
	return batch, w.closing
}

// again queues what could not be written.
func (w *Writer) again(batch []*Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range batch {
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

// write writes, or deletes, records.
func (w *Writer) write(ctx context.Context, batch []*Entry) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	var put, gone []*broker.Record
	var written []*Entry
	for _, e := range batch {
		w.mu.Lock()
		removed := e.removed
		w.mu.Unlock()
		version := e.source.Version()
		var form []byte
		if !removed {
			form = e.source.Snapshot()
		}
		switch {
		case form != nil:
			e.record.Value = form
			e.stored = true
			put, written = append(put, &e.record), append(written, e)
			w.mu.Lock()
			e.version, e.due = version, time.Now().Add(w.every)
			w.mu.Unlock()
		case e.stored:
			gone = append(gone, &e.record)
		}
	}
	if len(put) > 0 {
		if err := w.store.PutRecords(ctx, put, w.ttl); err != nil {
			return err
		}
	}
	for _, e := range written {
		e.record.Value = nil
		switch {
		case !e.record.Taken:
		case e.record.Owner == "" && time.Since(e.added) < handOverTime:
			// The server that gave the session to this one had taken the record, and has not deleted it yet.
			e.record.Taken = false
			w.mu.Lock()
			e.due = time.Now() // w.look has it written once more
			w.mu.Unlock()
		default:
			w.Remove(e)
			e.source.Taken()
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return w.store.DeleteRecords(ctx, gone)
}
