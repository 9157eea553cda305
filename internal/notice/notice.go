// Package notice logs what clients can provoke as often as they like: the first
// event of a kind at level warn, later ones at most once for each period, with
// how many there were in between. What is left out is logged at level debug.
package notice

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Every is the period of a Log that has none.
const Every = time.Minute

// Log is a set of kinds of events. Its methods may be called from any goroutine.
// The logger is called without a lock held.
type Log struct {
	// Logger gets the lines. It must be set.
	Logger *slog.Logger
	// Every is the least time between two lines of one kind at level warn.
	// Zero means the constant Every.
	Every time.Duration

	mu    sync.Mutex // protects the following
	kinds map[string]*kind
}

type kind struct {
	next    time.Time // from when on the next event is logged at warn
	omitted int       // events since the last line at warn
}

// Warn logs an event of a kind. Kinds are constants of the program, never what a
// client sends: the Log keeps each of them for ever. A line that follows omitted
// ones has their number as the attribute "omitted".
func (l *Log) Warn(ctx context.Context, kind, msg string, args ...any) {
	omitted, ok := l.take(kind)
	switch {
	case !ok:
		l.Logger.DebugContext(ctx, msg, args...)
	case omitted > 0:
		l.Logger.WarnContext(ctx, msg, append(args[:len(args):len(args)], "omitted", omitted)...)
	default:
		l.Logger.WarnContext(ctx, msg, args...)
	}
}

// Enabled reports whether Warn with this kind would write a line, so that a
// caller on a hot path need not build the arguments of a line that is left out. If it
// returns false, it has counted the event.
func (l *Log) Enabled(ctx context.Context, name string) bool {
	if l.Logger.Enabled(ctx, slog.LevelDebug) {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.kinds[name]
	if k == nil || !time.Now().Before(k.next) {
		return l.Logger.Enabled(ctx, slog.LevelWarn)
	}
	k.omitted++
	return false
}

// take reports whether it is time for a line, and how many events were left out before it.
func (l *Log) take(name string) (omitted int, ok bool) {
	every := l.Every
	if every == 0 {
		every = Every
	}
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.kinds[name]
	if k == nil {
		if l.kinds == nil {
			l.kinds = make(map[string]*kind)
		}
		k = new(kind)
		l.kinds[name] = k
	}
	if now.Before(k.next) {
		k.omitted++
		return 0, false
	}
	omitted, k.omitted, k.next = k.omitted, 0, now.Add(every)
	return omitted, true
}
