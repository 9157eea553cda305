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

// callResult is the result of a Call.
type callResult struct {
	replies []socketio.Reply
	err     error
}

// callFrom begins a Call of the event "ask".
func callFrom(t *testing.T, srv *socketio.Server, opts ...socketio.EmitOption) <-chan callResult {
	results := make(chan callResult, 1)
	go func() {
		replies, err := srv.Call(soon(t), "ask", nil, opts...)
		results <- callResult{replies, err}
	}()
	return results
}

// replied returns the session ids of the clients that have answered with their session ids.
func (r callResult) replied(t *testing.T) (sids []string) {
	for _, reply := range r.replies {
		require.Equal(t, socketio.Args{reply.SID}, reply.Args())
		sids = append(sids, reply.SID)
	}
	return sorted(sids...)
}

// answerWithSID answers the event "ask".
func answerWithSID(p *siotest.Peer) {
	p.Send(`3` + p.WantAckEvent(`["ask"]`) + `["` + p.SID + `"]`)
}

// joinAll connects four clients to the servers of a fleet in turn.
func joinAll(t *testing.T, f *siotest.Fleet) (peers []*siotest.Peer) {
	for i := range 4 {
		peers = append(peers, siotest.Join(t, f.Servers[i%len(f.Servers)], eiotest.WebSocket))
	}
	return peers
}

// Clients of all servers answer a Call.
func TestClusterCallEverywhere(t *testing.T) {
	siotest.InFleet(t, 3, func(t *testing.T, f *siotest.Fleet) {
		peers := joinAll(t, f)
		result := callFrom(t, f.Servers[0], socketio.Skip(peers[1].SID))
		for _, i := range []int{0, 2, 3} {
			answerWithSID(peers[i])
		}
		got := <-result
		require.NoError(t, got.err)
		require.Equal(t, sorted(peers[0].SID, peers[2].SID, peers[3].SID), got.replied(t))
		peers[1].Quiet()

		// One leaves, one is not asked because it came too late.
		result = callFrom(t, f.Servers[0])
		id := ""
		for _, p := range peers {
			id = p.WantAckEvent(`["ask"]`)
			if p != peers[2] {
				p.Send(`3` + id + `["` + p.SID + `"]`)
			}
		}
		peers[2].Send("41")
		got = <-result
		require.ErrorIs(t, got.err, socketio.ErrClosed)
		var missing *socketio.CallError
		require.ErrorAs(t, got.err, &missing)
		require.Equal(t, []string{peers[2].SID}, missing.Missing)
		require.Len(t, got.replies, 3)

		// A room with nobody, and rooms on one server only.
		result = callFrom(t, f.Servers[0], socketio.To("nobody", "none"))
		require.Equal(t, callResult{}, <-result)
		require.NoError(t, f.Servers[1].JoinRoom(peers[1].SID, "r"))
		result = callFrom(t, f.Servers[0], socketio.To("r"))
		answerWithSID(peers[1])
		got = <-result
		require.NoError(t, got.err)
		require.Equal(t, []string{peers[1].SID}, got.replied(t))
		for _, srv := range f.Servers {
			require.Zero(t, srv.RemoteQuestions())
		}
	})
}

// A Call has the answers of the others if a server does not say which clients it has.
func TestClusterCallSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 2, nil)
		var dead atomic.Bool
		lossy(f, func([]byte) bool { return dead.Load() })
		f.Add(nil)
		peers := joinAll(t, f)
		dead.Store(true)
		result := callFrom(t, f.Servers[0])
		synctest.Wait()
		time.Sleep(6 * time.Second)
		for _, i := range []int{0, 1, 3} {
			answerWithSID(peers[i])
		}
		got := <-result
		wantMissing(t, got.err, context.DeadlineExceeded, f.Servers[2])
		var missing *socketio.CallError
		require.ErrorAs(t, got.err, &missing)
		require.Empty(t, missing.Missing)
		require.Equal(t, sorted(peers[0].SID, peers[1].SID, peers[3].SID), got.replied(t))
		for _, srv := range f.Servers {
			require.Zero(t, srv.RemoteQuestions())
		}
	})
}
