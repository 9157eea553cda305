package cluster_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/wire"
)

const captureLimit = 64 << 10

// arrival is a client that is under way, in the room "r".
type arrival struct {
	heard     []string
	questions []*cluster.Question
}

func (a *arrival) Interested(e *wire.Event) bool {
	return e.Everyone || strings.Join(e.Rooms, " ") == "r"
}

func (a *arrival) Event(e *wire.Event, q *cluster.Question) error {
	a.heard = append(a.heard, fmt.Sprintf("%s %s %s", e.ID, e.Name, e.Args))
	if q != nil {
		a.questions = append(a.questions, q)
		q.Wait(func() { a.heard = append(a.heard, "nobody waits") })
	}
	return nil
}

func (a *arrival) Command(c wire.Command) error {
	a.heard = append(a.heard, fmt.Sprintf("%d %s", c.Do, c.SID))
	return nil
}

func (a *arrival) Order(content []byte) { a.heard = append(a.heard, string(content)) }

// capture has a server begin a Capture when it hears the word on the members' channel.
func capture(t *testing.T, s *server, word string) *cluster.Capture {
	t.Helper()
	p := s.NewCapture()
	before := s.received
	s.received = func(data string) {
		if data == word {
			p.Begin()
			p.Begin() // a broker may deliver twice
		}
		if before != nil {
			before(data)
		}
	}
	require.NoError(t, s.PutTransient("members", []byte(word)))
	synctest.Wait()
	return p
}

// A Capture has what a server hears after the moment it began, its own messages included, in order, and
// nothing else; what comes later is received after the replay.
func TestCapture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := start(t, "a", "b")
		a, b := s[0], s[1]
		require.NoError(t, a.Emit(event("before"), nil))
		synctest.Wait()
		p := capture(t, b, "now")
		e := event("of another")
		e.ID = []byte("id1")
		require.NoError(t, a.Emit(e, nil))
		synctest.Wait()
		require.NoError(t, b.Emit(event("its own", "r"), nil))
		synctest.Wait()
		require.NoError(t, a.Emit(event("for others", "elsewhere"), nil))
		require.NoError(t, a.Do(wire.Command{Do: wire.Leave, Namespace: "/", SID: "sid", Room: "room"}))
		require.NoError(t, a.PutTransient("members", []byte(`{"v":1,"is":"ask","host":"x","id":1,"question":{"do":"move"},"order":true}`)))
		require.NoError(t, a.PutTransient("members", []byte(`{"v":1,"is":"ask","host":"x","id":2,"question":{"do":"count"}}`)))
		require.NoError(t, a.PutTransient("members", []byte(`{"v":1,"is":"ask","host":"x","id":3,"question":{"do":"one"},"order":true,"once":true,"to":["y"]}`)))
		b.take()
		var l arrival
		var live []string
		require.NoError(t, p.Replay(&l, func() {
			_ = a.Emit(event("after"), nil)
			live = l.heard
		}))
		require.Equal(t, []string{`id1 "of another" 1`, ` "its own" 1`, "1 sid", `{"do":"move"}`}, live)
		require.Equal(t, []string{`"after" 1`}, b.take())
		require.Equal(t, live, l.heard)
		require.ErrorIs(t, p.Replay(&l, func() { t.Error("it has ended") }), cluster.ErrNotCaptured)
		require.Equal(t, uint64(5), b.Status().Received)
	})
}

// An acknowledgement that is asked for meanwhile can be given, unless nobody waits for it by then.
func TestCaptureQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := start(t, "a", "b")
		p := capture(t, s[1], "now")
		s[0].take()
		require.NoError(t, s[0].Emit(event("q", "r"), ask(s[0], 1, map[string]string{"sid": ""})))
		require.NoError(t, s[0].Emit(event("q", "r"), ask(s[0], 2, map[string]string{"sid": ""})))
		s[0].Cancel(2)
		synctest.Wait()
		var l arrival
		require.NoError(t, p.Replay(&l, func() {}))
		require.Equal(t, []string{` "q" 1`, ` "q" 1`, "nobody waits"}, l.heard)
		require.NoError(t, l.questions[0].Answered("sid", parserArgs(t, `31["yes"]`)))
		l.questions[0].Done()
		require.Equal(t, []string{`"sid" answers yes`}, s[0].take())
	})
}

// Captures share what they keep, and each has what came since it began. Nothing is kept without one.
func TestCapturesOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := start(t, "a", "b")
		var all []*cluster.Capture
		for i := range 4 {
			all = append(all, capture(t, s[1], fmt.Sprint("now", i)))
			require.NoError(t, s[0].Emit(event(fmt.Sprint(i)), nil))
			synctest.Wait()
		}
		all[1].End()
		all[1].End()
		for _, i := range []int{2, 0, 3} {
			var l arrival
			require.NoError(t, all[i].Replay(&l, func() {}))
			require.Len(t, l.heard, 4-i)
			require.Equal(t, fmt.Sprintf(` "%d" 1`, i), l.heard[0])
		}
		require.Zero(t, s[1].Captured())
		s[1].NewCapture().End() // one that has not begun
	})
}

