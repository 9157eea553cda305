package standby

import (
	"context"
	"errors"
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
	at, later, err := s.reads("").Read(t.Context(), all)
	require.NoError(t, err)
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
			_, later, err := s.reads(broker.Position(fmt.Sprintf("p%03d", gone))).Read(t.Context(), rest)
			require.NoError(t, err)
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
		_, later, err := how.Read(t.Context(), rest)
		require.NoError(t, err)
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

// When the broker is lost while the history is read, no session is lost: all can be read again, and each has what it has missed
// once. What came before the loss for sure, such as the end of a session, stays so.
func TestReadingIsTriedAgain(t *testing.T) {
	s := newServer()
	all := many(s, 10)
	ended := s.snapshot()
	s.put(channel, mustMarshal(t, map[string]any{"method": "disconnect", "sid": sid, "namespace": "/", "host_id": host}))
	all = append(all, NewRebuild(ended, ""))
	s.receive(s.publish("other", channel, named("e10", nil)))
	how := s.reads("")
	away := errors.New("away")
	for n := range len(s.history) + 1 { // it is lost after n messages
		how.After = func(ctx context.Context, at broker.Position, to broker.Subscriber) error {
			for _, m := range s.history[:n] {
				to.Handle(m)
			}
			return away
		}
		_, later, err := how.Read(t.Context(), all)
		require.ErrorIs(t, err, away)
		require.Empty(t, later)
	}
	_, later, err := s.reads("").Read(t.Context(), all)
	require.NoError(t, err)
	require.Empty(t, later)
	for range 2 { // what was read may be of no use because messages that came meanwhile were lost
		for i, r := range all[:10] {
			m, _, err := r.Finish()
			require.NoError(t, err)
			require.Len(t, m.Packets, 11-i)
			require.Empty(t, r.snap.Session.Packets)
		}
		_, _, err = all[10].Finish()
		require.ErrorIs(t, err, ErrEnded)
	}
}
