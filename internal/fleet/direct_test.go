package fleet

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A question for one server is answered by that one alone, and waits for nobody else.
func TestAskOne(t *testing.T) {
	inBus(t, 3, func(t *testing.T, b *bus) {
		a := b.servers[0]
		b.servers[2].vanish()
		replies, err := a.Ask(t.Context(), Question{Content: []byte(`"q"`), To: "h1"})
		require.NoError(t, err)
		require.Equal(t, []Reply{{"h1", Answer{Names: []string{"h1"}, Count: 1}}}, replies)
		require.Empty(t, b.servers[2].questions())
		_, err = a.Ask(t.Context(), Question{Content: []byte(`"q"`), To: "nobody"})
		require.ErrorIs(t, err, ErrLeft)
		require.Equal(t, []string{"nobody"}, err.(*Error).Missing)
		a.forgotten()
	})
}

// One that leaves, falls silent or is interrupted is not waited for.
func TestAskOneThatGoes(t *testing.T) {
	for name, c := range map[string]struct {
		goes func(*server)
		err  error
	}{
		"leaves":         {func(s *server) { s.Close() }, ErrLeft},
		"falls silent":   {(*server).vanish, ErrSilent},
		"is interrupted": {func(s *server) { s.cut(); s.subscribe() }, ErrInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			inBus(t, 2, func(t *testing.T, b *bus) {
				other := b.servers[1]
				other.later = func(func()) {} // never
				time.AfterFunc(time.Second, func() { c.goes(other) })
				_, err := b.servers[0].Ask(t.Context(), Question{Content: []byte(`"q"`), To: "h1", Order: true, Passed: func() {}})
				require.ErrorIs(t, err, c.err)
				require.Len(t, other.questions(), 1)
				b.servers[0].forgotten()
			})
		})
	}
}

// Question.Passed is called when the question has come back from the broker, before later messages arrive.
// The question is asked once, however long the answer takes.
func TestQuestionThatNamesItsMoment(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		a, other := b.servers[0], b.servers[1]
		a.mu.Lock()
		a.slow = 10 * time.Millisecond // in the outbox
		a.mu.Unlock()
		other.later = func(answer func()) { time.AfterFunc(10*askAgain, answer) }
		begin, passed := time.Now(), 0
		replies, err := a.Ask(t.Context(), Question{Content: []byte(`"q"`), To: "h1", Order: true, Passed: func() {
			_ = a.Reachable("") // no lock is held
			passed++
			require.Equal(t, 10*time.Millisecond, time.Since(begin))
		}})
		require.NoError(t, err)
		require.Len(t, replies, 1)
		require.Equal(t, 1, passed)
		require.Equal(t, []string{"q"}, other.questions())
		require.Equal(t, 10*askAgain, time.Since(begin).Truncate(askAgain))
	})
}

// An answer that takes its time is given once, however often it is asked for meanwhile, and an order
// is carried out once.
func TestLateAnswer(t *testing.T) {
	for _, order := range []bool{false, true} {
		inBus(t, 2, func(t *testing.T, b *bus) {
			other := b.servers[1]
			other.later = func(answer func()) { time.AfterFunc(5*askAgain/2, answer) }
			long := longAnswer(5)
			other.answers(func(string) Answer { return long })
			q := ask("q")
			q.Order = order
			replies, err := b.servers[0].Ask(t.Context(), q)
			require.NoError(t, err)
			require.Equal(t, []Reply{{"h1", long}}, replies)
			require.Equal(t, []string{"q"}, other.questions())
			synctest.Wait()
			other.forgotten()

			// Nobody waits for it any more.
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err = b.servers[0].Ask(ctx, ask("again"))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			b.servers[0].Close()
			time.Sleep(5 * askAgain)
			other.forgotten()
		})
	}
}

// The answer to a question that is asked once is not kept for whoever asks twice.
func TestAnswerToOnceIsNotKept(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		other := b.servers[1]
		other.answers(func(string) Answer { return longAnswer(3) })
		replies, err := b.servers[0].Ask(t.Context(), Question{Content: []byte(`"q"`), Order: true, Passed: func() {}})
		require.NoError(t, err)
		require.Len(t, replies[0].Names, 3)
		other.Fleet.mu.Lock()
		defer other.Fleet.mu.Unlock()
		require.True(t, slices.ContainsFunc(other.replies.orders, func(o doneOrder) bool { return o.answer.Err == errAskedOnce.Err }))
	})
}

// A question to the server itself ends when it has come round, or when that cannot happen.
func TestAskSelf(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		a := b.servers[0]
		passed := 0
		q := Question{Content: []byte(`"q"`), To: "h0", Passed: func() { passed++ }}
		replies, err := a.Ask(t.Context(), q)
		require.NoError(t, err)
		require.Empty(t, replies)
		require.Equal(t, 1, passed)
		require.Empty(t, b.servers[1].questions())
		a.Disconnected()
		_, err = a.Ask(t.Context(), q)
		require.ErrorIs(t, err, ErrUnavailable)
		require.Equal(t, 1, passed)
	})
}

// An urgent question does not wait for a server that has vanished, but it does for a slow one. After a
// server was overdue, the next question does not wait for it until it gives a sign of life.
func TestUrgentQuestion(t *testing.T) {
	inBus(t, 3, func(t *testing.T, b *bus) {
		a, slow, gone := b.servers[0], b.servers[1], b.servers[2]
		slow.later = func(answer func()) { time.AfterFunc(10*time.Second, answer) }
		gone.vanish()
		q := ask("q")
		q.Urgent, q.Order, q.Passed = true, true, func() {}
		took := func(to string, want error) time.Duration {
			begin := time.Now()
			q.To = to
			_, err := a.Ask(t.Context(), q)
			require.ErrorIs(t, err, want)
			return time.Since(begin)
		}
		require.Equal(t, urgentSilent, took("h2", ErrSilent))
		require.Zero(t, took("h2", ErrSilent))
		require.Equal(t, 10*time.Second, took("h1", nil))
		require.Equal(t, 10*time.Second, took("", ErrSilent))
		gone.losing(nil)
		time.Sleep(heartbeat)
		require.Zero(t, took("h2", nil))
		gone.vanish()
		slow.mu.Lock()
		slow.later = nil
		slow.mu.Unlock()
		require.Equal(t, urgentSilent, took("", ErrSilent))
		require.NoError(t, a.Reachable("h2"), "for other purposes it is silent after three heartbeats only")
		gone.losing(nil)
		gone.Close()
		synctest.Wait()
		require.Zero(t, took("", nil))
		slow.forgotten()
	})
}

// Whoever is asked an urgent question says that it is there until it has answered, and not after that, however
// many there are.
func TestUrgentSigns(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		a, other := b.servers[0], b.servers[1]
		const takes = 9 * time.Second
		other.later = func(answer func()) { time.AfterFunc(takes, answer) }
		sent := func() int {
			other.mu.Lock()
			defer other.mu.Unlock()
			return other.sent
		}
		before := sent()
		var asking sync.WaitGroup
		for range 100 {
			asking.Go(func() {
				q := ask("q")
				q.Urgent = true
				_, err := a.Ask(t.Context(), q)
				assert.NoError(t, err)
			})
		}
		asking.Wait()
		require.InDelta(t, 100+takes/urgentHeartbeat, sent()-before, 5)
		before = sent()
		time.Sleep(10 * heartbeat)
		require.LessOrEqual(t, sent()-before, 14)
		other.forgotten()
	})
}
