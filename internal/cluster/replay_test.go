package cluster_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/wire"
)

// maxPause is longer than the pause before a server subscribes again.
const maxPause = 10 * time.Second

// events is take without the attempts to subscribe that failed.
func (s *server) events() []string {
	return slices.DeleteFunc(s.take(), func(line string) bool { return line == "disconnected" })
}

// A server that was cut off carries out what it missed, each once and in order, before
// what comes then.
func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, s := startOn(t, &brokertest.Memory{Keep: 1000}, "a", "b")
		require.NoError(t, s[0].Emit(event("before"), nil))
		require.Equal(t, []string{`"before" 1`}, s[1].events())
		var want []string
		for outage := range 3 {
			service.Cut(s[1].broker)
			require.Equal(t, []string{"disconnected"}, s[1].take())
			for i := range 100 {
				require.NoError(t, s[0].Emit(event(fmt.Sprint(i)), nil))
				want = append(want, fmt.Sprintf(`"%d" 1`, i))
			}
			require.NoError(t, s[0].Do(wire.Command{Do: wire.Join, Namespace: "/", SID: "sid", Room: "room"}))
			require.NoError(t, s[0].Emit(event("e", "client of b"), nil))
			require.NoError(t, s[0].PutTransient("members", []byte("here")))
			want = append(want, "0 sid room", `"e" 1`, "missed member: here", "resumed")
			time.Sleep(time.Minute)
			require.Empty(t, s[1].events())
			require.False(t, s[1].Status().Connected)
			service.Restore(s[1].broker)
			time.Sleep(maxPause)
			require.NoError(t, s[0].Emit(event("after"), nil))
			want = append(want, `"after" 1`)
			require.Equal(t, want, s[1].events())
			want = nil
			st := s[1].Status()
			require.True(t, st.Connected)
			require.EqualValues(t, 102*(outage+1), st.Replayed, "of other servers' clients")
			require.Zero(t, st.Gaps)
		}
	})
}

// The first subscription begins with what is published then.
func TestNothingIsReplayedAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, s := startOn(t, &brokertest.Memory{Keep: 1000}, "a")
		require.NoError(t, s[0].Emit(event("old"), nil))
		synctest.Wait()
		_, late := startOn(t, service, "b")
		require.NoError(t, s[0].Emit(event("new"), nil))
		require.Equal(t, []string{`"new" 1`}, late[0].events())
	})
}

// A server that has received nothing yet gets what it missed as well.
func TestReplayOfTheFirstMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, s := startOn(t, &brokertest.Memory{Keep: 1000}, "a", "b")
		service.Cut(s[1].broker)
		synctest.Wait()
		require.NoError(t, s[0].Emit(event("e"), nil))
		service.Restore(s[1].broker)
		time.Sleep(maxPause)
		require.Equal(t, []string{`"e" 1`, "resumed"}, s[1].events())
	})
}

// Again cut off during the replay, it goes on where it stopped.
func TestReplayIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, s := startOn(t, &brokertest.Memory{Keep: 1000}, "a", "b")
		service.Cut(s[1].broker)
		synctest.Wait()
		var want []string
		for i := range 100 {
			require.NoError(t, s[0].Emit(event(fmt.Sprint(i)), nil))
			want = append(want, fmt.Sprintf(`"%d" 1`, i))
		}
		s[1].during = func(e *wire.Event) {
			if e.Name[len(e.Name)-2] == '0' {
				service.Cut(s[1].broker)
				time.AfterFunc(time.Second, func() { service.Restore(s[1].broker) })
			}
		}
		service.Restore(s[1].broker)
		time.Sleep(20 * maxPause)
		require.Equal(t, append(want, "resumed"), s[1].events())
	})
}

