package recovery

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const window = 2 * time.Minute

// expiring returns a store that notes when sessions expire.
func expiring() (st *Store[*user, string], expired map[*user]time.Time) {
	expired = make(map[*user]time.Time)
	var mu sync.Mutex
	st = NewStore[*user, string](Options[*user]{Window: window, Expired: func(u *user) {
		mu.Lock()
		defer mu.Unlock()
		expired[u] = time.Now()
	}})
	return st, expired
}

func add(st *Store[*user, string]) *user {
	u := new(user)
	st.Add(&u.Session, u)
	return u
}

// Each session expires when its window is over, and then exists no more; those that are
// claimed or ended before do not.
func TestWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, expired := expiring()
		users := make([]*user, 10)
		for i := range users {
			users[i] = add(st)
			assert.True(t, users[i].Wait(0))
			time.Sleep(time.Second)
		}
		begun := time.Now().Add(-10 * time.Second)
		assert.Equal(t, 10, st.Waiting())
		assert.EqualValues(t, 10*SessionOverhead, st.Used())
		self, claim, ok := st.Claim(users[3].PID())
		assert.Same(t, users[3], self)
		assert.EqualValues(t, 1, claim)
		assert.True(t, ok)
		assert.True(t, users[0].End())
		assert.False(t, users[0].End())
		assert.Equal(t, 8, st.Waiting())
		time.Sleep(time.Until(begun.Add(window + 5*time.Second)))
		synctest.Wait()
		assert.Len(t, expired, 4, "1, 2, 4 and 5")
		assert.True(t, users[3].Wait(1))
		time.Sleep(3 * window)
		synctest.Wait()
		assert.Len(t, expired, 9)
		for i, u := range users {
			when, has := expired[u]
			switch i {
			case 0:
				assert.False(t, has)
			case 3:
				assert.Equal(t, begun.Add(window+5*time.Second+window), when)
			default:
				assert.Equal(t, begun.Add(time.Duration(i)*time.Second+window), when)
			}
			_, _, ok := st.Claim(u.PID())
			assert.False(t, ok)
			assert.False(t, u.End())
			assert.False(t, u.Wait(0))
			assert.False(t, u.Current(0))
		}
		assert.Zero(t, st.Waiting())
		assert.Zero(t, st.Used())
		assert.Empty(t, st.sessions)
		assert.Empty(t, st.Close())
	})
}

// The newest claim counts: the connection of an older one does not make the session
// wait when it ends.
func TestClaims(t *testing.T) {
	st, _ := expiring()
	u := add(st)
	assert.True(t, u.Current(0))
	_, first, _ := st.Claim(u.PID()) // before the server knows of the drop
	assert.False(t, u.Current(0))
	assert.False(t, u.Wait(0), "the connection that was dropped")
	assert.True(t, u.Current(first))
	_, second, _ := st.Claim(u.PID())
	assert.False(t, u.Current(first))
	assert.False(t, u.Wait(first))
	assert.True(t, u.Current(second))
	assert.True(t, u.Wait(second))
	assert.True(t, u.Wait(second))
	assert.Equal(t, 1, st.Waiting())
	assert.EqualValues(t, SessionOverhead, st.Used())
	assert.Equal(t, []*user{u}, st.Close())
	assert.Zero(t, st.Used())
	_, _, ok := st.Claim(u.PID())
	assert.False(t, ok)
	assert.False(t, u.End(), "Close has ended it")
}

