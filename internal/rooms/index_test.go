package rooms

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// guest is a member with the lock that guards it.
type guest struct {
	mu     sync.Mutex
	member Member[*guest]
	id     string
}

func newGuest(x *Index[*guest], ns string, n int) *guest {
	g := &guest{id: fmt.Sprint("id-", n)}
	g.member.Init(g, ns, g.id)
	x.Add(&g.member)
	return g
}

func idsIn(x *Index[*guest], ns, room string) []string {
	var ids []string
	for p := range x.Members(ns, room).All() {
		ids = append(ids, p.Member().id)
	}
	slices.Sort(ids)
	return ids
}

// A life: known, waiting, entered, in rooms, withdrawn, gone.
func TestLifeOfAMember(t *testing.T) {
	x := NewIndex[*guest]()
	a, b, other := newGuest(x, "/", 1), newGuest(x, "/", 2), newGuest(x, "/other", 3)
	require.Same(t, a, x.Find("id-1"))
	require.Nil(t, x.Find("id-9"))
	require.False(t, x.Join(&a.member, "r"), "it has not entered")
	require.False(t, x.Join(&a.member, "r"))
	require.True(t, a.member.Has("r"))
	require.False(t, a.member.In("r"))
	require.False(t, x.Occupied("/", "r"))
	require.Equal(t, []*guest{a}, x.Waiting("/"))
	require.Empty(t, x.Waiting("/other"))

	x.Enter(&a.member)
	x.Enter(&b.member)
	x.Enter(&other.member)
	require.Empty(t, x.Waiting("/"))
	require.True(t, a.member.In("r"))
	require.True(t, x.Join(&b.member, "r"))
	require.False(t, x.Join(&b.member, "r"))
	require.True(t, x.Join(&b.member, "a"))
	require.True(t, x.Join(&other.member, "r"), "a room of the same name elsewhere")
	require.Equal(t, []string{"id-1", "id-2"}, idsIn(x, "/", "r"))
	require.Equal(t, []string{"id-1", "id-2"}, idsIn(x, "/", Everyone))
	require.Equal(t, []string{"id-3"}, idsIn(x, "/other", "r"))
	require.Equal(t, 2, x.Count("/", "r"))
	require.Equal(t, []string{"first", "a", "r"}, b.member.Rooms("first"))
	require.Equal(t, 2, b.member.Len())
	require.Equal(t, Sizes{Entered: map[string]int{"/": 2, "/other": 1}, Rooms: 3, IDs: 3}, x.Sizes())

	was := x.Members("/", "r")
	place, had := x.Leave(&b.member, "r")
	require.True(t, had)
	require.False(t, place.Left())
	place.MarkLeft()
	for p := range was.All() {
		require.Equal(t, p.Member() == b, p.Left(), "who still has the roster can see it")
	}
	place, had = x.Leave(&b.member, "r")
	require.False(t, had)
	require.Nil(t, place)
	require.False(t, place.Left())

	x.Withdraw(&b.member)
	require.Equal(t, []string{"a"}, b.member.Rooms(), "it knows where it was")
	require.False(t, x.Occupied("/", "a"))
	require.Equal(t, []string{"id-1"}, idsIn(x, "/", Everyone))
	require.Same(t, b, x.Find("id-2"))
	for _, g := range []*guest{a, b, other} {
		x.Remove(&g.member)
		x.Remove(&g.member)
	}
	require.Nil(t, x.Find("id-2"))
	require.Empty(t, b.member.Rooms())
	require.Equal(t, Sizes{Entered: map[string]int{}}, x.Sizes())
}

// Who leaves a room, or goes, before it has entered is in nothing afterwards.
func TestLeavingBeforeEntering(t *testing.T) {
	x := NewIndex[*guest]()
	a, b := newGuest(x, "/", 1), newGuest(x, "/", 2)
	x.Join(&a.member, "r")
	x.Join(&a.member, "s")
	place, had := x.Leave(&a.member, "r")
	require.Nil(t, place)
	require.True(t, had)
	x.Enter(&a.member)
	require.False(t, x.Occupied("/", "r"))
	require.True(t, x.Occupied("/", "s"))
	x.Join(&b.member, "r")
	x.Remove(&b.member)
	x.Remove(&a.member)
	require.Equal(t, Sizes{Entered: map[string]int{}}, x.Sizes())
}

