package fleet

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Servers know each other as soon as one has said hello, and forget at once who says bye.
func TestMembership(t *testing.T) {
	inBus(t, 3, func(t *testing.T, b *bus) {
		for _, s := range b.servers {
			require.Len(t, s.Names(), 3)
			require.Equal(t, "name of "+s.host, s.Names()[0])
			require.ErrorIs(t, s.Reachable("unknown"), ErrLeft)
			require.Empty(t, s.losses())
		}
		time.Sleep(10 * time.Minute) // signs of life
		require.Len(t, b.servers[0].Names(), 3)
		b.servers[2].Close()
		synctest.Wait()
		require.Equal(t, []string{"name of h0", "name of h1"}, b.servers[0].Names())
		require.ErrorIs(t, b.servers[0].Reachable("h2"), ErrLeft)
		require.ErrorIs(t, b.servers[2].Reachable("h0"), ErrClosed)
		require.Equal(t, []string{"h2: " + ErrLeft.Error()}, b.servers[0].losses())
		b.servers[2].Connected(false) // nobody hears of it any more
		synctest.Wait()
		require.Len(t, b.servers[0].Names(), 2)
		names, err := b.servers[0].ask("q")
		require.NoError(t, err)
		require.Equal(t, []string{"h1"}, names)
	})
}

// A server that falls silent is missing in every answer for five minutes, and then forgotten: it
// may have been cut off with its clients, or it may have ended.
func TestSilentServerIsMissingForAWhile(t *testing.T) {
	inBus(t, 3, func(t *testing.T, b *bus) {
		a, silent := b.servers[0], b.servers[2]
		silent.vanish()
		time.Sleep(silentAfter + heartbeat)
		require.Len(t, a.Names(), 2)
		require.ErrorIs(t, a.Reachable("h2"), ErrSilent)
		require.Equal(t, []string{"h2: " + ErrSilent.Error()}, a.losses())
		for range 4 {
			start := time.Now()
			names, err := a.ask("q")
			wantMissing(t, err, ErrSilent, silent)
			require.Equal(t, []string{"h1"}, names)
			require.Zero(t, time.Since(start), "nobody waits for a silent server")
			time.Sleep(missingFor / 5)
		}
		time.Sleep(missingFor / 5)
		names, err := a.ask("q")
		require.NoError(t, err, "it is not missing for ever")
		require.Equal(t, []string{"h1"}, names)
		require.ErrorIs(t, a.Reachable("h2"), ErrLeft)
		require.Len(t, a.losses(), 1)

		silent.losing(nil) // it comes back
		time.Sleep(heartbeat)
		names, err = a.ask("q")
		require.NoError(t, err)
		require.Equal(t, []string{"h1", "h2"}, names)
	})
}

// A silent server that answers nevertheless, or gives a sign of life, is not missing.
func TestSilentServerComesBack(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		a, other := b.servers[0], b.servers[1]
		other.losing(func(m *message) bool { return m.Kind == kindAlive })
		time.Sleep(silentAfter + heartbeat)
		require.ErrorIs(t, a.Reachable("h1"), ErrSilent)
		// A question that waits for somebody else gets its answer.
		third := b.add()
		third.losing(func(m *message) bool { return m.Kind == kindAnswer })
		names, err := a.askFor(time.Second, "q")
		wantMissing(t, err, context.DeadlineExceeded, third)
		require.Equal(t, []string{"h1"}, names)
		require.NoError(t, a.Reachable("h1"), "any message is a sign of life")
	})
}

// A question waits for a server until that falls silent.
func TestServerFallsSilentWhileItIsAsked(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		b.servers[1].vanish()
		start := time.Now()
		_, err := b.servers[0].ask("q")
		wantMissing(t, err, ErrSilent, b.servers[1])
		require.LessOrEqual(t, time.Since(start), silentAfter+heartbeat)
	})
}

// A server that begins at the place of a silent one has replaced it: nobody is missing.
func TestSuccessorAtTheSameEndpoint(t *testing.T) {
	inBus(t, 1, func(t *testing.T, b *bus) {
		at := Options{Endpoint: "http://10.0.0.1:8080/socket.io/"}
		first := b.start(at)
		first.subscribe()
		time.Sleep(settle)
		first.vanish()
		time.Sleep(silentAfter + heartbeat)
		_, err := b.servers[0].ask("q")
		wantMissing(t, err, ErrSilent, first)
		b.start(at).subscribe()
		time.Sleep(settle)
		names, err := b.servers[0].ask("q")
		require.NoError(t, err)
		require.Equal(t, []string{"h2"}, names)
	})
}