// What was only of use at its time is left out, and the age of an event is known.
func TestMessagesThatAreNotReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, s := startOn(t, &brokertest.Memory{Keep: 1000}, "a", "b")
		service.Cut(s[1].broker)
		synctest.Wait()
		volatile := event("volatile")
		volatile.Volatile = true
		require.NoError(t, s[0].Emit(volatile, nil))
		expired, waits := ask(s[0], 1, nil), ask(s[0], 2, nil)
		expired.Timeout, waits.Timeout = 10*time.Second, 90*time.Second
		require.NoError(t, s[0].Emit(event("expired"), expired))
		require.NoError(t, s[0].Emit(event("waits"), waits))
		time.Sleep(time.Minute)
		var ages []time.Duration
		s[1].during = func(e *wire.Event) { ages = append(ages, e.Age.Round(maxPause)) }
		service.Restore(s[1].broker)
		time.Sleep(maxPause)
		require.NoError(t, s[0].Emit(event("after"), nil))
		require.Equal(t, []string{`"waits" 1`, "resumed", `"after" 1`}, s[1].events())
		require.Equal(t, []time.Duration{time.Minute, 0}, ages)

		// The question ends here when it ends there.
		_, questions := s[1].Pending()
		require.Equal(t, 1, questions)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		_, questions = s[1].Pending()
		require.Zero(t, questions)
	})
}

// Questions outlast an outage of the server that asks, and of the one that answers.
func TestQuestionsOutlastAnOutage(t *testing.T) {
	for asking := range 2 {
		synctest.Test(t, func(t *testing.T) {
			service, s := startOn(t, &brokertest.Memory{Keep: 1000}, "a", "b")
			require.NoError(t, s[0].Emit(event("e"), ask(s[0], 1, map[string]string{"client of b": "b"})))
			require.Equal(t, []string{`"e" 1`}, s[1].events())
			service.Cut(s[1-asking].broker)
			synctest.Wait()
			if asking == 1 {
				require.NoError(t, s[1].questions[0].Answered("client of b", parserArgs(t, `37["yes"]`)))
			}
			time.Sleep(10 * time.Second)
			service.Restore(s[1-asking].broker)
			time.Sleep(maxPause)
			if asking == 0 {
				require.NoError(t, s[1].questions[0].Answered("client of b", parserArgs(t, `37["yes"]`)))
			}
			require.Contains(t, s[0].events(), `"client of b" answers yes`)
		})
	}
}

// If messages are lost all the same, the operator hears of it, once, and whoever waits
// for an answer.
func TestGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, s := startOn(t, &brokertest.Memory{Keep: 10}, "a", "b")
		require.NoError(t, s[1].Emit(event("e"), ask(s[1], 1, map[string]string{"client of a": "a"})))
		require.Equal(t, []string{`"e" 1`}, s[0].events())
		service.Cut(s[1].broker)
		synctest.Wait()
		for i := range 20 {
			require.NoError(t, s[0].Emit(event(fmt.Sprint(i)), nil))
			synctest.Wait()
		}
		cut := false
		s[1].during = func(*wire.Event) {
			if !cut { // the gap is not forgotten if the replay is cut
				cut = true
				service.Cut(s[1].broker)
				time.AfterFunc(time.Second, func() { service.Restore(s[1].broker) })
			}
		}
		service.Restore(s[1].broker)
		time.Sleep(2 * maxPause)
		want := []string{`"client of a" fails: ` + cluster.ErrUnavailable.Error(), `"10" 1`}
		for i := 11; i < 20; i++ {
			want = append(want, fmt.Sprintf(`"%d" 1`, i))
		}
		require.Equal(t, append(want, "connected"), s[1].events())
		require.EqualValues(t, 1, s[1].Status().Gaps)
		require.Equal(t, 1, strings.Count(s[1].logs.String(), "level=WARN msg=\"socketio: messages of other servers are lost"))
		require.Contains(t, s[1].logs.String(), "Memory.Keep")

		service.Cut(s[1].broker)
		synctest.Wait()
		service.Restore(s[1].broker)
		time.Sleep(maxPause)
		require.Equal(t, []string{"resumed"}, s[1].events(), "it was the last outage's")
	})
}

// Who has dropped messages itself says so to the others, although it missed none.
func TestDroppedMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, s := startOn(t, &brokertest.Memory{Keep: 10}, "a", "b")
		service.Cut(s[1].broker)
		require.NoError(t, s[1].Emit(event("dropped"), nil))
		synctest.Wait()
		require.EqualValues(t, 1, s[1].Status().Dropped)
		service.Restore(s[1].broker)
		time.Sleep(maxPause)
		require.Equal(t, []string{"connected"}, s[1].events())
	})
}
