package fleet

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// longAnswer is an answer of several parts.
func longAnswer(parts int) Answer {
	a := Answer{Count: 3, Found: true}
	for i := range parts {
		a.Names = append(a.Names, strings.Repeat("x", testPartSize)+fmt.Sprint(i))
	}
	return a
}

// members is an answer of many session ids.
func members(n int) Answer {
	var a Answer
	for i := range n {
		a.Names = append(a.Names, fmt.Sprintf("%022d", i))
	}
	return a
}

// A million members (fewer with the race detector, which is slow) arrive although the queue towards
// the broker takes no more than two parts.
func TestMillionMembers(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		million := members(memberCount)
		other := b.servers[1]
		other.replies.partSize = partSize
		other.answers(func(string) Answer { return million })
		other.limit, other.slow = 2*partSize, time.Millisecond
		names, err := b.servers[0].ask("members")
		require.NoError(t, err)
		require.Len(t, names, len(million.Names))
		time.Sleep(time.Second)
		require.Less(t, other.biggest, partSize+partSize/8)
		other.forgotten()
	})
}

// Servers that ask each other get all, although each has one queue for its answers to all of them.
func TestLongAnswersToAll(t *testing.T) {
	inBus(t, 4, func(t *testing.T, b *bus) {
		want := longAnswer(10)
		done := make(chan error, 4)
		for _, s := range b.servers {
			s.answers(func(string) Answer { return want })
			s.limit, s.slow = 2*testPartSize, time.Millisecond
		}
		for _, s := range b.servers {
			go func() {
				names, err := s.ask("members")
				if err == nil && len(names) != 30 {
					err = fmt.Errorf("there are %d names", len(names))
				}
				done <- err
			}()
		}
		for range b.servers {
			require.NoError(t, <-done)
		}
		time.Sleep(time.Second)
		for _, s := range b.servers {
			s.forgotten()
		}
	})
}

// A queue that has room for a single message is enough, also if others use it, too.
func TestTinyQueue(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		other := b.servers[1]
		want := longAnswer(50)
		other.answers(func(string) Answer { return want })
		other.limit, other.slow = 1, 10*time.Millisecond
		busy := time.NewTicker(50 * time.Millisecond)
		defer busy.Stop()
		ended := make(chan struct{})
		go func() {
			for range 100 {
				<-busy.C
				_ = other.publish([]byte(`{"v":1,"is":"alive","host":"h1","name":"name of h1"}`))
			}
			close(ended)
		}()
		replies, err := b.servers[0].Ask(t.Context(), ask("q"))
		require.NoError(t, err)
		require.Equal(t, []Reply{{"h1", want}}, replies)
		<-ended
	})
}

// At most one part of an answer is on its way.
func TestPartsAreRequested(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		b.servers[1].answers(func(string) Answer { return longAnswer(5) })
		sent := 0
		b.servers[1].losing(func(m *message) bool {
			if m.Kind == kindAnswer {
				sent++
			}
			return false
		})
		b.servers[0].losing(func(m *message) bool { return m.Kind == kindNext })
		_, err := b.servers[0].askFor(askAgain/2, "q")
		wantMissing(t, err, context.DeadlineExceeded, b.servers[1])
		require.Equal(t, 1, sent)
		time.Sleep(idleFor + 2*heartbeat)
		b.servers[1].forgotten()
	})
}

// A server that has forgotten the rest of its answer begins again, and parts of two answers are not
// mixed.
func TestAnswerBeginsAgain(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		a, other := b.servers[0], b.servers[1]
		answers := 0
		other.answers(func(string) Answer {
			answers++
			long := longAnswer(4)
			for i := range long.Names {
				long.Names[i] += fmt.Sprint(" of answer ", answers)
			}
			return long
		})
		parts := 0
		a.losing(func(m *message) bool {
			if m.Kind != kindNext {
				return false
			}
			if parts++; parts == 2 {
				other.Fleet.mu.Lock()
				other.replies.dropOf("h0")
				other.Fleet.mu.Unlock()
			}
			return false
		})
		names, err := a.ask("q")
		require.NoError(t, err)
		require.Len(t, names, 4)
		for _, name := range names {
			require.Contains(t, name, "answer 2")
		}
	})
}

// A message that arrives three times changes nothing.
func TestDuplicates(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		b.mu.Lock()
		b.copies = 3
		b.mu.Unlock()
		want := longAnswer(5)
		b.servers[1].answers(func(string) Answer { return want })
		replies, err := b.servers[0].Ask(t.Context(), order("q"))
		require.NoError(t, err)
		require.Equal(t, []Reply{{"h1", want}}, replies)
		require.Equal(t, []string{"q"}, b.servers[1].questions())
	})
}

// What is kept for others is bounded; who asks for more is told.
func TestBoundsOfReplies(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		a, other := b.servers[0], b.servers[1]
		for i := range maxOrders + 10 {
			_, err := a.Ask(t.Context(), order(fmt.Sprint(i)))
			require.NoError(t, err)
		}
		require.LessOrEqual(t, len(other.replies.orders), maxOrders)
		long := longAnswer(2)
		other.answers(func(string) Answer { return long })
		other.losing(func(m *message) bool { return m.Kind == kindAnswer })
		for i := range maxTransfers {
			other.reply(&message{Kind: kindAsk, Host: "h0", ID: uint64(10_000 + i), Question: ask("q").Content})
		}
		other.losing(nil)
		require.Len(t, other.replies.transfers, maxTransfers)
		_, err := a.ask("q")
		require.ErrorContains(t, err, "too many long answers")
		other.answers(func(string) Answer { return Answer{Names: []string{"short"}} })
		names, err := a.ask("q")
		require.NoError(t, err)
		require.Equal(t, []string{"short"}, names)
		time.Sleep(idleFor + 2*heartbeat)
		other.forgotten()

		// Those of a server that leaves are dropped at once.
		other.answers(func(string) Answer { return long })
		a.losing(func(m *message) bool { return m.Kind == kindNext })
		_, err = a.askFor(askAgain/2, "q")
		require.Error(t, err)
		a.Close()
		synctest.Wait()
		other.forgotten()
	})
}

// An answer that never ends is given up.
func TestAnswerTooBig(t *testing.T) {
	s := &survey{id: 1, servers: map[string]*respondent{}, changed: make(chan struct{}, 1)}
	s.expect("h1", &member{name: "h1", version: version})
	s.bytes = maxBytes - 1 // from another server
	for part := range 2 {
		s.take(&message{Host: "h1", ID: 1, Part: part, Attempt: 1, Names: []string{"x"}})
	}
	_, err := s.result()
	require.ErrorIs(t, err, errTooLong)
}
