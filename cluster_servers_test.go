package socketio_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

func TestClusterErrorCountsServers(t *testing.T) {
	why := errors.New("why")
	require.EqualError(t, &socketio.ClusterError{Missing: []string{"a"}, Err: why}, "socketio: 1 server did not answer (a): why")
	require.EqualError(t, &socketio.ClusterError{Missing: []string{"a", "b"}, Err: why}, "socketio: 2 servers did not answer (a, b): why")
	require.EqualError(t, &socketio.CallError{Missing: []string{"a", "b"}, Err: why}, "socketio: 2 clients did not answer: why")
}

// A server that does not answer is named, for five minutes after it has fallen silent;
// what the others say is returned.
func TestClusterSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 2, nil)
		var dead atomic.Bool
		lossy(f, func([]byte) bool { return dead.Load() })
		f.Add(nil)
		var sids []string
		for _, srv := range f.Servers {
			sids = append(sids, siotest.Join(t, srv, eiotest.WebSocket).SID)
		}
		c := f.Servers[0].Cluster()
		count, err := c.Count(soon(t))
		require.NoError(t, err)
		require.Equal(t, 3, count)

		dead.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got, err := c.SIDs(ctx)
		wantMissing(t, err, context.DeadlineExceeded, f.Servers[2])
		require.Equal(t, sorted(sids[:2]...), sorted(got...))
		// Who has the socket is enough.
		ok, err := c.Connected(ctx, sids[0])
		require.ErrorIs(t, err, context.DeadlineExceeded) // the context has ended
		require.False(t, ok)
		rooms, err := c.Rooms(soon(t), sids[1])
		require.NoError(t, err)
		require.Equal(t, []string{sids[1]}, rooms)

		// Without a deadline it ends when the server is forgotten.
		start := time.Now()
		count, err = c.Count(t.Context())
		require.Error(t, err)
		wantMissing(t, err, errors.Unwrap(err), f.Servers[2])
		require.Equal(t, 2, count)
		require.Less(t, time.Since(start), 22*time.Second)
		require.Len(t, c.Servers(), 2)

		// Its clients may still be connected: for five minutes no answer is complete, and nobody waits.
		for range 2 {
			start = time.Now()
			count, err = c.Count(t.Context())
			wantMissing(t, err, errors.Unwrap(err), f.Servers[2])
			require.Equal(t, 2, count)
			require.Zero(t, time.Since(start))
			time.Sleep(4 * time.Minute)
		}
		count, err = c.Count(t.Context())
		require.NoError(t, err, "not for ever")
		require.Equal(t, 2, count)

		dead.Store(false) // it was only cut off
		time.Sleep(6 * time.Second)
		count, err = c.Count(t.Context())
		require.NoError(t, err)
		require.Equal(t, 3, count)
	})
}

// A server that shuts down is not missing, also when it does so instead of
// answering.
func TestClusterServerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 2, nil)
		lossy(f, func(data []byte) bool { return is("answer", data) })
		f.Add(nil)
		c := f.Servers[0].Cluster()
		time.Sleep(3 * time.Second)
		counted := make(chan error, 1)
		go func() {
			_, err := c.Count(t.Context())
			counted <- err
		}()
		synctest.Wait()
		require.NoError(t, f.Servers[2].Shutdown(t.Context()))
		synctest.Wait()
		select {
		case err := <-counted:
			require.NoError(t, err)
		default:
			t.Fatal("the question goes on")
		}
		require.Len(t, c.Servers(), 2)
		start := time.Now()
		_, err := c.Count(t.Context())
		require.NoError(t, err)
		require.Zero(t, time.Since(start))

		// One's own.
		lossy(f, func(data []byte) bool { return is("answer", data) })
		f.Add(nil)
		go func() {
			_, err := c.Count(t.Context())
			counted <- err
		}()
		synctest.Wait()
		require.NoError(t, f.Servers[0].Shutdown(t.Context()))
		err = <-counted
		require.ErrorContains(t, err, "shuts down")
		wantMissing(t, err, errors.Unwrap(err), f.Servers[3])
		_, err = c.Count(t.Context())
		require.ErrorContains(t, err, "shuts down")
	})
}

// A server that comes while others are waited for is asked, too.
func TestClusterServerJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 1, nil)
		lossy(f, func(data []byte) bool { return is("answer", data) })
		f.Add(nil)
		time.Sleep(3 * time.Second)
		type answer struct {
			sids []string
			err  error
		}
		got := make(chan answer, 1)
		go func() {
			sids, err := f.Servers[0].Cluster().SIDs(soon(t))
			got <- answer{sids, err}
		}()
		synctest.Wait()
		f.Wrap = nil
		third := f.Add(nil)
		p := siotest.Join(t, third, eiotest.WebSocket)
		// Its first answer was from when it had nobody.
		a := <-got
		wantMissing(t, a.err, context.DeadlineExceeded, f.Servers[1])
		require.Empty(t, a.sids)
		sids, err := third.Cluster().SIDs(soon(t))
		wantMissing(t, err, context.DeadlineExceeded, f.Servers[1])
		require.Equal(t, []string{p.SID}, sids)

		// A new server waits until it knows the others.
		f.Add(nil)
		fourth := f.Add(nil)
		require.NoError(t, f.Servers[1].Shutdown(t.Context()))
		sids, err = fourth.Cluster().SIDs(soon(t))
		require.NoError(t, err)
		require.Equal(t, []string{p.SID}, sids)
		require.Len(t, fourth.Cluster().Servers(), 4)
	})
}
