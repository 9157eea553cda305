package recovery

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a log keeps is found, however it came into the log, and what it has lost while events came late, too.
func TestHas(t *testing.T) {
	store, u := newUser(Options[*user]{})
	st, l := &testStore{store}, &u.Log
	sent, kept, inserted, later, foreign := st.packet("sent"), st.packet("kept"), st.packet("inserted"), st.packet("later"), st.packet("foreign")
	l.Sent(sent, 1)
	l.Keep(kept)
	require.True(t, l.Has(sent.Offset))
	require.True(t, l.Has(kept.Offset))
	require.False(t, l.Has(inserted.Offset))
	l.Insert(1, inserted)
	require.True(t, l.Has(inserted.Offset))
	l.Sent(later, 2)
	require.True(t, l.Has(later.Offset))
	l.Confirm(1)
	require.Equal(t, []string{"inserted", "kept", "later"}, payloads(l))
	require.True(t, l.Has(sent.Offset), "the client has it")
	require.False(t, l.Has(foreign.Offset))
	l.Close()
	require.False(t, l.Has(later.Offset))
}

// An index does not grow with what is not kept any more.
func TestIndexIsForgotten(t *testing.T) {
	store, u := newUser(Options[*user]{})
	st, l := &testStore{store}, &u.Log
	require.False(t, l.Has(st.NextOffset()))
	for i := range uint64(10 * maxForgotten) {
		p := st.packet("p")
		l.Sent(p, i+1)
		l.Confirm(i)
		require.LessOrEqual(t, len(l.index), maxForgotten+8)
		if i%1000 == 0 {
			require.True(t, l.Has(p.Offset), "it is made once more")
		}
	}
}

func TestPending(t *testing.T) {
	store, _ := newUser(Options[*user]{})
	st := &testStore{store}
	var l Pending[string]
	a, b := st.packet("a"), st.packet("b")
	assert.False(t, l.Has(a.Offset))
	l.Add(a)
	l.Add(b)
	assert.True(t, l.Has(a.Offset))
	assert.True(t, l.Has(b.Offset))
	assert.Equal(t, []*Packet[string]{a, b}, l.Take())
	assert.False(t, l.Has(a.Offset))
	assert.Empty(t, l.Take())
}

// The offset of a place is the same everywhere, and none that a server makes.
func TestOffsetAt(t *testing.T) {
	a := OffsetAt("0000000000000001")
	require.Equal(t, a, OffsetAt("0000000000000001"))
	require.NotEqual(t, a, OffsetAt("0000000000000002"))
	parsed, ok := ParseOffset(a.String())
	require.True(t, ok)
	require.Equal(t, a, parsed)
	require.False(t, a.UpTo(OffsetAt("0000000000000002")))
	require.False(t, OffsetAt("0000000000000002").UpTo(a))
	_, _, _, ok = ReadPlace([]byte(a.String()))
	require.False(t, ok)
}

func BenchmarkHas(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			store, u := newUser(Options[*user]{})
			st := &testStore{store}
			for range n {
				u.Log.Keep(st.packet("p"))
			}
			o := st.NextOffset()
			b.ReportAllocs()
			for b.Loop() {
				u.Log.Has(o)
			}
		})
	}
}