// After Close nothing waits, is claimed or expires, and Close has waited for Expired.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls, returned atomic.Int32
		gate := make(chan struct{})
		st := NewStore[*user, string](Options[*user]{Window: window, Expired: func(*user) {
			calls.Add(1)
			<-gate
			returned.Add(1)
		}})
		first, second, connected := add(st), add(st), add(st)
		first.Wait(0)
		time.Sleep(window - time.Second)
		second.Wait(0)
		time.Sleep(2 * window)
		assert.EqualValues(t, 1, calls.Load(), "one call at a time")
		closed := make(chan []*user)
		go func() { closed <- st.Close() }()
		synctest.Wait()
		assert.Empty(t, closed)
		close(gate)
		assert.Equal(t, []*user{second}, <-closed)
		assert.EqualValues(t, 1, returned.Load())
		time.Sleep(10 * window)
		assert.EqualValues(t, 1, calls.Load())
		assert.False(t, connected.Wait(0))
		assert.True(t, connected.Current(0))
		_, _, ok := st.Claim(connected.PID())
		assert.False(t, ok)
		assert.True(t, connected.End())
		assert.Empty(t, st.Close())
	})
}

// A session that begins to wait while Expired is called expires, too.
func TestWaitDuringExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var st *Store[*user, string]
		expired, most := 0, 5
		st = NewStore[*user, string](Options[*user]{Window: window, Expired: func(*user) {
			if expired++; expired < most {
				add(st).Wait(0)
			}
		}})
		add(st).Wait(0)
		time.Sleep(10 * window)
		synctest.Wait()
		assert.Equal(t, most, expired)
		st.Close()
	})
}

// When the budget is used up, those with the largest logs are ended until an eighth is
// free, and no others.
func TestOverBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // guards all logs
		var over []*user
		const budget = 4 << 20
		var st *Store[*user, string]
		st = NewStore[*user, string](Options[*user]{
			Window: window, Budget: budget,
			Size: func(u *user) int64 {
				mu.Lock()
				defer mu.Unlock()
				return u.Log.Size()
			},
			OverBudget: func(u *user) {
				mu.Lock()
				defer mu.Unlock()
				over = append(over, u)
				if !u.Current(0) {
					return
				}
				u.Log.Clear()
				if st.Waiting() > 0 && u.End() {
					u.Log.Close()
				}
			},
		})
		users := make([]*user, 20)
		for i := range users {
			users[i] = add(st)
			users[i].Wait(0)
		}
		idle := add(st)
		for round := 0; len(over) == 0; round++ {
			mu.Lock() // Size sees whole rounds only
			for i, u := range users {
				for range i + 1 { // the last one gets most
					u.Log.Keep(NewPacket("", st.NextOffset(), 1000))
				}
			}
			mu.Unlock()
			synctest.Wait()
			require.Less(t, round, 1000)
		}
		for i, u := range over {
			assert.Same(t, users[len(users)-1-i], u)
		}
		assert.Less(t, len(over), 5)
		assert.LessOrEqual(t, st.Used(), int64(budget/8*7))
		assert.Equal(t, len(users)-len(over), st.Waiting())
		assert.NotContains(t, over, idle)

		// Many sessions that wait are bounded, too, although they have nothing.
		n := len(over)
		for range budget/SessionOverhead + 10 {
			add(st).Wait(0)
			synctest.Wait()
		}
		assert.Greater(t, len(over), n)
		assert.LessOrEqual(t, st.Used(), int64(budget))
		st.Close()
	})
}

// Sessions come, wait, return, end and expire at once: each ends exactly once, and in the
// end nothing is counted.
func TestStoreConcurrently(t *testing.T) {
	var expired atomic.Int64
	st := NewStore[*user, string](Options[*user]{Window: time.Microsecond, Budget: 1 << 30, Expired: func(*user) { expired.Add(1) }})
	var ended, made atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2000 {
				u := add(st)
				made.Add(1)
				claim := uint64(0)
				for rand.IntN(4) > 0 {
					u.Wait(claim)
					if _, c, ok := st.Claim(u.PID()); ok {
						claim = c
					}
				}
				if rand.IntN(2) == 0 {
					u.Wait(claim)
				} else if u.End() {
					ended.Add(1)
				}
			}
		})
	}
	wg.Wait()
	left := st.Close()
	assert.Equal(t, made.Load(), expired.Load()+ended.Load()+int64(len(left)))
	assert.Zero(t, st.Used())
	assert.Empty(t, st.sessions)
}

