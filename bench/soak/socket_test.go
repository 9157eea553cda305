package soak

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

// newTestSocket returns a connected socket whose client is connected to nothing.
func newTestSocket(t *testing.T) *socket {
	l, err := wire.NewLoop("127.0.0.1:1")
	require.NoError(t, err)
	t.Cleanup(l.Close)
	r := &run{Loop: l, channels: map[string]*channel{}, voices: map[int64]*voice{}, sids: map[string]*socket{},
		limbo: map[string]*socket{}, nameless: map[nameless][]*socket{}, found: map[string]int{}}
	r.cfg.complete()
	c := &client{run: r, n: 7, life: 1, rng: rand.New(rand.NewPCG(1, 1)), ready: true}
	c.link = &link{run: r, user: c, dead: true} // what is sent goes nowhere
	s := newSocket(c, "/")
	s.enter()
	c.sockets = []*socket{s}
	require.NoError(t, s.connect())
	require.NoError(t, s.packet(packet{kind: packetConnect, id: -1, data: []byte(`{"sid":"me"}`)}, nil))
	for _, p := range s.pending { // the joins of rooms
		require.NoError(t, c.message(wire.OpText, fmt.Appendf(nil, `3%d[{"seq":%[1]d,"voice":0,"number":0,"at":1,"sum":0}]`, p.seq)))
	}
	require.Empty(t, s.pending)
	require.Empty(t, r.faults)
	return s
}

// gets has the client of a socket get a packet.
func (s *socket) gets(t *testing.T, format string, args ...any) {
	require.NoError(t, s.c.message(wire.OpText, fmt.Appendf(nil, format, args...)))
}

// found checks that exactly one fault was found, of a kind.
func (s *socket) foundOne(t *testing.T, kind string) {
	t.Helper()
	require.Equal(t, map[string]int{kind: 1}, s.c.found, "%v", s.c.faults)
	clear(s.c.found)
}

func head(seq, voice, number int64, text string) string {
	return string(appendHead(nil, workload.Head{Seq: seq, Voice: voice, Number: number, At: 1, Sum: workload.SoakSum(text)}))
}

func TestAcknowledgements(t *testing.T) {
	begin := func(t *testing.T) (*socket, int64) {
		s := newTestSocket(t)
		for _, text := range []string{"one", "two", "three"} {
			require.NoError(t, s.request(kindEcho, workload.SoakEcho, "", nil, payload{text: []byte(text)}, nil))
		}
		return s, s.seq - 2
	}
	t.Run("right", func(t *testing.T) {
		s, n := begin(t)
		for i, text := range []string{"one", "two", "three"} {
			s.gets(t, "3%d[%s,%q]", n+int64(i), head(n+int64(i), 0, 0, text), text)
		}
		require.Empty(t, s.c.found)
		require.Equal(t, n+2, s.acked)
		require.EqualValues(t, 3, s.c.counts[kindEcho].acked)
	})
	t.Run("twice", func(t *testing.T) {
		s, n := begin(t)
		for range 2 {
			s.gets(t, "3%d[%s,%q]", n, head(n, 0, 0, "one"), "one")
		}
		s.foundOne(t, faultDuplicate)
	})
	t.Run("out of order", func(t *testing.T) {
		s, n := begin(t)
		s.gets(t, "3%d[%s,%q]", n+1, head(n+1, 0, 0, "two"), "two")
		s.foundOne(t, faultOrder)
	})
	t.Run("never sent", func(t *testing.T) {
		s, n := begin(t)
		s.gets(t, "3%d[%s,%q]", n+3, head(n+3, 0, 0, "one"), "one")
		s.foundOne(t, faultPayload)
	})
	t.Run("of another event", func(t *testing.T) {
		s, n := begin(t)
		s.gets(t, "3%d[%s,%q]", n, head(n+1, 0, 0, "one"), "one")
		s.foundOne(t, faultPayload)
	})
	t.Run("with another text", func(t *testing.T) {
		s, n := begin(t)
		s.gets(t, "3%d[%s,%q]", n, head(n, 0, 0, "one"), "onf")
		s.foundOne(t, faultPayload)
	})
	t.Run("with another attachment", func(t *testing.T) {
		s := newTestSocket(t)
		require.NoError(t, s.request(kindBinary, workload.SoakBinary, "", nil, payload{binary: []byte{1, 2, 3}}, nil))
		s.gets(t, `61-%d[%s,{"_placeholder":true,"num":0}]`, s.seq, head(s.seq, 0, 0, "\x01\x02\x03"))
		require.NoError(t, s.c.message(wire.OpBinary, []byte{1, 2, 4}))
		s.foundOne(t, faultPayload)
	})
	t.Run("overdue", func(t *testing.T) {
		s, _ := begin(t)
		s.c.clients = []*client{s.c}
		s.pending[0].at -= (patience + time.Second).Nanoseconds()
		s.c.nag()
		s.c.nag()
		s.foundOne(t, faultUnanswered)
	})
	t.Run("before the sender's own copy", func(t *testing.T) {
		s := newTestSocket(t)
		p := s.rooms[0]
		require.NoError(t, s.say(kindSay, workload.SoakSay, p.name, p.talk, p.seat, payload{text: []byte("x")}))
		s.gets(t, "3%d[%s]", s.seq, head(s.seq, p.talk.id, 1, "x"))
		s.foundOne(t, faultOrder)
	})
}

