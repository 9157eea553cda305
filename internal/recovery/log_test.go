package recovery

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// user is a session of a test.
type user struct {
	Session[*user, string]
}

func newUser(o Options[*user]) (*Store[*user, string], *user) {
	st := NewStore[*user, string](o)
	u := new(user)
	st.Add(&u.Session, u)
	return st, u
}

func (st *testStore) packet(text string) *Packet[string] {
	return NewPacket(text, st.NextOffset(), len(text))
}

type testStore struct{ *Store[*user, string] }

func payloads(l *Log[string]) (all []string) {
	for p := range l.All() {
		all = append(all, p.Payload)
	}
	return all
}

// A drop, a return, a replay that is cut and done again: nothing is missing, nothing
// comes twice but what the client has not said it has.
func TestReplay(t *testing.T) {
	store, u := newUser(Options[*user]{})
	st := &testStore{store}
	var ps []*Packet[string]
	for i := range 40 {
		ps = append(ps, st.packet(fmt.Sprint(i)))
	}
	l := &u.Log
	for i, p := range ps[:10] {
		assert.False(t, l.Sent(p, uint64(i+1)))
	}
	assert.False(t, l.Confirm(3))
	assert.Equal(t, 7, l.Len())
	for _, p := range ps[10:] { // it is away
		assert.True(t, l.Keep(p))
	}
	assert.False(t, l.Confirm(10), "what has not been sent is not confirmed")
	assert.Equal(t, 30, l.Len())

	require.True(t, l.Resume(ps[9].Offset), "it is the last one that was confirmed")
	require.True(t, l.Resume(ps[14].Offset))
	assert.False(t, l.Resume(ps[2].Offset), "it is not the last one any more")
	assert.False(t, l.Resume(ps[9].Offset))
	assert.False(t, l.Resume(Offset{}))
	var sent []string
	ask := l.Replay(func(p *Packet[string]) (uint64, bool) { // the connection is cut after five
		if len(sent) == 5 {
			return 0, true
		}
		sent = append(sent, p.Payload)
		return uint64(len(sent)), true
	})
	assert.True(t, ask)
	assert.Equal(t, []string{"15", "16", "17", "18", "19"}, sent)
	assert.Equal(t, 25, l.Len())
	assert.False(t, l.Confirm(2))
	assert.Equal(t, 23, l.Len())

	require.True(t, l.Resume(ps[17].Offset))
	sent = nil
	l.Replay(func(p *Packet[string]) (uint64, bool) {
		if p.Payload == "20" || p.Payload == "39" { // questions that have been answered
			return 0, false
		}
		sent = append(sent, p.Payload)
		return uint64(100 + len(sent)), true
	})
	want := payloads(l)
	assert.Equal(t, want, sent)
	assert.Len(t, want, 20)
	assert.NotContains(t, want, "20")
	l.Confirm(1000)
	assert.Zero(t, l.Len())
	assert.Zero(t, l.Size())
	assert.True(t, l.Resume(ps[38].Offset))
	assert.False(t, l.Replay(nil), "there is nothing")
	l.Close()
	assert.Zero(t, store.Used())
	assert.False(t, l.Sent(ps[0], 1))
	assert.True(t, l.Keep(ps[0]))
	assert.Zero(t, l.Len())
	l.Close()
}

// A client that has received nothing gets everything, as long as everything is there,
// also if it brings the offset of a session that was lost.
func TestResumeWithoutOffset(t *testing.T) {
	store, u := newUser(Options[*user]{})
	st := &testStore{store}
	old := st.NextOffset()
	l := &u.Log
	assert.True(t, l.Resume(Offset{}))
	assert.False(t, l.Resume(old))
	l.StartsAt(old)
	assert.True(t, l.Resume(old))
	first := st.packet("first")
	l.Keep(first)
	assert.True(t, l.Resume(old))
	assert.True(t, l.Resume(Offset{}))
	assert.Equal(t, []string{"first"}, payloads(l))
	assert.True(t, l.Resume(first.Offset))
	assert.False(t, l.Resume(old))
	assert.False(t, l.Resume(Offset{}))
	l.StartsAt(old) // too late
	assert.False(t, l.Resume(old))
}

// While its client is connected, a log over its limit loses its oldest packets, and a
// client that does not have these cannot resume. While the client is away, it says so.
func TestSessionLimit(t *testing.T) {
	const size = 1000
	const cost = size + packetOverhead + entryCost
	store, u := newUser(Options[*user]{SessionLimit: 10 * cost})
	st := &testStore{store}
	l := &u.Log
	var ps []*Packet[string]
	for range 12 {
		p := NewPacket("", st.NextOffset(), size)
		ps = append(ps, p)
		l.Sent(p, uint64(len(ps)))
	}
	assert.Equal(t, 10, l.Len())
	assert.EqualValues(t, 10*cost, l.Size())
	assert.False(t, l.Resume(Offset{}))
	assert.False(t, l.Resume(ps[0].Offset))
	assert.True(t, l.Resume(ps[1].Offset))
	assert.True(t, l.Resume(ps[2].Offset))
	assert.True(t, l.Keep(ps[0]))
	assert.False(t, l.Keep(ps[0]))

	l.Clear()
	assert.False(t, l.Resume(ps[11].Offset))
	huge := NewPacket("", st.NextOffset(), 20*cost)
	l.Sent(huge, 13)
	assert.Zero(t, l.Len())
	assert.True(t, l.Resume(huge.Offset), "the client has received it all the same")
	assert.False(t, l.Keep(NewPacket("", st.NextOffset(), 20*cost)))
}

