package fleet_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// called is what came of a Call.
type called struct {
	replies []socketio.Reply
	err     error
}

// call calls clients of all servers, without a time limit.
func call(t *testing.T, srv *socketio.Server, opts ...socketio.EmitOption) <-chan called {
	result := make(chan called, 1)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() {
		replies, err := srv.Call(ctx, "ask", nil, opts...)
		result <- called{replies, err}
	}()
	return result
}

// ended waits for the end of a call that has no time limit of its own.
func ended(t *testing.T, result <-chan called, within time.Duration) called {
	t.Helper()
	select {
	case c := <-result:
		return c
	case <-time.After(within):
		require.FailNow(t, "the Call waits for ever")
	}
	return called{}
}

// answer makes a client acknowledge what it is asked.
func answer(p *siotest.Peer) { p.Send("3" + p.WantAckEvent(`["ask"]`) + `["` + p.SID + `"]`) }

// wantMissing expects the error of a Call that clients did not answer.
func wantMissing(t *testing.T, c called, is error, why string, missing ...*siotest.Peer) {
	t.Helper()
	var failed *socketio.CallError
	require.ErrorAs(t, c.err, &failed)
	var want []string
	for _, p := range missing {
		want = append(want, p.SID)
	}
	require.ElementsMatch(t, want, failed.Missing)
	if is != nil {
		require.ErrorIs(t, c.err, is)
	}
	require.ErrorContains(t, c.err, why)
}

// A client that leaves between the choice and the question is missing: Call does not wait for it,
// and reports it. One that comes meanwhile is not asked.
func TestCallToAClientThatLeavesMeanwhile(t *testing.T) {
	for _, everyone := range []bool{false, true} {
		t.Run(fmt.Sprint("everyone ", everyone), func(t *testing.T) {
			siotest.InFleet(t, 1, func(t *testing.T, f *siotest.Fleet) {
				remote, l := linked(f, nil)
				stays, leaves, late := siotest.Join(t, remote, eiotest.WebSocket), siotest.Join(t, remote, eiotest.WebSocket), siotest.Join(t, remote, eiotest.WebSocket)
				for _, p := range []*siotest.Peer{stays, leaves} {
					require.NoError(t, remote.JoinRoom(p.SID, "r"))
				}
				time.Sleep(3 * time.Second)
				var meanwhile sync.Once
				l.losing(func(channel string, data []byte) bool {
					if is("answer", channel, data) {
						meanwhile.Do(func() {
							require.NoError(t, remote.Disconnect(leaves.SID))
							require.NoError(t, remote.JoinRoom(late.SID, "r"))
						})
					}
					return false
				})
				var opts []socketio.EmitOption
				if !everyone {
					opts = append(opts, socketio.To("r"))
				}
				result := call(t, f.Servers[0], opts...)
				answer(stays)
				if everyone {
					answer(late)
				}
				c := ended(t, result, time.Minute)
				wantMissing(t, c, socketio.ErrClosed, "another server", leaves)
				leaves.Want("1")
				late.Quiet()
			})
		})
	}
}

// Everybody whom one server has may be gone when the question comes.
func TestCallWhenAllHaveLeft(t *testing.T) {
	for name, to := range map[string]func(sid string) []socketio.EmitOption{
		"everyone":   func(string) []socketio.EmitOption { return nil },
		"one client": func(sid string) []socketio.EmitOption { return []socketio.EmitOption{socketio.To(sid)} },
	} {
		t.Run(name, func(t *testing.T) {
			siotest.InFleet(t, 1, func(t *testing.T, f *siotest.Fleet) {
				remote, l := linked(f, nil)
				p := siotest.Join(t, remote, eiotest.WebSocket)
				time.Sleep(3 * time.Second)
				l.losing(func(channel string, data []byte) bool {
					if is("answer", channel, data) {
						require.NoError(t, remote.Disconnect(p.SID))
					}
					return false
				})
				wantMissing(t, ended(t, call(t, f.Servers[0], to(p.SID)...), time.Minute), socketio.ErrClosed, "another server", p)
			})
		})
	}
}

// outage is something that happens while clients of another server are asked.
type outage struct {
	name string
	do   func(f *siotest.Fleet, local, remote *link)
	is   error         // what the Call returns
	why  string        // a part of its text
	in   time.Duration // how long it may take
}

