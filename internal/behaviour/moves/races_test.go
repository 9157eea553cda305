package moves_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// underWay brings a client of the first server of a fleet to where its session is on its way to the second
// one: the disconnect handler on the first has not returned until release is called.
func underWay(t *testing.T, f *fleet) (c *siotest.Returner, release func()) {
	t.Helper()
	block := make(chan struct{})
	a := f.Servers[0]
	a.On("disconnect", func(*socketio.Context, socketio.Reason) { <-block })
	c = siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
	require.NoError(t, a.Emit("before", nil))
	c.Drop()
	c.To(f.Servers[1]).Dial()
	c.SendConnect()
	synctest.Wait()
	require.Nil(t, a.Socket(c.SID))
	f.rec.Take()
	return c, func() {
		close(block)
		synctest.Wait()
	}
}

// What the old server has emitted to a client, and publishes only after the session has left, does not reach the client
// once more on the other server: whether the client has missed it, or has confirmed it before.
func TestEmitWhileTheSessionLeaves(t *testing.T) {
	for _, confirmed := range []bool{false, true} {
		for _, shutdown := range []bool{false, true} {
			t.Run(fmt.Sprint(confirmed, shutdown), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t, 2, nil)
					a, b := f.Servers[0], f.Servers[1]
					c := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
					block := make(chan struct{})
					a.AddHooks(socketio.Hooks{Emitted: func(e *socketio.Emission) {
						if e.Event == "blocked" {
							<-block
						}
					}})
					var emits sync.WaitGroup
					emit := func() {
						for i, to := range [][]socketio.EmitOption{nil, {socketio.To("r")}, {socketio.To(c.SID)}, {socketio.To("x", "r")}} {
							emits.Go(func() { require.NoError(t, a.Emit("blocked", i, to...)) })
						}
						synctest.Wait()
					}
					want := []string{`["blocked",0]`, `["blocked",1]`, `["blocked",2]`, `["blocked",3]`}
					if confirmed {
						emit()
						require.ElementsMatch(t, want, c.Received())
						want = nil
						const many = 300 // so many that the server asks the client what it has
						for i := range many {
							require.NoError(t, a.Emit("e", i))
						}
						require.Len(t, c.Received(), many)
						c.Drop()
					} else {
						c.Drop()
						emit()
					}
					var end sync.WaitGroup
					if shutdown {
						end.Go(func() { require.NoError(t, a.Shutdown(t.Context())) })
						synctest.Wait()
					}
					c.To(b).Dial()
					c.SendConnect()
					synctest.Wait()
					close(block)
					emits.Wait()
					c.Answered()
					require.True(t, c.Recovered)
					end.Wait()
					require.NoError(t, b.Emit("later", nil))
					require.ElementsMatch(t, append(want, `["later"]`), c.Received())
				})
			})
		}
	}
}

// A client that is cut while its session is under way finds it where it was going.
func TestConnectionCutDuringTheMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, nil)
		c, release := underWay(t, f)
		c.Drop()
		release()
		require.True(t, f.Servers[1].Socket(c.SID).Away())
		require.NoError(t, f.Servers[0].Emit("later", nil))
		synctest.Wait()
		c.To(f.Servers[2]).Connect()
		require.True(t, c.Recovered)
		c.Want(`["before"]`, `["later"]`)
		f.rec.Want(t, "c: connect true [r]")
	})
}

// Of two connections of one client on two servers the last one has the session in the end, and neither is
// left without an answer.
func TestTwoArrivals(t *testing.T) {
	for _, second := range []int{0, 1, 2} {
		t.Run(fmt.Sprint(second), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 3, nil)
				c, release := underWay(t, f)
				first := c.Client()
				c.Abandon()
				c.To(f.Servers[second]).Dial()
				c.SendConnect()
				synctest.Wait()
				require.NoError(t, f.Servers[0].Emit("later", nil))
				synctest.Wait()
				release()
				c.Answered()
				require.True(t, c.Recovered)
				c.Want(`["before"]`, `["later"]`)
				time.Sleep(time.Minute)
				first.Abort()
				require.NoError(t, f.Servers[0].Emit("last", nil))
				c.Want(`["last"]`)
				at := 0
				for _, srv := range f.Servers {
					if srv.Socket(c.SID).Connected() {
						at++
					}
				}
				require.Equal(t, 1, at)
			})
		})
	}
}

// When the server with the session ends while it hands it over, the client gets a new session.
func TestServerEndsDuringTheMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, nil)
		c, release := underWay(t, f)
		sid := c.SID
		require.NoError(t, f.Servers[0].Close())
		c.Answered()
		require.False(t, c.Recovered)
		require.NotEqual(t, sid, c.SID)
		require.EqualValues(t, 1, f.Servers[1].Stats().Recovery.NotRecovered["unknown"])
		release()
	})
}