// The log asks for a confirmation after 256 packets, or after half of the limit, and again when as
// much is left after one.
func TestLogAsksForConfirmations(t *testing.T) {
	store, u := newUser(Options[*user]{SessionLimit: 1 << 20})
	st := &testStore{store}
	l := &u.Log
	n := uint64(0)
	sent := func(size int) bool {
		n++
		return l.Sent(NewPacket("", st.NextOffset(), size), n)
	}
	asked := func() (asks int) {
		for range 1000 {
			if sent(0) {
				asks++
			}
		}
		return asks
	}
	assert.Equal(t, 3, asked())
	assert.True(t, l.Confirm(1), "almost all are left")
	assert.False(t, l.Confirm(990))
	assert.Equal(t, 3, asked())
	l.Confirm(n)
	assert.False(t, sent(500_000))
	assert.True(t, sent(500_000))
	assert.False(t, sent(500_000))
	assert.True(t, l.Confirm(n-2), "a million bytes are left")
	assert.False(t, l.Confirm(n))
}

// A packet in many logs counts once in the budget, which gets back what logs forget.
func TestBudgetOfLogs(t *testing.T) {
	store, u := newUser(Options[*user]{Budget: 1 << 30})
	st := &testStore{store}
	logs := []*Log[string]{&u.Log}
	for range 9 {
		v := new(user)
		store.Add(&v.Session, v)
		logs = append(logs, &v.Log)
	}
	const packets, size = 1000, 1000
	for n := range packets {
		p := NewPacket("", st.NextOffset(), size)
		for _, l := range logs {
			l.Sent(p, uint64(n+1))
		}
	}
	want := packets * (size + packetOverhead)
	entries := len(logs) * packets * entryCost
	slack := len(logs) * (uncounted + chunkCost)
	assert.InDelta(t, want+entries, store.Used(), float64(slack+entries/100))
	for i, l := range logs {
		l.Confirm(packets / 2)
		if i == 0 {
			l.Close()
		}
	}
	assert.InDelta(t, (want+entries)/2, store.Used(), float64(slack+entries))
	for _, l := range logs {
		l.Close()
	}
	assert.Zero(t, store.Used())
}

// BenchmarkSent is a packet on its way through the log of a client that confirms.
func BenchmarkSent(b *testing.B) {
	for name, shared := range map[string]bool{"one recipient": false, "many recipients": true} {
		b.Run(name, func(b *testing.B) {
			store, u := newUser(Options[*user]{SessionLimit: 1 << 20, Budget: 1 << 30})
			p := NewPacket("", store.NextOffset(), 100)
			if shared {
				v := new(user)
				store.Add(&v.Session, v)
				v.Log.Sent(p, 1)
			}
			n := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				n++
				if u.Log.Sent(p, n) {
					u.Log.Confirm(n)
				}
			}
		})
	}
}

// BenchmarkFanout is a packet for 1,000 logs, which all confirm it.
func BenchmarkFanout(b *testing.B) {
	store, _ := newUser(Options[*user]{SessionLimit: 1 << 20, Budget: 1 << 30})
	users := make([]*user, 1000)
	for i := range users {
		users[i] = new(user)
		store.Add(&users[i].Session, users[i])
	}
	n := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		n++
		p := NewPacket("", store.NextOffset(), 100)
		for _, u := range users {
			if u.Log.Sent(p, n) {
				u.Log.Confirm(n)
			}
		}
	}
}

// BenchmarkPacket is what an emit to one recipient makes besides its event.
func BenchmarkPacket(b *testing.B) {
	store, _ := newUser(Options[*user]{})
	var p *Packet[string]
	b.ReportAllocs()
	for b.Loop() {
		p = NewPacket("", store.NextOffset(), 100)
	}
	_ = p
}

// What came late goes to its place, and counts as the rest does.
func TestInsert(t *testing.T) {
	for _, n := range []int{0, 1, 14, 15, 16, 40} {
		for _, at := range []int{0, 1, 15, 40} {
			st := NewStore[*user, string](Options[*user]{SessionLimit: 1 << 20})
			u := new(user)
			st.Add(&u.Session, u)
			var want []string
			for i := range n {
				want = append(want, string(rune('a'+i)))
				require.True(t, u.Log.Keep(NewPacket(want[i], st.NextOffset(), 10)))
			}
			require.True(t, u.Log.Insert(at, NewPacket("x", st.NextOffset(), 10), NewPacket("y", st.NextOffset(), 10)))
			want = slices.Insert(want, min(at, n), "x", "y")
			var got []string
			for p := range u.Log.All() {
				got = append(got, p.Payload)
			}
			require.Equal(t, want, got)
			require.Equal(t, n+2, u.Log.Len())
			u.Log.Clear()
			require.Zero(t, u.Log.Size())
			u.End()
			st.Close()
		}
	}
}
