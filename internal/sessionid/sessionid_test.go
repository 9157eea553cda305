package sessionid

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := New()
		require.Len(t, id, Len)
		require.True(t, Is(id))
		require.False(t, seen[id])
		seen[id] = true
		for i := range id { // any other letter makes it another name
			other := byte('A')
			if id[i] == other {
				other = 'B'
			}
			require.False(t, Is(id[:i]+string(other)+id[i+1:]))
		}
	}
	for _, name := range []string{"", "room", strings.Repeat("A", Len-1), strings.Repeat("=", Len), strings.Repeat("A", Len+1), "\xff" + New()[1:]} {
		require.False(t, Is(name), name)
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New()
	}
}

func BenchmarkIs(b *testing.B) {
	id := New()
	b.ReportAllocs()
	for b.Loop() {
		Is(id)
	}
}
