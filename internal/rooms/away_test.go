package rooms

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever is away is in every room and every roster, but not counted; what it joins and leaves
// meanwhile is joined and left.
func TestAway(t *testing.T) {
	x := NewIndex[*guest]()
	a, b := newGuest(x, "/", 1), newGuest(x, "/", 2)
	x.Join(&a.member, "r")
	x.Enter(&a.member)
	x.Enter(&b.member)
	x.Join(&b.member, "r")
	counts := func(room string, present, all int) {
		t.Helper()
		require.Equal(t, present, x.Count("/", room), room)
		require.Equal(t, all, x.CountAll("/", room), room)
		require.Len(t, idsIn(x, "/", room), all, room)
		require.Equal(t, all > 0, x.Occupied("/", room), room)
	}
	counts("r", 2, 2)

	x.SetAway(&a.member, true)
	x.SetAway(&a.member, true)
	require.True(t, a.member.Away())
	require.False(t, b.member.Away())
	counts(Everyone, 1, 2)
	counts("r", 1, 2)
	require.True(t, a.member.In("r"))
	require.Same(t, a, x.Find("id-1"))
	require.True(t, x.Join(&a.member, "while away"))
	counts("while away", 0, 1)
	require.Equal(t, Sizes{Entered: map[string]int{"/": 1}, Away: map[string]int{"/": 1}, Rooms: 2, IDs: 2}, x.Sizes())
	_, had := x.Leave(&a.member, "r")
	require.True(t, had)
	counts("r", 1, 1)

	x.SetAway(&a.member, false)
	x.SetAway(&a.member, false)
	counts(Everyone, 2, 2)
	counts("while away", 1, 1)

	x.SetAway(&a.member, true)
	x.SetAway(&b.member, true)
	require.Equal(t, Sizes{Entered: map[string]int{}, Away: map[string]int{"/": 2}, Rooms: 2, IDs: 2}, x.Sizes())
	x.Remove(&a.member)
	counts(Everyone, 0, 1)
	x.Withdraw(&b.member)
	x.SetAway(&b.member, false)
	x.Remove(&b.member)
	require.Equal(t, Sizes{Entered: map[string]int{}}, x.Sizes())
}

// A member that is away before it enters is not counted when it has.
func TestAwayBeforeEntering(t *testing.T) {
	x := NewIndex[*guest]()
	a := newGuest(x, "/", 1)
	x.Join(&a.member, "r")
	x.SetAway(&a.member, true)
	x.Enter(&a.member)
	require.Zero(t, x.Count("/", "r"))
	require.Zero(t, x.Count("/", Everyone))
	x.SetAway(&a.member, false)
	require.Equal(t, 1, x.Count("/", "r"))
	require.Equal(t, 1, x.Count("/", Everyone))
}

// The count of a large room is right whoever comes, goes, is away and is back, and moves in its parts.
func TestAwayInALargeRoom(t *testing.T) {
	x := NewIndex[*guest]()
	r := rand.New(rand.NewPCG(1, 2))
	var in []*guest
	absent := 0
	setAway := func(g *guest, away bool) {
		if away != g.member.Away() {
			absent++
			if !away {
				absent -= 2
			}
		}
		x.SetAway(&g.member, away)
	}
	for i := range 20_000 {
		switch n := r.IntN(10); {
		case n < 4 || len(in) == 0:
			g := newGuest(x, "/", i)
			x.Enter(&g.member)
			in = append(in, g)
		case n < 7:
			setAway(in[r.IntN(len(in))], r.IntN(2) == 0)
		default:
			k := r.IntN(len(in))
			g := in[k]
			in[k] = in[len(in)-1]
			in = in[:len(in)-1]
			if g.member.Away() {
				absent--
			}
			x.Remove(&g.member)
		}
		if present, all := x.Count("/", Everyone), x.CountAll("/", Everyone); present != len(in)-absent || all != len(in) {
			t.Fatalf("%d of %d are counted, want %d of %d", present, all, len(in)-absent, len(in))
		}
	}
}

// Members are away and back while others join, leave and count.
func TestAwayConcurrently(t *testing.T) {
	x := NewIndex[*guest]()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 100 {
				g := newGuest(x, "/", 1000*w+i)
				x.Enter(&g.member)
				for range 10 {
					room := fmt.Sprint(rand.IntN(5))
					x.Join(&g.member, room)
					x.SetAway(&g.member, !g.member.Away())
					for p := range x.Members("/", room).All() {
						p.Left()
					}
					if x.Count("/", room) < 0 || x.Count("/", Everyone) < 0 {
						t.Error("a count is wrong")
					}
				}
				x.Remove(&g.member)
			}
		})
	}
	wg.Wait()
	require.Equal(t, Sizes{Entered: map[string]int{}}, x.Sizes())
}

func BenchmarkCount(b *testing.B) {
	x := NewIndex[*guest]()
	for i := range 1000 {
		g := newGuest(x, "/", i)
		x.Enter(&g.member)
		x.SetAway(&g.member, i%2 == 0)
	}
	b.ReportAllocs()
	for b.Loop() {
		x.Count("/", Everyone)
	}
}
