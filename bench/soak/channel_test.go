package soak

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// scene is a channel with one speaker and one member, who was there first.
type scene struct {
	*testing.T
	ch *channel
	v  *voice
	s  *seat
}

func newScene(t *testing.T, volatile bool) *scene {
	ch := newChannel("room")
	s := ch.join()
	s.joined()
	return &scene{t, ch, ch.speak(2, volatile, nil), s}
}

// say has the speaker send so many messages, which the server acknowledges.
func (sc *scene) say(n int64) {
	sc.v.sent += n
	sc.v.acked = sc.v.sent
}

// hears has the member get messages, all of which are right.
func (sc *scene) hears(numbers ...int64) {
	sc.Helper()
	for _, n := range numbers {
		if f := sc.s.hear(sc.v, n); f != nil {
			require.Fail(sc, f.text)
		}
	}
}

// finds has the member get a message that is wrong.
func (sc *scene) finds(kind string, number int64) {
	sc.Helper()
	f := sc.s.hear(sc.v, number)
	require.NotNil(sc, f, "nothing was found")
	require.Equal(sc, kind, f.kind, f.text)
}

// asks has the member ask the server something; what the answer shows is returned.
func (sc *scene) asks() []*fault {
	sc.s.ask()
	return sc.s.answered()
}

func TestHearsEverythingOnceInOrder(t *testing.T) {
	sc := newScene(t, false)
	sc.say(3)
	sc.hears(1, 2, 3)
	require.Empty(t, sc.asks())
}

func TestFindsWhatIsWrong(t *testing.T) {
	t.Run("twice", func(t *testing.T) {
		sc := newScene(t, false)
		sc.say(2)
		sc.hears(1)
		sc.finds(faultDuplicate, 1)
		sc.hears(2)
	})
	t.Run("out of order", func(t *testing.T) {
		sc := newScene(t, false)
		sc.say(3)
		sc.hears(1)
		sc.finds(faultLost, 3)
		sc.finds(faultOrder, 2)
	})
	t.Run("the first is missing", func(t *testing.T) {
		sc := newScene(t, false)
		sc.say(2)
		sc.finds(faultLost, 2)
	})
	t.Run("the last is missing", func(t *testing.T) {
		sc := newScene(t, false)
		sc.say(2)
		sc.hears(1)
		faults := sc.asks()
		require.Len(t, faults, 1)
		require.Equal(t, faultLost, faults[0].kind)
		require.Empty(t, sc.asks(), "reported once")
	})
	t.Run("nothing came", func(t *testing.T) {
		sc := newScene(t, false)
		sc.say(1)
		require.Len(t, sc.asks(), 1)
	})
	t.Run("never said", func(t *testing.T) {
		sc := newScene(t, false)
		sc.say(1)
		sc.finds(faultPayload, 2)
		sc.finds(faultPayload, 0)
	})
	t.Run("after leaving", func(t *testing.T) {
		sc := newScene(t, false)
		sc.say(1)
		sc.s.left()
		sc.finds(faultStray, 1)
	})
	t.Run("before joining", func(t *testing.T) {
		sc := newScene(t, false)
		sc.say(2)
		sc.s = sc.ch.join()
		sc.finds(faultStray, 2)
	})
	t.Run("sent after the join was acknowledged, and missing", func(t *testing.T) {
		sc := newScene(t, false)
		sc.say(2)
		sc.s = sc.ch.join()
		sc.v.sent = 3 // under way
		sc.s.joined()
		sc.say(2)
		sc.finds(faultLost, 5)
	})
	t.Run("of another room", func(t *testing.T) {
		sc := newScene(t, false)
		other := newScene(t, false)
		other.say(1)
		sc.v = other.v
		sc.finds(faultStray, 1)
	})
	t.Run("own message of one who is left out", func(t *testing.T) {
		sc := newScene(t, false)
		sc.v = sc.ch.speak(3, false, sc.s)
		sc.say(1)
		sc.finds(faultStray, 1)
	})
	t.Run("volatile, twice or out of order", func(t *testing.T) {
		sc := newScene(t, true)
		sc.say(5)
		sc.hears(3)
		sc.finds(faultDuplicate, 3)
		sc.finds(faultOrder, 2)
	})
	t.Run("gap in what the server says", func(t *testing.T) {
		sc := newScene(t, false)
		sc.v.servers = true
		sc.hears(7, 8)
		sc.finds(faultLost, 10)
		sc.finds(faultDuplicate, 10)
	})
}

// What is under way while a member joins may be missed, but not in part.
func TestJoining(t *testing.T) {
	for first := int64(3); first <= 5; first++ {
		sc := newScene(t, false)
		sc.say(2)
		sc.s = sc.ch.join()
		sc.v.sent = 4 // 3 and 4 are under way
		sc.s.joined()
		sc.v.acked = 4
		require.Empty(t, sc.asks(), "neither need have come")
		sc.say(2)
		for n := first; n <= 6; n++ {
			sc.hears(n)
		}
		require.Empty(t, sc.asks())
	}
}

// A message may come before the acknowledgement of the join, and between a leave
// and its acknowledgement.
func TestEdgesOfMembership(t *testing.T) {
	sc := newScene(t, false)
	sc.say(2)
	sc.s = sc.ch.join()
	sc.say(2)
	sc.hears(4)
	sc.s.joined()
	sc.say(1)
	sc.s.ask()
	sc.s.state = seatLeaving
	sc.v.sent++
	sc.hears(5)
	require.Empty(t, sc.s.answered())
	sc.hears(6)
	sc.s.left()
	require.Equal(t, 1, sc.v.ears, "the first member's")
}

func TestVolatileMayBeLost(t *testing.T) {
	sc := newScene(t, true)
	sc.say(9)
	sc.hears(2, 5)
	require.Empty(t, sc.asks())
}

// A voice that has fallen silent is forgotten once all that it said has come.
func TestSilence(t *testing.T) {
	sc := newScene(t, false)
	sc.say(1)
	sc.v.silent()
	sc.hears(1)
	require.Empty(t, sc.asks())
	require.Zero(t, sc.v.ears)
	sc.finds(faultStray, 1)
	later := sc.ch.join()
	require.Empty(t, later.ears)
}

func TestTrend(t *testing.T) {
	var samples []sample
	for i := range 10 {
		samples = append(samples, sample{at: time.Duration(i) * time.Minute, heap: int64(100 + 10*i), rss: 7})
	}
	heap := trendOf(samples, func(s sample) int64 { return s.heap })
	require.InDelta(t, 90, heap.rise, 1e-6)
	require.InDelta(t, 145, heap.mean, 1e-6)
	require.Equal(t, 9*time.Minute, heap.span)
	require.InDelta(t, 0, trendOf(samples, func(s sample) int64 { return s.rss }).rise, 1e-6)
	require.Len(t, steadyPart(samples), 8)
}
