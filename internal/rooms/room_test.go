package rooms

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Members come and go, and what was handed out stays as it was: compared with a
// map, over sizes around those of the parts.
func TestRoomMembers(t *testing.T) {
	for _, size := range []int{1, 3, partSize - 1, partSize, partSize + 1, 2 * partSize, 5*partSize + 7} {
		r := rand.New(rand.NewPCG(uint64(size), 1))
		var rm room[*int]
		want := map[*Place[*int]]bool{}
		var members []*Place[*int] // the same
		type handedOut struct {
			Roster[*int]
			was []*Place[*int]
		}
		var out []handedOut
		grow := true
		for range 20*size + 1000 {
			switch {
			case len(want) == 0:
				grow = true
			case len(want) >= size:
				grow = false
			}
			if more := r.IntN(3) > 0; more == grow || len(want) == 0 {
				m := rm.add(new(int))
				members = append(members, m)
				want[m] = true
			} else {
				i := r.IntN(len(members))
				rm.remove(members[i])
				delete(want, members[i])
				members = slices.Delete(members, i, i+1)
			}
			require.Equal(t, len(want), rm.len())
			if r.IntN(10) == 0 {
				ro := rm.roster()
				out = append(out, handedOut{ro, slices.Collect(ro.All())})
				require.Len(t, out[len(out)-1].was, ro.Len())
				for i, m := range out[len(out)-1].was {
					require.True(t, want[m])
					require.Equal(t, i, m.i)
				}
			}
			if len(out) > 20 {
				for _, o := range out {
					require.True(t, slices.Equal(o.was, slices.Collect(o.All())), "what was handed out has changed")
				}
				out = nil
			}
		}
	}
}

// A roster is read while the room changes.
func TestRosterConcurrently(t *testing.T) {
	var mu sync.Mutex
	var rm room[*int]
	var members []*Place[*int]
	for range 3 * partSize {
		members = append(members, rm.add(new(int)))
	}
	stay := members[:10]
	members = members[10:]
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				mu.Lock()
				ro := rm.roster()
				mu.Unlock()
				found := 0
				for m := range ro.All() {
					if slices.Contains(stay, m) {
						found++
					}
				}
				if found != len(stay) {
					t.Errorf("%d of those who stay, want %d", found, len(stay))
				}
			}
		})
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		mu.Lock()
		if i := r.IntN(len(members)); r.IntN(2) == 0 && len(members) > partSize {
			rm.remove(members[i])
			members = slices.Delete(members, i, i+1)
		} else {
			members = append(members, rm.add(new(int)))
		}
		mu.Unlock()
	}
	wg.Wait()
}
