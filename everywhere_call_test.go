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
)

// Clients of all servers answer a Call.
func TestClusterCallEverywhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFleet(t, 2, nil)
		var dead atomic.Bool
		f.lossy(func([]byte) bool { return dead.Load() })
		f.add(nil)
		var peers []*peer
		for i := range 4 {
			peers = append(peers, join(t, f.servers[i%3], eiotest.WebSocket))
		}
		type result struct {
			replies []socketio.Reply
			err     error
		}
		results := make(chan result, 1)
		call := func(opts ...socketio.EmitOption) {
			go func() {
				replies, err := f.servers[0].Call(soon(t), "ask", nil, opts...)
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
		answer := func(p *peer) { p.send(`3` + p.wantAckEvent(`["ask"]`) + `["` + p.sid + `"]`) }

		call(socketio.Skip(peers[1].sid))
		for _, i := range []int{0, 2, 3} {
			answer(peers[i])
		}
		got := <-results
		require.NoError(t, got.err)
		require.Equal(t, sorted(peers[0].sid, peers[2].sid, peers[3].sid), replied(got))
		peers[1].quiet()

		// One leaves, one is not asked because it came too late.
		call()
		id := ""
		for _, p := range peers {
			id = p.wantAckEvent(`["ask"]`)
			if p != peers[2] {
				p.send(`3` + id + `["` + p.sid + `"]`)
			}
		}
		peers[2].send("41")
		got = <-results
		require.ErrorIs(t, got.err, socketio.ErrClosed)
		var missing *socketio.CallError
		require.ErrorAs(t, got.err, &missing)
		require.Equal(t, []string{peers[2].sid}, missing.Missing)
		require.Len(t, got.replies, 3)

		// A room with nobody, and rooms on one server only.
		call(socketio.To("nobody", "none"))
		require.Equal(t, result{}, <-results)
		require.NoError(t, f.servers[1].JoinRoom(peers[1].sid, "r"))
		call(socketio.To("r"))
		answer(peers[1])
		got = <-results
		require.NoError(t, got.err)
		require.Equal(t, []string{peers[1].sid}, replied(got))

		// A server does not say whom it has.
		dead.Store(true)
		call()
		synctest.Wait()
		time.Sleep(6 * time.Second)
		for _, i := range []int{0, 1, 3} {
			answer(peers[i])
		}
		got = <-results
		wantMissing(t, got.err, context.DeadlineExceeded, f.servers[2])
		require.ErrorAs(t, got.err, &missing)
		require.Empty(t, missing.Missing)
		require.Equal(t, sorted(peers[0].sid, peers[1].sid, peers[3].sid), replied(got))
		for _, srv := range f.servers {
			require.Zero(t, srv.RemoteQuestions())
		}
	})
}