// What Captures keep is bounded: the one that began first fails first. A lost subscription fails all.
func TestCaptureFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, s := start(t, "a", "b")
		first := capture(t, s[1], "first")
		big := event("big")
		big.Args = []byte(`"` + strings.Repeat("x", captureLimit/3) + `"`)
		for range 2 {
			require.NoError(t, s[0].Emit(big, nil))
		}
		synctest.Wait()
		second := capture(t, s[1], "second")
		for range 2 {
			require.NoError(t, s[0].Emit(big, nil))
		}
		synctest.Wait()
		var l arrival
		require.ErrorIs(t, first.Replay(&l, func() { t.Error("something is missing") }), cluster.ErrNotCaptured)
		require.NoError(t, second.Replay(&l, func() {}))
		require.Len(t, l.heard, 2)

		third := capture(t, s[1], "third")
		service.Stop()
		synctest.Wait()
		service.Start()
		time.Sleep(time.Minute)
		require.ErrorIs(t, third.Replay(&l, func() { t.Error("something is missing") }), cluster.ErrNotCaptured)
		require.Zero(t, s[1].Captured())
	})
}

// However the goroutine that receives and Replay meet, each message is either replayed or received
// after that.
func TestCaptureEndsExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := start(t, "a", "b")
		const n = 300
		var emitter sync.WaitGroup
		p := capture(t, s[1], "now")
		s[1].take()
		emitter.Go(func() {
			for i := range n {
				_ = s[0].Emit(event(fmt.Sprint(i)), nil)
				time.Sleep(time.Millisecond)
			}
		})
		time.Sleep(n / 2 * time.Millisecond)
		var l arrival
		require.NoError(t, p.Replay(&l, func() {
			s[1].mu.Lock()
			defer s[1].mu.Unlock()
			s[1].log = nil
		}))
		emitter.Wait()
		var all []string
		for _, line := range append(l.heard, s[1].take()...) {
			all = append(all, strings.TrimSpace(line))
		}
		require.Len(t, all, n)
		for i, line := range all {
			require.Equal(t, fmt.Sprintf(`"%d" 1`, i), line)
		}
	})
}

// After the replay a Capture has what the server says itself, and nothing of others.
func TestReplayOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := start(t, "a", "b")
		a, b := s[0], s[1]
		p := capture(t, b, "now")
		var l arrival
		require.NoError(t, p.Replay(&l, func() {}))
		require.NoError(t, a.Emit(event("of another", "r"), nil))
		synctest.Wait()
		require.NoError(t, b.Emit(event("its own", "r"), nil))
		require.NoError(t, b.Do(wire.Command{Do: wire.Leave, Namespace: "/", SID: "sid", Room: "room"}))
		require.NoError(t, b.PutTransient("members", []byte(`{"v":1,"is":"ask","host":"b","id":1,"question":{"do":"move"},"order":true}`)))
		require.NoError(t, a.PutTransient("members", []byte(`{"v":1,"is":"ask","host":"a","id":1,"question":{"do":"no"},"order":true}`)))
		synctest.Wait() // nobody receives now
		var errs []error
		before := b.received
		b.received = func(data string) {
			if data == "mark" {
				errs = append(errs, p.ReplayOwn(&l))
			}
			before(data)
		}
		for range 2 {
			require.NoError(t, b.PutTransient("members", []byte("mark")))
			synctest.Wait()
		}
		p.End()
		require.NoError(t, b.PutTransient("members", []byte("mark")))
		synctest.Wait()
		require.Equal(t, []error{nil, nil, cluster.ErrNotCaptured}, errs)
		require.Equal(t, []string{` "its own" 1`, "1 sid", `{"do":"move"}`}, l.heard)
		require.Zero(t, b.Captured())
	})
}

// With a history, a Capture goes on after an outage: it has what was missed. When the history does not reach back far enough,
// it fails.
func TestCaptureDuringAnOutage(t *testing.T) {
	for _, lost := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			service, s := startOn(t, &brokertest.Memory{Keep: 10}, "a", "b")
			p := capture(t, s[1], "now")
			require.NoError(t, s[0].Emit(event("before"), nil))
			synctest.Wait()
			service.Cut(s[1].broker)
			require.NoError(t, s[0].Emit(event("missed"), nil))
			require.NoError(t, s[0].PutTransient("members", []byte(`{"v":1,"is":"ask","host":"x","id":1,"question":{"do":"move"},"order":true}`)))
			synctest.Wait()
			if lost {
				service.Forget()
				require.NoError(t, s[0].Emit(event("kept"), nil))
				synctest.Wait()
			}
			require.False(t, p.Ended())
			service.Restore(s[1].broker)
			time.Sleep(time.Minute)
			require.Equal(t, lost, p.Ended())
			require.NoError(t, s[0].Emit(event("after"), nil))
			synctest.Wait()
			var l arrival
			if err := p.Replay(&l, func() {}); lost {
				require.ErrorIs(t, err, cluster.ErrNotCaptured)
				return
			}
			require.Equal(t, []string{` "before" 1`, ` "missed" 1`, ` "after" 1`}, l.heard)
			p.End()
			require.True(t, p.Ended())
		})
	}
}