// The same when it begins before the others have noticed the end of the first one, as after a crash
// where something starts it again at once. A question that waits then goes on without the first one.
func TestSuccessorStartsAtOnce(t *testing.T) {
	inBus(t, 1, func(t *testing.T, b *bus) {
		a, at := b.servers[0], Options{Endpoint: "http://10.0.0.1:8080/socket.io/"}
		first := b.start(at)
		first.subscribe()
		time.Sleep(settle)
		first.vanish()
		b.start(at).subscribe()
		start := time.Now()
		names, err := a.ask("q")
		require.NoError(t, err)
		require.Equal(t, []string{"h2"}, names)
		require.LessOrEqual(t, time.Since(start), replacedAfter+heartbeat)
		require.ErrorIs(t, a.Reachable("h1"), ErrLeft)
		require.Equal(t, []string{"h1: " + ErrSilent.Error()}, a.losses())
		time.Sleep(silentAfter + heartbeat)
		_, err = a.ask("q")
		require.NoError(t, err)
	})
}

// Two servers that have the same endpoint by mistake, and live, are both asked.
func TestTwoServersAtOneEndpoint(t *testing.T) {
	inBus(t, 1, func(t *testing.T, b *bus) {
		at := Options{Endpoint: "http://10.0.0.1:8080/socket.io/"}
		for range 2 {
			b.start(at).subscribe()
			time.Sleep(settle)
		}
		for range 5 {
			names, err := b.servers[0].ask("q")
			require.NoError(t, err)
			require.Equal(t, []string{"h1", "h2"}, names)
			time.Sleep(heartbeat)
		}
		require.Empty(t, b.servers[0].losses())
	})
}

// What was sent to a server while it had no subscription is lost: whoever waits for it hears so
// when the server is back.
func TestInterruptedServer(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		a, other := b.servers[0], b.servers[1]
		other.cut()
		got := make(chan []string, 1)
		go func() {
			names, err := a.ask("q")
			require.NoError(t, err)
			got <- names
		}()
		time.Sleep(time.Second)
		other.subscribe()
		start := time.Now()
		require.Equal(t, []string{"h1"}, <-got, "it is asked again")
		require.Zero(t, time.Since(start))
		require.Equal(t, []string{"h1: " + ErrInterrupted.Error()}, a.losses())
		synctest.Wait()
		require.Empty(t, other.losses(), "a sign of life is no loss")
	})
}

// While there is no subscription nobody falls silent, and nobody can be asked.
func TestWithoutSubscription(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		a := b.servers[0]
		a.cut()
		for range 2 {
			start := time.Now()
			_, err := a.ask("q")
			wantMissing(t, err, ErrUnavailable, b.servers[1])
			require.Zero(t, time.Since(start))
			require.ErrorIs(t, a.Reachable("h1"), ErrUnavailable)
			time.Sleep(10 * time.Minute)
		}
		a.subscribe()
		names, err := a.ask("q")
		require.NoError(t, err)
		require.Equal(t, []string{"h1"}, names)
		require.Empty(t, a.losses())
	})
}

// The number of servers that are known is bounded, and that it is too small for all is said.
func TestTooManyServers(t *testing.T) {
	inBus(t, 1, func(t *testing.T, b *bus) {
		a := b.servers[0]
		for i := range maxMembers + 1 {
			require.NoError(t, a.Receive(foreign(t, i)))
		}
		_, err := a.askFor(time.Second, "q")
		require.ErrorIs(t, err, errTooManyServers)
		require.Len(t, a.Names(), maxMembers+1)
		time.Sleep(silentAfter + missingFor + 2*heartbeat)
		_, err = a.ask("q")
		require.NoError(t, err)
	})
}

// A server that was cut off and lost nothing does not greet the others, whose questions go on; what it
// missed tells it who has come and gone.
func TestResumedServer(t *testing.T) {
	inBus(t, 4, func(t *testing.T, b *bus) {
		a, gone, cut := b.servers[0], b.servers[2], b.servers[3]
		answers := make(chan error, 1)
		cut.cut()
		go func() {
			_, err := a.ask("q")
			answers <- err
		}()
		gone.Close()
		b.add()
		missed := [][]byte{
			[]byte(`{"v":1,"is":"bye","host":"h2","name":"name of h2"}`),
			[]byte(`{"v":1,"is":"hello","host":"h4","name":"name of h4"}`),
			[]byte(`{"v":1,"is":"ask","host":"h0","name":"name of h0","id":1,"question":"q"}`),
		}
		for _, m := range missed {
			require.NoError(t, cut.ReceiveMissed(m))
		}
		require.Error(t, cut.ReceiveMissed([]byte("[]")))
		require.Empty(t, cut.asked, "whoever still waits asks again")
		cut.mu.Lock()
		cut.received = true
		cut.mu.Unlock()
		cut.Connected(true)
		require.Equal(t, []string{"name of h3", "name of h0", "name of h1", "name of h4"}, cut.Names())
		require.NoError(t, <-answers)
		require.NotContains(t, fmt.Sprint(a.losses()), "h3")
		names, err := cut.ask("q")
		require.NoError(t, err)
		require.Equal(t, []string{"h0", "h1", "h4"}, names)
	})
}
