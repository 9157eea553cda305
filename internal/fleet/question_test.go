package fleet

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Everybody is asked, and answers once.
func TestAsk(t *testing.T) {
	inBus(t, 3, func(t *testing.T, b *bus) {
		b.servers[1].answers(func(q string) Answer { return Answer{Names: []string{"x", "y"}, Count: 7, Found: true} })
		b.servers[2].answers(func(q string) Answer { return Answer{} })
		replies, err := b.servers[0].Ask(t.Context(), ask("q"))
		require.NoError(t, err)
		require.Equal(t, []Reply{{"h1", Answer{Names: []string{"x", "y"}, Count: 7, Found: true}}, {"h2", Answer{}}}, replies)
		require.Empty(t, b.servers[0].questions())
		require.Equal(t, []string{"q"}, b.servers[1].questions())
		b.servers[2].answers(func(q string) Answer { return Answer{Count: 2, Err: "no room"} })
		replies, err = b.servers[0].Ask(t.Context(), ask("q"))
		wantMissing(t, err, errors.Unwrap(err), b.servers[2])
		require.ErrorContains(t, err, "name of h2: no room")
		require.Len(t, replies, 2, "what it answers holds nevertheless")
		b.servers[0].forgotten()
	})
}

// One that has found it is enough.
func TestAskUntilFound(t *testing.T) {
	inBus(t, 3, func(t *testing.T, b *bus) {
		b.servers[1].answers(func(q string) Answer { return Answer{Found: true} })
		b.servers[2].vanish()
		q := ask("q")
		q.UntilFound = true
		replies, err := b.servers[0].Ask(t.Context(), q)
		require.NoError(t, err)
		require.Len(t, replies, 1)
		b.servers[1].answers(func(q string) Answer { return Answer{} })
		_, err = b.servers[0].Ask(t.Context(), q)
		wantMissing(t, err, ErrSilent, b.servers[2])
	})
}

func TestErrorCountsServers(t *testing.T) {
	require.EqualError(t, &Error{[]string{"a"}, ErrSilent}, "1 server did not answer (a): "+ErrSilent.Error())
	require.EqualError(t, &Error{[]string{"a", "b"}, ErrSilent}, "2 servers did not answer (a, b): "+ErrSilent.Error())
}

// A question ends with its context, with the fleet, and with the subscription; one whose server
// leaves does not miss it.
func TestQuestionsEnd(t *testing.T) {
	inBus(t, 3, func(t *testing.T, b *bus) {
		a, other := b.servers[0], b.servers[1]
		other.losing(func(m *message) bool { return m.Kind == kindAnswer })
		names, err := a.askFor(time.Second, "q")
		wantMissing(t, err, context.DeadlineExceeded, other)
		require.Equal(t, []string{"h2"}, names)
		done, cancel := context.WithCancel(t.Context())
		cancel()
		before := len(b.servers[2].questions())
		_, err = a.Ask(done, ask("q"))
		wantMissing(t, err, context.Canceled, other, b.servers[2])
		require.Len(t, b.servers[2].questions(), before)

		for _, end := range []struct {
			how func()
			err error
		}{{a.cut, ErrUnavailable}, {func() { other.Close() }, nil}, {a.Close, ErrClosed}} {
			a.subscribe()
			time.Sleep(settle)
			if end.err == ErrClosed {
				other = b.add()
				other.losing(func(m *message) bool { return m.Kind == kindAnswer })
			}
			ended := make(chan error, 1)
			go func() {
				_, err := a.ask("q")
				ended <- err
			}()
			synctest.Wait()
			start := time.Now()
			end.how()
			if err := <-ended; end.err == nil {
				require.NoError(t, err)
			} else {
				wantMissing(t, err, end.err, other)
			}
			require.Zero(t, time.Since(start))
			a.forgotten()
		}
		_, err = a.ask("q")
		require.ErrorIs(t, err, ErrClosed)
	})
}

// A server that comes while others are waited for is asked, too, and a new one waits until it knows
// the others.
func TestServerJoins(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		b.servers[1].losing(func(m *message) bool { return m.Kind == kindAnswer })
		got := make(chan []string, 1)
		go func() {
			names, _ := b.servers[0].askFor(time.Second, "q")
			got <- names
		}()
		synctest.Wait()
		third := b.add()
		require.Equal(t, []string{"h2"}, <-got)
		b.servers[1].losing(nil)
		third.Close()
		fourth := b.start(Options{})
		asked := make(chan error, 1)
		go func() {
			fourth.subscribe()
			names, err := fourth.ask("q")
			require.Equal(t, []string{"h0", "h1"}, names)
			asked <- err
		}()
		require.NoError(t, <-asked)
	})
}

// A hello that cannot be published is tried again soon; questions wait for it.
func TestHelloIsTriedAgain(t *testing.T) {
	inBus(t, 1, func(t *testing.T, b *bus) {
		s := b.start(Options{})
		s.mu.Lock()
		s.moody = true
		s.mu.Unlock()
		s.subscribe()
		time.Sleep(time.Minute)
		require.Len(t, b.servers[0].Names(), 1)
		s.mu.Lock()
		s.moody = false
		s.mu.Unlock()
		start := time.Now()
		names, err := s.ask("q")
		require.NoError(t, err)
		require.Equal(t, []string{"h0"}, names)
		require.LessOrEqual(t, time.Since(start), settle+retryHello)
	})
}

// A message does not change while it is handed over, whatever arrives meanwhile: the race detector
// watches. No lock is held either: publish uses the fleet.
func TestHelloWhileAQuestionIsPublished(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		a := b.servers[0]
		hello := []byte(`{"v":1,"is":"hello","host":"new","name":"new"}`)
		a.mu.Lock()
		a.during = func() {
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range 10 {
					_ = a.Receive(hello)
				}
			}()
			<-done
		}
		a.mu.Unlock()
		go func() {
			time.Sleep(time.Second)
			_ = a.Receive([]byte(`{"v":1,"is":"bye","host":"new"}`))
		}()
		_, err := a.ask("q")
		require.NoError(t, err)
	})
}

// Each message may get lost, once or often; nothing is counted or carried out twice.
func TestLostMessages(t *testing.T) {
	for _, kind := range []string{kindAsk, kindAnswer, kindNext} {
		for often := range 4 {
			t.Run(fmt.Sprint(kind, often), func(t *testing.T) {
				inBus(t, 2, func(t *testing.T, b *bus) {
					n := 0
					lose := func(m *message) bool {
						if m.Kind == kind {
							n++
							return n <= often || n%3 == 0
						}
						return false
					}
					b.servers[0].losing(lose)
					b.servers[1].losing(lose)
					want := longAnswer(20)
					b.servers[1].answers(func(string) Answer { return want })
					replies, err := b.servers[0].Ask(t.Context(), order("move"))
					require.NoError(t, err)
					require.Equal(t, []Reply{{"h1", want}}, replies)
					require.Equal(t, []string{"move"}, b.servers[1].questions())
					time.Sleep(idleFor + 2*heartbeat)
					b.servers[1].forgotten()
				})
			})
		}
	}
}