// A client whose server is gone without a goodbye gets a new session as soon as that server should have given a
// sign of life, and the next one at once. One whose server takes its time with the session waits for it.
func TestServerVanishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, nil)
		a, b, third := f.Servers[0], f.Servers[1], f.Servers[2]
		time.Sleep(10 * time.Second)
		var clients []*siotest.Returner
		for range 3 {
			clients = append(clients, siotest.NewReturner(t, a, eiotest.WebSocket).Connect())
		}
		f.Service.Cut(f.Brokers[0]) // nothing that it publishes arrives, and it gets nothing
		for i, c := range clients {
			old := c.Leave()
			begin := time.Now()
			c.To([]*socketio.Server{b, b, third}[i]).Dial()
			c.SendConnect()
			c.Answered()
			require.False(t, c.Recovered)
			took := time.Since(begin)
			require.Equal(t, i == 1, took < 100*time.Millisecond, took)
			require.LessOrEqual(t, took, 2*time.Second)
			old.Abort()
		}
		f.Service.Restore(f.Brokers[0])

		f = newFleet(t, 2, nil)
		c, release := underWay(t, f)
		time.Sleep(20 * time.Second)
		release()
		c.Answered()
		require.True(t, c.Recovered)
		c.Want(`["before"]`)
	})
}

// When more is emitted meanwhile than can be kept, the session ends, and the client gets a new one.
func TestTooManyEventsDuringTheMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, &socketio.Options{Cluster: socketio.ClusterOptions{QueueLimit: 64 << 10}})
		c, release := underWay(t, f)
		for range 5 {
			require.NoError(t, f.Servers[0].Emit("big", strings.Repeat("x", 30<<10)))
			synctest.Wait()
		}
		release()
		c.Answered()
		require.False(t, c.Recovered)
		require.ElementsMatch(t, []string{"b: expired move", "b: connect false []"}, f.rec.Take())
		require.EqualValues(t, 1, f.Servers[1].Stats().Recovery.Expired[socketio.ExpiredMove])
	})
}

// A session that is disconnected while it is under way ends.
func TestDisconnectDuringTheMove(t *testing.T) {
	for name, disconnect := range map[string]func(f *fleet, sid string) error{
		"by sid": func(f *fleet, sid string) error { return f.Servers[0].Disconnect(sid) },
		"by room": func(f *fleet, sid string) error {
			_, err := f.Servers[0].Cluster().DisconnectRoom(f.T.Context(), "r")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 2, nil)
				c, release := underWay(t, f)
				require.NoError(t, disconnect(f, c.SID))
				release()
				c.Answered()
				require.False(t, c.Recovered)
			})
		})
	}
}

// The connect handler of the server to which the client comes back may refuse it. Its session ends.
func TestRefusedByTheOtherServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, nil)
		c := siotest.NewReturner(t, f.Servers[0], eiotest.WebSocket).Connect()
		f.Servers[1].On("connect", func(c *socketio.Context) error {
			require.True(t, c.Recovered())
			return &socketio.Error{Message: "not here"}
		})
		c.Drop()
		c.To(f.Servers[1]).Connect()
		require.JSONEq(t, `{"message":"not here"}`, c.Refused)
		c.Drop()
		f.rec.Take()
		c.To(f.Servers[0]).Connect()
		require.False(t, c.Recovered)
	})
}

// A private id that nobody knows, or that is another client's in another namespace, is a new session.
func TestForgedOnFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, nil)
		for _, srv := range f.Servers {
			srv.Namespace("/other").On("connect", func(*socketio.Context) error { return nil })
		}
		c := siotest.NewReturner(t, f.Servers[0], eiotest.WebSocket).Connect()
		secret, home, _ := strings.Cut(c.PID, ".")
		for _, pid := range []string{
			strings.Repeat("A", len(secret)) + "." + home, strings.Repeat("A", len(secret)),
			strings.Repeat("A", len(secret)) + "." + strings.Repeat("0", len(home)), secret[1:] + "." + home, "x." + home,
			strings.Repeat("A", len(secret)) + "." + strings.Repeat("x", 10_000),
		} {
			forger := siotest.NewReturner(t, f.Servers[1], eiotest.WebSocket)
			forger.PID, forger.Offset = pid, "x"
			forger.Connect()
			require.False(t, forger.Recovered)
			require.NotEqual(t, c.SID, forger.SID)
			require.True(t, f.Servers[0].Socket(c.SID).Connected())
			forger.Send("1")
		}
		thief := siotest.NewReturner(t, f.Servers[1], eiotest.WebSocket)
		thief.Namespace, thief.PID = "/other", c.PID
		thief.Connect()
		require.False(t, thief.Recovered)
	})
}

// Events of Flask-SocketIO's servers have no ids; they come once, too.
func TestFlaskServersDuringTheMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, nil)
		b := f.Service.Connect()
		defer b.Close()
		n := 0
		python := func() {
			n++
			require.NoError(t, b.Publish(t.Context(), "flask-socketio", fmt.Appendf(nil,
				`{"method": "emit", "event": "tick", "data": [%d], "binary": false, "namespace": "/", "room": "r", "skip_sid": null, "callback": null, "host_id": "f00d"}`, n)))
			synctest.Wait()
		}
		c, release := underWay(t, f)
		python()
		python()
		release()
		c.Answered()
		require.True(t, c.Recovered)
		python()
		c.Want(`["before"]`, `["tick",1]`, `["tick",2]`, `["tick",3]`)
		c.Drop()
		python()
		c.To(f.Servers[2]).Connect()
		require.True(t, c.Recovered)
		c.Want(`["tick",4]`)
	})
}
