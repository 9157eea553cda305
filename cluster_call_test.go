package socketio_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// Clients of all servers answer a Call.
func TestClusterCallEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 2, nil)
		var dead atomic.Bool
		lossy(f, func([]byte) bool { return dead.Load() })
		f.Add(nil)
		var peers []*siotest.Peer
		for i := range 4 {
			peers = append(peers, siotest.Join(t, f.Servers[i%3], eiotest.WebSocket))
		}
		type result struct {
			replies []socketio.Reply
			err     error
		}
		results := make(chan result, 1)
		call := func(opts ...socketio.EmitOption) {
			go func() {
				replies, err := f.Servers[0].Call(soon(t), "ask", nil, opts...)
				results <- result{replies, err}
			}()
		}
		replied := func(r result) (sids []string) {
			for _, reply := range r.replies {
				require.Equal(t, socketio.Args{reply.SID}, reply.Args())
				sids = append(sids, reply.SID)
			}
			return sorted(sids...)
		}
		answer := func(p *siotest.Peer) { p.Send(`3` + p.WantAckEvent(`["ask"]`) + `["` + p.SID + `"]`) }

		call(socketio.Skip(peers[1].SID))
		for _, i := range []int{0, 2, 3} {
			answer(peers[i])
		}
		got := <-results
		require.NoError(t, got.err)
		require.Equal(t, sorted(peers[0].SID, peers[2].SID, peers[3].SID), replied(got))
		peers[1].Quiet()

		// One leaves, one is not asked because it came too late.
		call()
		id := ""
		for _, p := range peers {
			id = p.WantAckEvent(`["ask"]`)
			if p != peers[2] {
				p.Send(`3` + id + `["` + p.SID + `"]`)
			}
		}
		peers[2].Send("41")
		got = <-results
		require.ErrorIs(t, got.err, socketio.ErrClosed)
		var missing *socketio.CallError
		require.ErrorAs(t, got.err, &missing)
		require.Equal(t, []string{peers[2].SID}, missing.Missing)
		require.Len(t, got.replies, 3)

		// A room with nobody, and rooms on one server only.
		call(socketio.To("nobody", "none"))
		require.Equal(t, result{}, <-results)
		require.NoError(t, f.Servers[1].JoinRoom(peers[1].SID, "r"))
		call(socketio.To("r"))
		answer(peers[1])
		got = <-results
		require.NoError(t, got.err)
		require.Equal(t, []string{peers[1].SID}, replied(got))

		// A server does not say whom it has.
		dead.Store(true)
		call()
		synctest.Wait()
		time.Sleep(6 * time.Second)
		for _, i := range []int{0, 1, 3} {
			answer(peers[i])
		}
		got = <-results
		wantMissing(t, got.err, context.DeadlineExceeded, f.Servers[2])
		require.ErrorAs(t, got.err, &missing)
		require.Empty(t, missing.Missing)
		require.Equal(t, sorted(peers[0].SID, peers[1].SID, peers[3].SID), replied(got))
		for _, srv := range f.Servers {
			require.Zero(t, srv.RemoteQuestions())
		}
	})
}
