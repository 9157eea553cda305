package standby

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/broker"
)

// many returns sessions each of which began one message later than the one before, in a history of so many messages.
func many(s *server, n int) (all []*Rebuild) {
	for i := range n {
		snap := s.snapshot()
		snap.Session.SID = fmt.Sprint(i)
		all = append(all, NewRebuild(snap, ""))
		s.receive(s.publish("other", channel, named(fmt.Sprint("e", i), nil)))
	}
	return all
}

// The history is read once for many sessions, each from its own place, and what they missed is made once.
func TestReadOnce(t *testing.T) {
	s := newServer()
	all := many(s, 100)
	at, later := s.reads("").Read(t.Context(), all)
	require.Empty(t, later)
	require.Equal(t, broker.Position("p100"), at)
	require.Equal(t, 1, s.readings)
	shared := all[0].events[99].event
	for i, r := range all {
		require.Same(t, shared, r.events[len(r.events)-1].event)
		m, _, err := r.Finish()
		require.NoError(t, err)
		require.Len(t, m.Packets, 100-i)
		require.Equal(t, fmt.Sprintf(`"e%d"`, i), m.Packets[0].Text)
	}
}

// A gap for some is none for those whose history begins later, and few readings find out for whom it is one.
func TestGapOfSome(t *testing.T) {
	for _, gone := range []int{1, 37, 99, 100} {
		s := newServer()
		all := many(s, 100) // the i-th begins at position i
		finished := 0
		for rest := all; len(rest) > 0; {
			var later []*Rebuild
			_, later = s.reads(broker.Position(fmt.Sprintf("p%03d", gone))).Read(t.Context(), rest)
			require.Less(t, len(later), len(rest))
			rest = later
		}
		for i, r := range all {
			_, _, err := r.Finish()
			if i < gone {
				assert.ErrorIs(t, err, broker.ErrGap, i)
			} else if assert.NoError(t, err, i) {
				finished++
			}
		}
		assert.Equal(t, 100-gone, finished)
		assert.LessOrEqual(t, s.readings, 30)
	}
}

// What sessions that are read together have missed is bounded: some are read later, and in the end all are.
func TestMemoryOfReading(t *testing.T) {
	s := newServer()
	all := many(s, 100)
	how := s.reads("")
	how.Memory = 1000 * entrySize
	readings := 0
	for rest := all; len(rest) > 0; readings++ {
		var later []*Rebuild
		_, later = how.Read(t.Context(), rest)
		require.Less(t, len(later), len(rest))
		held := 0
		for _, r := range rest {
			if !r.postponed {
				held += len(r.events)
			} else {
				require.Empty(t, r.events)
			}
		}
		require.LessOrEqual(t, held*entrySize, how.Memory)
		rest = later
	}
	require.Greater(t, readings, 1)
	require.LessOrEqual(t, readings, 20)
	for i, r := range all {
		m, _, err := r.Finish()
		require.NoError(t, err)
		require.Len(t, m.Packets, 100-i)
	}
}