// Many members come, go, join and leave at once; in the end nothing is left.
func TestIndexConcurrently(t *testing.T) {
	x := NewIndex[*guest]()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 200 {
				g := newGuest(x, fmt.Sprint("/", i%3), 1000*w+i)
				do := func(f func(*Member[*guest])) {
					g.mu.Lock()
					defer g.mu.Unlock()
					f(&g.member)
				}
				do(func(m *Member[*guest]) { x.Join(m, "early") })
				x.Waiting("/0")
				do(x.Enter)
				for range 10 {
					room := fmt.Sprint(rand.IntN(5))
					do(func(m *Member[*guest]) { x.Join(m, room) })
					if idsIn(x, "/0", room); rand.IntN(2) == 0 {
						do(func(m *Member[*guest]) { x.Leave(m, room) })
					}
				}
				do(x.Withdraw)
				do(x.Remove)
			}
		})
	}
	wg.Wait()
	require.Equal(t, Sizes{Entered: map[string]int{}}, x.Sizes())
}

// BenchmarkJoinLeave is a room joined and left again, by how many others are in it;
// with a roster taken in between, as an emit to the room takes one.
func BenchmarkJoinLeave(b *testing.B) {
	for _, bench := range []struct {
		others int
		roster bool
	}{{others: 0}, {others: 100}, {others: 10_000}, {others: 10_000, roster: true}} {
		b.Run(fmt.Sprintf("%d others, roster %v", bench.others, bench.roster), func(b *testing.B) {
			x := NewIndex[*guest]()
			for i := range bench.others {
				g := newGuest(x, "/", i)
				x.Enter(&g.member)
				x.Join(&g.member, "room")
			}
			g := newGuest(x, "/", -1)
			x.Enter(&g.member)
			b.ReportAllocs()
			for b.Loop() {
				x.Join(&g.member, "room")
				if bench.roster {
					x.Members("/", "room")
				}
				x.Leave(&g.member, "room")
			}
		})
	}
}

// BenchmarkParallel has goroutines that look at rooms of their own, look for members, and join
// and leave, all at once. Run it with -cpu 1,2,4,8,16.
func BenchmarkParallel(b *testing.B) {
	const rooms = 1000
	for name, do := range map[string]func(x *Index[*guest], g *guest, n int){
		"members": func(x *Index[*guest], _ *guest, n int) { x.Members("/", roomNames[n%rooms]) },
		"find":    func(x *Index[*guest], g *guest, _ int) { x.Find(g.id) },
		"join and leave": func(x *Index[*guest], g *guest, n int) {
			x.Join(&g.member, roomNames[n%rooms])
			x.Leave(&g.member, roomNames[n%rooms])
		},
	} {
		b.Run(name, func(b *testing.B) {
			x := NewIndex[*guest]()
			for i := range rooms {
				g := newGuest(x, "/", i)
				x.Enter(&g.member)
				x.Join(&g.member, roomNames[i])
			}
			var last atomic.Int64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				n := int(last.Add(1)) * 100
				g := newGuest(x, "/", rooms+n)
				x.Enter(&g.member)
				for ; pb.Next(); n++ {
					do(x, g, n)
				}
			})
		})
	}
}

// roomNames are names of rooms, made beforehand.
var roomNames = func() (names [1000]string) {
	for i := range names {
		names[i] = fmt.Sprint("room-", i)
	}
	return names
}()

// BenchmarkMembers is a loop over the 2,000 members of a room.
func BenchmarkMembers(b *testing.B) {
	x := NewIndex[*guest]()
	for i := range 2000 {
		g := newGuest(x, "/", i)
		x.Enter(&g.member)
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		for p := range x.Members("/", Everyone).All() {
			if p.Member() != nil {
				n++
			}
		}
	}
	require.Positive(b, n)
}

// Leaving costs what was joined, however many rooms there are: it looks into no other
// room. The other rooms are nil here, so that looking into one panics.
func TestLeavingLooksIntoNoOtherRoom(t *testing.T) {
	x := NewIndex[*guest]()
	g := newGuest(x, "/", 1)
	x.Enter(&g.member)
	require.True(t, x.Join(&g.member, "left"))
	require.True(t, x.Join(&g.member, "removed"))
	for i := range x.shards {
		if x.shards[i].rooms == nil {
			x.shards[i].rooms = make(map[key]*room[*guest])
		}
		for n := range 10 {
			x.shards[i].rooms[key{"/", fmt.Sprint("other ", i, n)}] = nil
		}
	}
	x.Leave(&g.member, "left")
	x.Withdraw(&g.member)
	x.Remove(&g.member)
	require.Nil(t, x.Find("id-1"))
	require.Zero(t, x.Count("/", "removed"))
}
