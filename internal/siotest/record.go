package siotest

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// Record collects what handlers have seen, a line each.
type Record struct {
	mu    sync.Mutex
	lines []string
}

// Add adds a line.
func (r *Record) Add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// Take returns what was recorded since the last Take.
func (r *Record) Take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.lines
	r.lines = nil
	return lines
}

// Len returns how many lines there are.
func (r *Record) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.lines)
}

// Want expects lines, exactly these and in this order, when all goroutines are blocked. It
// works in a synctest bubble only.
func (r *Record) Want(t testing.TB, lines ...string) {
	t.Helper()
	synctest.Wait()
	if got := r.Take(); len(got)+len(lines) > 0 {
		require.Equal(t, lines, got)
	}
}