// Offsets differ, are short, and come back as they were.
func TestOffsets(t *testing.T) {
	st, other := NewStore[*user, string](Options[*user]{}), NewStore[*user, string](Options[*user]{})
	seen := map[Offset]bool{}
	var before Offset
	for i := range 10_000 {
		for _, s := range []*Store[*user, string]{st, other} {
			o := s.NextOffset()
			require.False(t, seen[o])
			seen[o] = true
			back, ok := ParseOffset(o.String())
			require.True(t, ok)
			require.Equal(t, o, back)
			require.Equal(t, "x"+o.String(), string(o.Append([]byte("x"))))
			require.Equal(t, `"`+o.String()+`"`, string(must(json.Marshal(o.String()))))
			require.LessOrEqual(t, len(o.String()), 8+3, i)
			require.False(t, o.IsZero())
			require.True(t, o.UpTo(o))
			require.Equal(t, s == st && i > 0, before.UpTo(o))
			require.False(t, o.UpTo(before))
			if s == st {
				before = o
			}
		}
	}
	require.False(t, Offset{}.UpTo(before))
	require.False(t, before.UpTo(Offset{}))
	st.offsets.last.Store(1<<64 - 2)
	assert.Len(t, st.NextOffset().String(), 19)
	for _, bad := range []string{"", strings.Repeat("x", maxOffset+1)} {
		o, ok := ParseOffset(bad)
		assert.False(t, ok)
		assert.True(t, o.IsZero())
	}
	o, ok := ParseOffset(strings.Repeat("\xff", maxOffset))
	assert.True(t, ok)
	assert.Len(t, o.String(), maxOffset)
}

// A private id shows itself to nobody but Secret.
func TestPID(t *testing.T) {
	pid := newPID()
	assert.NotEqual(t, pid, newPID())
	secret := pid.Secret()
	assert.Len(t, secret, pidLen)
	back, ok := ParsePID(secret)
	assert.True(t, ok)
	assert.Equal(t, pid, back)
	for _, bad := range []string{"", secret[1:], secret + "A", secret[:21] + "!", strings.Repeat("\n", pidLen), secret[:21] + "B"} {
		_, ok := ParsePID(bad)
		assert.False(t, ok, bad)
	}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "pid", pid, "in", struct{ P PID }{pid})
	text := logged.String() + string(must(json.Marshal(map[string]any{"pid": pid})))
	for _, format := range []string{"%v", "%s", "%q", "%x", "%d", "%+v", "%#v", "%10.3s"} {
		text += fmt.Sprintf(format, pid) + fmt.Sprintf(format, struct{ P PID }{pid})
	}
	assert.NotContains(t, text, secret)
	assert.NotContains(t, text, fmt.Sprintf("%x", pid[:4]))
	assert.NotContains(t, text, fmt.Sprint(pid[0], pid[1]))
	assert.Contains(t, text, concealed)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// BenchmarkClaim is a client that goes and returns, and BenchmarkUnknown one that
// nobody knows, with 100,000 others away.
func BenchmarkClaim(b *testing.B) {
	st, u := benchStore()
	claim := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		u.Wait(claim)
		_, claim, _ = st.Claim(u.PID())
	}
	st.Close()
}

func BenchmarkUnknown(b *testing.B) {
	st, _ := benchStore()
	secret := newPID().Secret()
	b.ReportAllocs()
	for b.Loop() {
		if pid, ok := ParsePID(secret); ok {
			st.Claim(pid)
		}
	}
	st.Close()
}

func benchStore() (*Store[*user, string], *user) {
	st := NewStore[*user, string](Options[*user]{Window: time.Hour})
	for range 100_000 {
		add(st).Wait(0)
	}
	return st, add(st)
}