var outages = []outage{
	{"the broker stops", func(f *siotest.Fleet, local, remote *link) { f.Service.Stop() }, socketio.ErrBrokerUnavailable, "", 0},
	{"this server is interrupted", func(f *siotest.Fleet, local, remote *link) { local.interrupt(false) }, socketio.ErrBrokerUnavailable, "", 0},
	{"the other server is interrupted", func(f *siotest.Fleet, local, remote *link) { remote.interrupt(false) }, nil, "lost its connection", 10 * time.Second},
	{"the other server is cut off", func(f *siotest.Fleet, local, remote *link) { remote.interrupt(true); remote.breakPublishing(true) }, nil, "no sign of life", 20 * time.Second},
	{"the other server crashes", func(f *siotest.Fleet, local, remote *link) { remote.vanish() }, nil, "no sign of life", 20 * time.Second},
	{"the other server shuts down", func(f *siotest.Fleet, local, remote *link) { go f.Servers[1].Close() }, socketio.ErrClosed, "", time.Minute},
}

// eachOutage runs a test of two servers, whose connections fail, and a third one.
func eachOutage(t *testing.T, test func(t *testing.T, f *siotest.Fleet, do func(), o outage)) {
	for _, o := range outages {
		t.Run(o.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := siotest.NewFleet(t, 0, nil)
				_, local := linked(f, nil)
				_, remote := linked(f, nil)
				f.Add(nil)
				time.Sleep(3 * time.Second)
				defer func() {
					f.Service.Start()
					local.breakPublishing(false)
					remote.breakPublishing(false)
					remote.losing(nil)
				}()
				test(t, f, func() { o.do(f, local, remote) }, o)
			})
		})
	}
}

// A Call ends when the answers cannot come any more: this server lost its connection, or that of
// the clients did, fell silent or shut down.
func TestCallEndsWithAnOutage(t *testing.T) {
	eachOutage(t, func(t *testing.T, f *siotest.Fleet, do func(), o outage) {
		var peers []*siotest.Peer
		for _, srv := range f.Servers {
			peers = append(peers, siotest.Join(t, srv, eiotest.WebSocket))
		}
		result := call(t, f.Servers[0])
		answer(peers[0])
		answer(peers[2])
		peers[1].WantAckEvent(`["ask"]`)
		synctest.Wait()
		start := time.Now()
		do()
		c := ended(t, result, time.Minute)
		wantMissing(t, c, o.is, o.why, peers[1])
		require.LessOrEqual(t, time.Since(start), o.in)
		require.Len(t, c.replies, 2)
	})
}

// So does a Call of one client.
func TestSocketCallEndsWithAnOutage(t *testing.T) {
	eachOutage(t, func(t *testing.T, f *siotest.Fleet, do func(), o outage) {
		asker, asked := siotest.Join(t, f.Servers[0], eiotest.WebSocket), siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		result := make(chan error, 1)
		go func() {
			_, err := f.Servers[0].Socket(asker.SID).Call(ctx, "ask", nil, socketio.To(asked.SID))
			result <- err
		}()
		asked.WantAckEvent(`["ask"]`)
		synctest.Wait()
		start := time.Now()
		do()
		select {
		case err := <-result:
			if o.is != nil {
				require.ErrorIs(t, err, o.is)
			}
			require.ErrorContains(t, err, o.why)
		case <-time.After(time.Minute):
			require.FailNow(t, "the Call waits for ever")
		}
		require.LessOrEqual(t, time.Since(start), o.in)
	})
}

// A question that reaches nobody, because the other server has no subscription for a moment, does
// not wait for ever.
func TestCallDuringAnInterruption(t *testing.T) {
	siotest.InFleet(t, 1, func(t *testing.T, f *siotest.Fleet) {
		remote, l := linked(f, nil)
		p := siotest.Join(t, remote, eiotest.WebSocket)
		time.Sleep(3 * time.Second)
		l.losing(func(channel string, data []byte) bool {
			if is("answer", channel, data) { // it says whom it has, and then hears nothing
				l.losing(nil)
				l.interrupt(false)
			}
			return false
		})
		// The answer may be counted as lost with the subscription, or the question is; either way
		// the Call ends.
		c := ended(t, call(t, f.Servers[0]), time.Minute)
		wantMissing(t, c, nil, "lost its connection", p)
		p.Quiet()
	})
}