func TestMessages(t *testing.T) {
	speaker := func(s *socket, ch *channel) *voice {
		v := s.c.speak(ch, false, nil)
		v.sent = 9
		return v
	}
	said := func(t *testing.T, s *socket, v *voice, number int64, sum, text string) {
		s.gets(t, `2["said",%s,%q]`, head(1, v.id, number, sum), text)
	}
	t.Run("right", func(t *testing.T) {
		s := newTestSocket(t)
		v := speaker(s, s.rooms[0].seat.ch)
		said(t, s, v, 1, "a", "a")
		s.gets(t, `51-["said",%s,{"_placeholder":true,"num":0}]`, head(1, v.id, 2, "bytes"))
		require.NoError(t, s.c.message(wire.OpBinary, []byte("bytes")))
		require.Empty(t, s.c.found)
		require.EqualValues(t, 1, s.c.counts[heardRoom].heard)
		require.EqualValues(t, 1, s.c.counts[heardRoomBytes].heard)
	})
	t.Run("of a room it is not in", func(t *testing.T) {
		s := newTestSocket(t)
		said(t, s, speaker(s, newChannel("another")), 1, "a", "a")
		s.foundOne(t, faultStray)
	})
	t.Run("private, of another socket", func(t *testing.T) {
		s, other := newTestSocket(t), newTestSocket(t)
		v := other.c.speak(other.private.ch, false, nil)
		s.c.voices[v.id] = v
		said(t, s, v, 1, "a", "a")
		s.foundOne(t, faultStray)
	})
	t.Run("of a room it has left", func(t *testing.T) {
		s := newTestSocket(t)
		p := s.rooms[0]
		v := speaker(s, p.seat.ch)
		require.NoError(t, s.move())
		n := s.seq - 1
		if s.pending[0].kind == kindLeave {
			n = s.pending[0].seq
		}
		said(t, s, v, 1, "a", "a") // on its way
		s.gets(t, "3%d[%s]", n, head(n, 0, 0, ""))
		require.Empty(t, s.c.found)
		said(t, s, v, 2, "a", "a")
		s.foundOne(t, faultStray)
	})
	t.Run("damaged", func(t *testing.T) {
		s := newTestSocket(t)
		said(t, s, speaker(s, s.everyone.ch), 1, "a", "b")
		s.foundOne(t, faultPayload)
	})
	t.Run("torn apart", func(t *testing.T) {
		s := newTestSocket(t)
		s.gets(t, `51-["said",%s,{"_placeholder":true,"num":0}]`, head(1, 2, 2, "bytes"))
		s.gets(t, `2["said",%s,"a"]`, head(1, 2, 1, "a"))
		s.foundOne(t, faultProtocol)
	})
	t.Run("bytes from nowhere", func(t *testing.T) {
		s := newTestSocket(t)
		require.NoError(t, s.c.message(wire.OpBinary, []byte("bytes")))
		s.foundOne(t, faultProtocol)
	})
	t.Run("missing when a question is answered", func(t *testing.T) {
		s := newTestSocket(t)
		v := speaker(s, s.everyone.ch)
		v.acked = 1
		require.NoError(t, s.check())
		s.gets(t, "3%d[%s]", s.seq, head(s.seq, 0, 0, ""))
		s.foundOne(t, faultLost)
	})
}

func TestQuestions(t *testing.T) {
	for name, c := range map[string]struct {
		numbers []int64
		kind    string
	}{
		"right":        {[]int64{1, 2}, ""},
		"twice":        {[]int64{1, 1}, faultDuplicate},
		"lost":         {[]int64{2}, faultLost},
		"out of order": {[]int64{1, 2, 1}, faultOrder},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestSocket(t)
			for _, n := range c.numbers {
				s.gets(t, `25["ask",%s,"a"]`, head(n, 0, 0, "a"))
			}
			if c.kind != "" {
				s.foundOne(t, c.kind)
			}
			require.Empty(t, s.c.found)
			require.EqualValues(t, len(c.numbers), s.replies)
		})
	}
}

