package recovery

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The model of a log is a slice.
type model struct {
	kept       []modelEntry
	trimmed    Offset
	hasTrimmed bool
	limit      int64
}

type modelEntry struct {
	p      *Packet[string]
	number uint64
}

func (m *model) size() (n int64) {
	for _, e := range m.kept {
		n += e.p.cost + entryCost
	}
	return n
}

func (m *model) trim(n int) {
	if n > 0 {
		m.trimmed, m.hasTrimmed = m.kept[n-1].p.Offset, true
		m.kept = slices.Delete(m.kept, 0, n)
	}
}

func (m *model) resume(o Offset) bool {
	if o.IsZero() {
		return !m.hasTrimmed
	}
	i := slices.IndexFunc(m.kept, func(e modelEntry) bool { return e.p.Offset == o })
	if i < 0 && o != m.trimmed {
		return false
	}
	m.trim(i + 1)
	return true
}

// replay replays all packets, but every seventh, and sends those up to cut. It returns the number of the last one that
// was sent.
func (m *model) replay(t *testing.T, l *Log[string], cut int) (number uint64) {
	i := 0
	l.Replay(func(p *Packet[string]) (uint64, bool) {
		require.Same(t, m.kept[i].p, p)
		i++
		if i%7 == 3 {
			return 0, false
		}
		if i > cut {
			return 0, true
		}
		number++
		return number, true
	})
	require.Equal(t, len(m.kept), i)
	kept, n := m.kept[:0:0], uint64(0)
	for i, e := range m.kept {
		e.number = 0
		switch {
		case (i+1)%7 == 3:
			continue
		case i+1 <= cut:
			n++
			e.number = n
		}
		kept = append(kept, e)
	}
	m.kept = kept
	return number
}

// FuzzLog does what the input says with a log and its model.
func FuzzLog(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		seed := make([]byte, 1500)
		for i := range seed {
			seed[i] = byte(r.Uint32())
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		m := &model{limit: 20_000}
		store, u := newUser(Options[*user]{SessionLimit: m.limit, Budget: 1 << 30})
		l := &u.Log
		given := []Offset{{}, store.NextOffset()} // of this log or of none
		number := uint64(0)
		for len(input) >= 3 {
			do, arg := input[0], int(binary.LittleEndian.Uint16(input[1:]))
			input = input[3:]
			switch do % 16 {
			case 0, 1, 2, 3, 4, 5, 6:
				p := NewPacket("", store.NextOffset(), arg%1000)
				given = append(given, p.Offset)
				number += uint64(1 + arg%3)
				l.Sent(p, number)
				m.kept = append(m.kept, modelEntry{p, number})
				for m.size() > m.limit {
					m.trim(1)
				}
			case 7, 8, 9:
				p := NewPacket("", store.NextOffset(), arg%1000)
				given = append(given, p.Offset)
				ok := l.Keep(p)
				m.kept = append(m.kept, modelEntry{p, 0})
				require.Equal(t, m.size() <= m.limit, ok)
			case 10, 11:
				n := number - min(number, uint64(arg%100))
				l.Confirm(n)
				i := slices.IndexFunc(m.kept, func(e modelEntry) bool { return e.number == 0 || e.number > n })
				if i < 0 {
					i = len(m.kept)
				}
				m.trim(i)
			case 12:
				o := given[max(0, len(given)-1-arg%80)]
				require.Equal(t, m.resume(o), l.Resume(o))
			case 13:
				number = m.replay(t, l, arg%100)
			case 14:
				if arg%50 == 0 {
					l.Clear()
					m.trim(len(m.kept))
				}
			case 15:
				require.Equal(t, m.resume(Offset{}), l.Resume(Offset{}))
			}
			if l.Len() != len(m.kept) || l.Size() != m.size() {
				t.Fatalf("%d packets of %d bytes, want %d of %d", l.Len(), l.Size(), len(m.kept), m.size())
			}
			i := 0
			for e := range l.entries() {
				if want := m.kept[i]; e.packet != want.p || e.number != want.number {
					t.Fatalf("entry %d is %v, want %v", i, *e, want)
				}
				i++
			}
		}
		l.Close()
		require.Zero(t, store.Used())
	})
}