// A Call that begins during an outage says so at once.
func TestCallDuringAnOutage(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		p := siotest.Join(t, f.Servers[0], eiotest.WebSocket)
		time.Sleep(3 * time.Second)
		f.Service.Stop()
		synctest.Wait()
		result := call(t, f.Servers[0])
		answer(p)
		start := time.Now()
		c := ended(t, result, time.Minute)
		require.ErrorIs(t, c.err, socketio.ErrBrokerUnavailable)
		require.Len(t, c.replies, 1)
		require.Zero(t, time.Since(start))
		f.Service.Start()
	})
}

// The clients of a server that fell silent are missing in a Call: it says so, and does not wait for
// them.
func TestCallAfterAServerFellSilent(t *testing.T) {
	siotest.InFleet(t, 1, func(t *testing.T, f *siotest.Fleet) {
		remote, l := linked(f, nil)
		asker := siotest.Join(t, f.Servers[0], eiotest.WebSocket)
		siotest.Join(t, remote, eiotest.WebSocket)
		time.Sleep(3 * time.Second)
		l.vanish()
		time.Sleep(30 * time.Second)
		start := time.Now()
		result := call(t, f.Servers[0])
		answer(asker)
		c := ended(t, result, time.Minute)
		var silent *socketio.ClusterError
		require.ErrorAs(t, c.err, &silent)
		require.Equal(t, remote.Cluster().Servers()[:1], silent.Missing)
		require.Len(t, c.replies, 1)
		require.Zero(t, time.Since(start))
		l.losing(nil)
	})
}

// A question that is dropped because publishing fails, although the subscription is in force, does
// not wait for ever.
func TestCallThatIsNotPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 0, nil)
		local, l := linked(f, nil)
		remote := f.Add(nil)
		p := siotest.Join(t, remote, eiotest.WebSocket)
		time.Sleep(3 * time.Second)
		l.failing(func(channel string) bool { return channel != serversChannel })
		c := ended(t, call(t, local, socketio.To(p.SID)), time.Minute)
		wantMissing(t, c, socketio.ErrBrokerUnavailable, "", p)
		l.failing(nil)
		time.Sleep(time.Minute)
		p.Quiet()
		result := call(t, local, socketio.To(p.SID))
		answer(p)
		require.NoError(t, ended(t, result, time.Minute).err)
	})
}

// A question that the broker never takes is asked of nobody: its clients are missing, and others
// are not.
func TestCallThatIsTooBig(t *testing.T) {
	siotest.InFleet(t, 1, func(t *testing.T, f *siotest.Fleet) {
		local, l := linked(f, nil)
		asker, asked := siotest.Join(t, local, eiotest.WebSocket), siotest.Join(t, f.Servers[0], eiotest.WebSocket)
		time.Sleep(3 * time.Second)
		l.mu.Lock()
		l.max = 1000
		l.mu.Unlock()
		small := call(t, local)
		answer(asker)
		result := make(chan called, 1)
		go func() {
			replies, err := local.Call(t.Context(), "ask", strings.Repeat("x", 1000), socketio.Skip(asker.SID))
			result <- called{replies, err}
		}()
		wantMissing(t, ended(t, result, time.Minute), broker.ErrTooBig, "", asked)
		answer(asked)
		require.NoError(t, ended(t, small, time.Minute).err)
	})
}

// A count that is asked for in the first minutes after a server was cut off says that it is
// missing; when the server is back, so are its clients.
func TestCountWithoutAServerThatIsCutOff(t *testing.T) {
	siotest.InFleet(t, 1, func(t *testing.T, f *siotest.Fleet) {
		remote, l := linked(f, nil)
		siotest.Join(t, f.Servers[0], eiotest.WebSocket)
		siotest.Join(t, remote, eiotest.WebSocket)
		time.Sleep(3 * time.Second)
		l.interrupt(true)
		l.breakPublishing(true)
		c := f.Servers[0].Cluster()
		for range 8 { // from the beginning on: first it is waited for
			time.Sleep(30 * time.Second)
			n, err := c.Count(t.Context())
			require.Equal(t, 1, n)
			var missing *socketio.ClusterError
			require.ErrorAs(t, err, &missing)
			require.Equal(t, remote.Cluster().Servers()[:1], missing.Missing)
			_, err = remote.Cluster().Count(t.Context())
			require.ErrorIs(t, err, socketio.ErrBrokerUnavailable)
		}
		l.mu.Lock()
		l.deaf, l.fail = false, nil
		l.mu.Unlock()
		time.Sleep(time.Minute)
		for _, srv := range f.Servers {
			n, err := srv.Cluster().Count(t.Context())
			require.NoError(t, err)
			require.Equal(t, 2, n)
		}
	})
}