// Who has closed the connection answers nothing more, in whatever namespace.
func TestNoAnswerAfterClosing(t *testing.T) {
	s := newTestSocket(t)
	s.c.link.closing = true
	s.gets(t, `25["ask",%s,"a"]`, head(1, 0, 0, "a"))
	require.Empty(t, s.c.found)
	require.Zero(t, s.replies)
}

// What the server reports of a socket that has ended is compared.
func TestBooks(t *testing.T) {
	right := workload.SoakEnded{SID: "me", NS: "/", SoakAuth: workload.SoakAuth{Client: 7, Life: 1}, Handled: 2, Reason: "client disconnect"}
	for name, c := range map[string]struct {
		how    ending
		change func(*workload.SoakEnded)
		faults int
	}{
		"right":                   {endClean, func(*workload.SoakEnded) {}, 0},
		"not all handled":         {endClean, func(e *workload.SoakEnded) { e.Handled = 1 }, 2},
		"acknowledged, unhandled": {endDrop, func(e *workload.SoakEnded) { e.Handled, e.Reason = 1, "transport close" }, 1},
		"unsent, handled":         {endDrop, func(e *workload.SoakEnded) { e.Handled, e.Reason = 3, "transport close" }, 1},
		"wrong reason":            {endClean, func(e *workload.SoakEnded) { e.Reason = "parse error" }, 1},
		"slow":                    {endDrop, func(e *workload.SoakEnded) { e.Reason = "slow client" }, 1},
		"answers not given":       {endClean, func(e *workload.SoakEnded) { e.Answered = 1 }, 1},
		"another client's":        {endClean, func(e *workload.SoakEnded) { e.Client = 8 }, 1},
		"unknown":                 {endClean, func(e *workload.SoakEnded) { e.SID = "you" }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestSocket(t)
			require.EqualValues(t, 2, s.seq, "two rooms")
			s.acked = 2
			s.end(c.how)
			e := right
			c.change(&e)
			text, err := jsonOf([]workload.SoakEnded{e})
			require.NoError(t, err)
			require.NoError(t, s.c.reported(text))
			require.Len(t, s.c.faults, c.faults, "%v", s.c.faults)
		})
	}
	t.Run("cut off behind its goodbye", func(t *testing.T) {
		for i, reason := range []string{"client disconnect", "transport close", "server disconnect"} {
			s := newTestSocket(t)
			s.disconnect()
			s.end(endDrop)
			e := right
			e.Reason = reason
			text, err := jsonOf([]workload.SoakEnded{e})
			require.NoError(t, err)
			require.NoError(t, s.c.reported(text))
			require.Len(t, s.c.faults, i/2, "%v", s.c.faults)
		}
	})
	t.Run("ended while its client is there", func(t *testing.T) {
		s := newTestSocket(t)
		text, err := jsonOf([]workload.SoakEnded{right})
		require.NoError(t, err)
		require.NoError(t, s.c.reported(text))
		require.Empty(t, s.c.found, "it may hear of it yet")
		s.c.nag()
		require.Empty(t, s.c.found)
		s.c.early[0].at -= patience.Nanoseconds()
		s.c.nag()
		s.foundOne(t, faultBooks)
	})
	t.Run("never ended", func(t *testing.T) {
		s := newTestSocket(t)
		s.end(endDrop)
		s.c.nag()
		require.Empty(t, s.c.found)
		s.ended -= time.Hour.Nanoseconds()
		s.c.nag()
		s.foundOne(t, faultBooks)
	})
}

func TestIndex(t *testing.T) {
	s := newTestSocket(t)
	s.c.clients = []*client{s.c}
	right := func() workload.SoakIndex {
		return workload.SoakIndex{"/": {"": {"me"}, s.rooms[0].name: {"me"}, s.rooms[1].name: {"me"}}}
	}
	s.c.compareIndex(right())
	require.Empty(t, s.c.found)
	x := right()
	x["/"][s.rooms[0].name] = nil
	s.c.compareIndex(x)
	s.foundOne(t, faultIndex)
	x = right()
	x["/"]["room-other"] = []string{"me"}
	s.c.compareIndex(x)
	s.foundOne(t, faultIndex)
	x = right()
	x["/"][""] = []string{"me", "me"}
	s.c.compareIndex(x)
	s.foundOne(t, faultIndex)
	x = right()
	x["/"][""] = []string{"me", "who"}
	s.c.compareIndex(x)
	s.foundOne(t, faultIndex)
}
