package recovery

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A session that goes to another server waits there, with its packets, and its client finds it by the
// private id that no server has told the other.
func TestAdopt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, _ := expiring()
		to, expired := expiring()
		old := add(from)
		pid := old.PID()
		assert.Equal(t, pid.Key(), old.Key())
		var packets []*Packet[string]
		for range 3 {
			p := NewPacket("p", from.NextOffset(), 10)
			packets = append(packets, p)
			old.Log.Sent(p, uint64(len(packets)))
		}
		old.Log.Confirm(1)
		assert.Equal(t, packets[0].Offset, old.Log.TrimmedOwn())
		_, _, ok := from.ClaimKey(old.Key())
		require.True(t, ok)

		moved := new(user)
		require.True(t, to.Adopt(&moved.Session, moved, old.Key()))
		_, _, ok = to.ClaimKey(old.Key())
		assert.False(t, ok, "it is under way")
		assert.False(t, to.Has(old.Key()))
		require.True(t, moved.Arrive())
		assert.True(t, to.Has(old.Key()))
		moved.Log.Restart(old.Log.Start())
		for p := range old.Log.All() {
			require.True(t, moved.Log.Keep(NewPacket(p.Payload, p.Offset, 10)))
		}
		assert.Zero(t, moved.PID())
		assert.False(t, to.Adopt(new(Session[*user, string]), nil, old.Key()), "it is there already")
		assert.Equal(t, 1, to.Waiting())

		for _, o := range []Offset{{}, from.NextOffset()} {
			assert.False(t, moved.Log.Resume(o), "what it has missed is not there")
		}
		require.True(t, moved.Log.Resume(packets[0].Offset))
		assert.Equal(t, 2, moved.Log.Len())
		require.True(t, moved.Log.Resume(packets[1].Offset))
		assert.Equal(t, 1, moved.Log.Len())
		assert.Zero(t, moved.Log.TrimmedOwn(), "another server has made it")
		got, claim, ok := to.Claim(pid)
		require.True(t, ok)
		assert.Same(t, moved, got)
		assert.Equal(t, pid, moved.PID())
		assert.True(t, moved.Wait(claim))
		time.Sleep(window)
		synctest.Wait()
		assert.Contains(t, expired, moved)
		from.Close()
		to.Close()
		assert.False(t, to.Adopt(new(Session[*user, string]), nil, newPID().Key()), "the store is closed")
	})
}

// Those that wait can be taken one after the other, and do not expire then.
func TestClaimWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, expired := expiring()
		first, second := add(st), add(st)
		add(st) // its client is there
		require.True(t, second.Wait(0))
		require.True(t, first.Wait(0))
		for _, want := range []*user{second, first} {
			got, claim, ok := st.ClaimWaiting()
			require.True(t, ok)
			assert.Same(t, want, got)
			assert.True(t, got.Current(claim))
		}
		_, _, ok := st.ClaimWaiting()
		assert.False(t, ok)
		assert.Zero(t, st.Used())
		time.Sleep(2 * window)
		assert.Empty(t, expired)
		require.True(t, first.Wait(1))
		st.Close()
		_, _, ok = st.ClaimWaiting()
		assert.False(t, ok)
	})
}

// A session that has left for another server and has come back is another Session. A second End of the one
// before does not concern it.
func TestEndAfterTheReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, _ := expiring()
		left := add(st)
		require.True(t, left.End())
		back := new(user)
		require.True(t, st.Adopt(&back.Session, back, left.Key()))
		require.True(t, back.Arrive())
		assert.False(t, left.End())
		self, _, ok := st.ClaimKey(left.Key())
		require.True(t, ok)
		assert.Same(t, back, self)
	})
}

// A session that is to be claimed by what is left of the one before is not: it goes on to wait, and expires.
func TestClaimAfterTheReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, expired := expiring()
		left := add(st)
		require.True(t, left.Wait(0))
		claim, ok := left.Claim()
		require.True(t, ok)
		require.EqualValues(t, 1, claim)
		require.Zero(t, st.Waiting())
		require.Zero(t, st.Used())
		require.True(t, left.End())
		back := new(user)
		require.True(t, st.Adopt(&back.Session, back, left.Key()))
		_, ok = back.Claim()
		require.False(t, ok, "it has not arrived")
		require.True(t, back.Arrive())
		_, ok = left.Claim()
		require.False(t, ok)
		require.True(t, back.Current(0))
		time.Sleep(window)
		synctest.Wait()
		require.Contains(t, expired, back)
		st.Close()
		_, ok = back.Claim()
		require.False(t, ok)
	})
}

// What is kept for sessions outside their logs counts in the budget.
func TestCount(t *testing.T) {
	st := NewStore[*user, string](Options[*user]{Window: window, Budget: 1 << 20})
	st.Count(1000)
	assert.EqualValues(t, 1000, st.Used())
	st.Count(-1000)
	assert.Zero(t, st.Used())
	st.Close()
}
