package moves_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// A server that shuts down loses nobody: clients come back to another server in their sessions, those that
// were away already, those that are back while it hands over, and those that are back when it has gone.
func TestShutdownHandsOver(t *testing.T) {
	for _, mode := range []eiotest.Mode{eiotest.WebSocket, eiotest.Polling} {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var logs siotest.Logs
				f := newFleet(t, 3, &socketio.Options{Logger: siotest.Logger(&logs)})
				a, b, third := f.Servers[0], f.Servers[1], f.Servers[2]
				const n = 30
				var clients []*siotest.Returner
				for i := range n {
					c := siotest.NewReturner(t, a, mode).Connect()
					clients = append(clients, c)
					require.NoError(t, a.JoinRoom(c.SID, fmt.Sprint("room", i)))
				}
				require.NoError(t, a.Emit("e", 1))
				synctest.Wait()
				for _, c := range clients[:n/2] {
					c.Want(`["e",1]`)
				}
				away := clients[:n/3]
				for _, c := range away {
					c.Drop()
				}
				require.NoError(t, b.Emit("e", 2))
				synctest.Wait()
				f.rec.Take()
				ended := siotest.BeginShutdown(t.Context(), a)
				synctest.Wait()
				for i, c := range clients { // some while it goes
					if i%5 == 0 {
						c.Drop()
						c.To(f.Servers[1+i%2]).Connect()
						require.True(t, c.Recovered)
					}
				}
				require.NoError(t, <-ended)
				require.NoError(t, third.Emit("e", 3))
				synctest.Wait()
				require.NoError(t, b.Emit("e", 4, socketio.To("r")))
				synctest.Wait()
				for i, c := range clients {
					if i%5 != 0 {
						sid := c.SID
						c.Drop()
						c.To(f.Servers[1+i%2]).Connect()
						require.True(t, c.Recovered, i)
						require.Equal(t, sid, c.SID)
					}
					require.NoError(t, b.Emit("yours", i, socketio.To(fmt.Sprint("room", i))))
					want := []string{`["e",1]`, `["e",2]`, `["e",3]`, `["e",4]`, fmt.Sprintf(`["yours",%d]`, i)}
					if i < n/2 {
						want = want[1:]
					}
					c.Want(want...)
				}
				require.Empty(t, b.Stats().Recovery.NotRecovered["unknown"])
				require.EqualValues(t, n, a.Stats().Recovery.MovedOut)
				require.Zero(t, a.Stats().Recovery.Expired[socketio.ExpiredShutdown])
				require.NotContains(t, logs.String(), "end with this server")
			})
		})
	}
}

// Servers replaced one after the other: everybody stays in the session that they began with.
func TestRollingRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, nil)
		c := siotest.NewReturner(t, f.Servers[0], eiotest.WebSocket).Connect()
		away := siotest.NewReturner(t, f.Servers[1], eiotest.WebSocket).Connect()
		away.Drop()
		sid := c.SID
		for i := range 4 {
			f.add(&socketio.Options{Recovery: &socketio.Recovery{}})
			require.NoError(t, f.Servers[i].Emit("e", i))
			synctest.Wait()
			require.NoError(t, f.Servers[i].Shutdown(t.Context()))
			c.Drop()
			c.To(f.Servers[i+2]).Connect()
			require.True(t, c.Recovered, i)
			require.Equal(t, sid, c.SID)
			c.Want(fmt.Sprintf(`["e",%d]`, i))
		}
		away.To(f.Servers[5]).Connect()
		require.True(t, away.Recovered)
		away.Want(`["e",0]`, `["e",1]`, `["e",2]`, `["e",3]`)
	})
}

// Without another server that takes them the sessions end, which OnExpired and the log report. Close moves
// none. Sessions that had moved before are not among them.
func TestShutdownAlone(t *testing.T) {
	for want, end := range map[string]func(*socketio.Server) error{
		"no other server has taken them": func(srv *socketio.Server) error { return srv.Shutdown(context.Background()) },
		"Close moves none to other":      (*socketio.Server).Close,
	} {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var logs siotest.Logs
				f := newFleet(t, 2, &socketio.Options{Logger: siotest.Logger(&logs)})
				f.Add(nil) // it does not keep sessions
				moved := siotest.NewReturner(t, f.Servers[0], eiotest.WebSocket).Connect()
				moved.Drop()
				moved.To(f.Servers[1]).Connect()
				require.True(t, moved.Recovered)
				require.NoError(t, f.Servers[1].Disconnect(moved.SID))
				synctest.Wait()
				require.NoError(t, f.Servers[1].Shutdown(t.Context()))
				require.NotContains(t, logs.String(), "end with this server")
				c := siotest.NewReturner(t, f.Servers[0], eiotest.WebSocket).Connect()
				c.Drop()
				f.rec.Take()
				require.NoError(t, end(f.Servers[0]))
				synctest.Wait()
				f.rec.Want(t, "a: expired server shutdown")
				require.Regexp(t, `end with this server: .*`+want+`.*sessions=1\n`, logs.String())
			})
		})
	}
}

// The hand-over ends with the context of Shutdown, and with a server that does not answer.
func TestShutdownBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, nil)
		a := f.Servers[0]
		block := make(chan struct{})
		a.On("disconnect", func(c *socketio.Context, why socketio.Reason) { <-block })
		c := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		c.Drop()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		require.ErrorIs(t, a.Shutdown(ctx), context.DeadlineExceeded)
		require.LessOrEqual(t, time.Since(begin), 10*time.Second)
		close(block)
		synctest.Wait()
		c.To(f.Servers[1]).Connect()
		require.False(t, c.Recovered)
	})
}

// A session whose disconnect handler takes longer than a server waits that takes over all sessions is handed over, too. So is that
// of a client that is back at the other server meanwhile.
func TestShutdownWithLateHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, nil)
		a := f.Servers[0]
		a.On("disconnect", func(*socketio.Context, socketio.Reason) { time.Sleep(25 * time.Second) })
		var clients []*siotest.Returner
		for range 4 {
			clients = append(clients, siotest.NewReturner(t, a, eiotest.WebSocket).Connect())
		}
		require.NoError(t, a.Emit("e", 1))
		synctest.Wait()
		ended := siotest.BeginShutdown(t.Context(), a)
		time.Sleep(15 * time.Second)
		for i, c := range clients[:2] {
			c.Drop()
			c.To(f.Servers[1+i]).Dial()
			c.SendConnect()
		}
		require.NoError(t, <-ended)
		for i, c := range clients {
			if i < 2 {
				c.Answered()
			} else {
				c.Drop()
				c.To(f.Servers[1]).Connect()
			}
			require.True(t, c.Recovered, i)
			c.Want(`["e",1]`)
		}
	})
}

// A server that shuts down while a session is on its way to it hands that over as well.
func TestShutdownDuringTheMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, nil)
		c, release := underWay(t, f)
		ended := siotest.BeginShutdown(t.Context(), f.Servers[1])
		synctest.Wait()
		release()
		require.NoError(t, <-ended)
		require.NoError(t, f.Servers[0].Emit("later", nil))
		synctest.Wait()
		c.Drop()
		c.To(f.Servers[2]).Connect()
		require.True(t, c.Recovered)
		c.Want(`["before"]`, `["later"]`)
	})
}
