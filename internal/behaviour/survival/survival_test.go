package survival_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// A client whose server is killed has its session id, rooms, values and everything that it has missed,
// whoever emitted it and to whom; and so once more when the next server is killed.
func TestKill(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		f := newFleet(t, 3, 10_000)
		a, b, third := f.Servers[0], f.Servers[1], f.Servers[2]
		c := siotest.NewReturner(t, a, mode).Connect()
		sid, pid := c.SID, c.PID
		require.NoError(t, a.Emit("e", 1))
		require.NoError(t, b.Emit("e", 2))
		c.Want(`["e",1]`, `["e",2]`)
		require.NoError(t, a.JoinRoom(sid, "more"))
		require.NoError(t, a.LeaveRoom(sid, "r"))
		synctest.Wait()
		n := 2
		emit := func(srv *socketio.Server, opts ...socketio.EmitOption) {
			n++
			require.NoError(t, srv.Emit("e", n, opts...))
			synctest.Wait()
		}
		emit(a, socketio.To("more"))       // 3
		emit(a, socketio.To(sid))          // 4
		emit(a, socketio.To(sid, "other")) // 5
		emit(a, socketio.Local())          // 6
		emit(third, socketio.To("more"))   // 7
		require.NoError(t, a.Socket(sid).Emit("e", []byte{8}))
		require.NoError(t, a.Emit("no", nil, socketio.To("r")))
		require.NoError(t, a.Emit("no", nil, socketio.Skip(sid)))
		require.NoError(t, third.Emit("no", nil, socketio.Except("more")))
		require.NoError(t, a.Emit("no", nil, socketio.Volatile()))
		require.NoError(t, a.Emit("ask", 9, socketio.To(sid), socketio.OnAck(func(*socketio.Context) {})))
		f.kill(0, c) // it has looked at nothing
		require.NoError(t, third.Emit("e", 10))
		require.NoError(t, third.Emit("no", nil, socketio.To("r")))
		require.NoError(t, third.JoinRoom(sid, "late"))
		synctest.Wait()
		require.NoError(t, b.Emit("e", 11, socketio.To("late")))
		f.rec.Take()
		c.To(b).Connect()
		require.True(t, c.Recovered)
		require.Equal(t, []string{sid, pid}, []string{c.SID, c.PID})
		f.rec.Want(t, "b: connect true [late more]")
		c.Want(`["e",3]`, `["e",4]`, `["e",5]`, `["e",6]`, `["e",7]`, `["e",{"_placeholder":true,"num":0}] b:`+"\x08",
			`?["ask",9]`, `["e",10]`, `["e",11]`)
		began, _ := socketio.SessionValue[string](b.Socket(sid).Session(), "began")
		require.Equal(t, "a", began)

		c.Send(`2["reply",12]`)
		synctest.Wait()
		require.NoError(t, third.Emit("e", 13, socketio.To(sid)))
		c.Want(`["replied",12]`, `["e",13]`)
		require.NoError(t, b.Emit("e", 14))
		f.kill(1, c)
		require.NoError(t, third.Emit("e", 15))
		c.To(third).Connect()
		require.True(t, c.Recovered)
		c.Want(`["e",14]`, `["e",15]`)
		require.NoError(t, third.Emit("e", 16))
		c.Want(`["e",16]`)
		f.Service.Restore(f.Brokers[0])
		f.Service.Restore(f.Brokers[1])
	})
}

// What only the killed server knew is lost, and nothing comes twice: a client has had it or not.
func TestNotPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, 10_000)
		a, b := f.Servers[0], f.Servers[1]
		c, other := siotest.NewReturner(t, a, eiotest.WebSocket).Connect(), siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		require.NoError(t, b.Emit("e", 1))
		synctest.Wait()
		require.NoError(t, a.Emit("e", 2))
		c.Want(`["e",1]`, `["e",2]`)
		synctest.Wait()
		f.Service.Cut(f.Brokers[0])
		require.NoError(t, b.Emit("e", 3)) // a does not hear it any more
		require.NoError(t, a.Emit("lost", nil))
		c.Want(`["lost"]`)
		c.Drop()
		other.Drop()
		require.NoError(t, b.Emit("e", 4))
		c.To(b).Connect()
		other.To(b).Connect()
		require.True(t, c.Recovered)
		require.True(t, other.Recovered)
		c.Want(`["e",3]`, `["e",4]`)
		other.Want(`["e",1]`, `["e",2]`, `["e",3]`, `["e",4]`)
		f.Service.Restore(f.Brokers[0])
	})
}

// A client that comes back at once gets its session, too. A client that has received nothing gets every event.
func TestClientThatIsBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, 10_000)
		c := siotest.NewReturner(t, f.Servers[0], eiotest.WebSocket).Connect()
		f.kill(0, c)
		require.NoError(t, f.Servers[1].Emit("e", 1, socketio.To("r")))
		c.To(f.Servers[1]).Connect()
		require.True(t, c.Recovered)
		c.Want(`["e",1]`)
		f.Service.Restore(f.Brokers[0])
	})
}

// A session that waits long, and whose client is quiet, is still there.
func TestLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, 10_000)
		a, b := f.Servers[0], f.Servers[1]
		c := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		for i := range 10 {
			require.NoError(t, a.Emit("e", i))
			c.Want(fmt.Sprintf(`["e",%d]`, i))
			time.Sleep(time.Minute)
		}
		time.Sleep(10 * time.Minute) // longer than the window and any record
		require.NoError(t, b.Emit("e", 10))
		f.kill(0, c)
		time.Sleep(time.Minute)
		require.NoError(t, b.Emit("e", 11))
		c.To(b).Connect()
		require.True(t, c.Recovered)
		c.Want(`["e",10]`, `["e",11]`)
		f.Service.Restore(f.Brokers[0])
	})
}

// A session that ended in good order, or too long ago, is not restored.
func TestSessionsThatHaveEndedAreNotRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, 10_000)
		a, b := f.Servers[0], f.Servers[1]
		left, made, long := siotest.NewReturner(t, a, eiotest.WebSocket).Connect(), siotest.NewReturner(t, a, eiotest.WebSocket).Connect(), siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		left.Send("1")
		a.Socket(made.SID).Disconnect()
		synctest.Wait()
		require.Len(t, f.Service.RecordValues(), 1)
		f.kill(0, left, made, long)
		time.Sleep(5 * time.Minute)
		for _, c := range []*siotest.Returner{left, made, long} {
			pid := c.PID
			c.To(b).Connect()
			require.False(t, c.Recovered)
			require.NotEqual(t, pid, c.PID)
		}
		f.Service.Restore(f.Brokers[0])
	})
}

// What the history does not have any more is not left out: the client is a new one.
func TestGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, 10_000)
		c := siotest.NewReturner(t, f.Servers[0], eiotest.WebSocket).Connect()
		f.kill(0, c)
		require.NoError(t, f.Servers[1].Emit("e", 1))
		synctest.Wait()
		f.Service.Forget()
		require.NoError(t, f.Servers[1].Emit("e", 2))
		c.To(f.Servers[1]).Connect()
		require.False(t, c.Recovered)
		require.EqualValues(t, 1, f.Servers[1].Stats().Recovery.NotRecovered["unknown"])
		f.Service.Restore(f.Brokers[0])
	})
}

// Events of a server whose clients cannot come back have no id, and are the same event on every server all the same.
func TestEventsWithoutID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, 10_000)
		a, b, c := f.Servers[0], f.Servers[1], f.Servers[2]
		off := f.Add(nil)
		r := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		require.NoError(t, off.Emit("e", 1))
		require.NoError(t, off.Emit("e", 2, socketio.To("r")))
		r.Want(`["e",1]`, `["e",2]`)
		require.NoError(t, off.Emit("e", 3))
		f.kill(0, r) // it has not looked at the last one
		require.NoError(t, off.Emit("e", 4))
		r.To(b).Connect()
		require.True(t, r.Recovered)
		r.Want(`["e",3]`, `["e",4]`)
		r.Drop()
		require.NoError(t, off.Emit("e", 5))
		r.To(c).Connect() // it moves
		require.True(t, r.Recovered)
		r.Want(`["e",5]`)
		f.kill(2, r)
		require.NoError(t, off.Emit("e", 6))
		r.To(b).Connect()
		require.True(t, r.Recovered)
		r.Want(`["e",6]`)
		f.Service.Restore(f.Brokers[0])
		f.Service.Restore(f.Brokers[2])
	})
}

// Without a history the client is told that it is a new one.
func TestWithoutHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, 0)
		c := siotest.NewReturner(t, f.Servers[0], eiotest.WebSocket).Connect()
		f.kill(0, c)
		c.To(f.Servers[1]).Connect()
		require.False(t, c.Recovered)
		f.Service.Restore(f.Brokers[0])
	})
}

// Of two that come with one private id to two servers, one has the session in the end: neither server waits for
// the other, and the record of one that restores a session and gives it away is no reason to end it.
func TestTwoArrivals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, 10_000)
		c := siotest.NewReturner(t, f.Servers[0], eiotest.WebSocket).Connect()
		twin := siotest.NewReturner(t, f.Servers[2], eiotest.WebSocket)
		twin.PID = c.PID
		sid := c.SID
		f.kill(0, c)
		c.To(f.Servers[1]).Dial()
		twin.Dial()
		c.SendConnect()
		twin.SendConnect()
		time.Sleep(time.Minute) // the first server has to be given up
		synctest.Wait()
		n := 0
		for _, srv := range f.Servers[1:] {
			if srv.Socket(sid).Connected() {
				n++
			}
		}
		require.Equal(t, 1, n)
		f.Service.Restore(f.Brokers[0])
	})
}

// A server that was thought to be dead hears that it has lost the session.
func TestOldServerLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, 10_000)
		a, b := f.Servers[0], f.Servers[1]
		c := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		synctest.Wait()
		f.Service.Cut(f.Brokers[0])
		half := c.Leave() // a believes the client to be there
		c.To(b).Connect()
		require.True(t, c.Recovered)
		require.True(t, a.Socket(c.SID).Connected())
		f.Service.Restore(f.Brokers[0])
		time.Sleep(20 * time.Second)
		require.Nil(t, a.Socket(c.SID))
		require.True(t, b.Socket(c.SID).Connected())
		half.Abort()
		require.NoError(t, a.Emit("e", 1))
		c.Want(`["e",1]`)
	})
}

// A server that shuts down without another one leaves its sessions in the broker's store, as its handlers have left them. The
// server that is started next goes on with them.
func TestOrderlyRestart(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		f := newFleet(t, 1, 10_000)
		a := f.Servers[0]
		var hooks siotest.Record
		a.AddHooks(socketio.Hooks{
			Moved:   func(*socketio.Socket) { hooks.Add("moved") },
			Expired: func(_ *socketio.Socket, why socketio.Expiry) { hooks.Add("expired %s", why) },
		})
		a.On("disconnect", func(c *socketio.Context, _ socketio.Reason) error {
			time.Sleep(2 * time.Second)
			c.Session().Set("left", "in order")
			return a.Emit("left", nil, socketio.To("r"))
		})
		c := siotest.NewReturner(t, a, mode).Connect()
		sid, pid := c.SID, c.PID
		require.NoError(t, a.Emit("e", 1))
		c.Want(`["e",1]`)
		require.NoError(t, a.JoinRoom(sid, "more"))
		require.NoError(t, a.Emit("e", 2)) // it does not look at this one
		require.NoError(t, a.Shutdown(t.Context()))
		hooks.Want(t, "moved")
		c.Drop()
		require.NoError(t, f.Emitter(nil).Emit("e", 3, socketio.To("more")))
		f.rec.Take()
		b := f.add(new(socketio.Options))
		c.To(b).Connect()
		require.True(t, c.Recovered)
		require.Equal(t, []string{sid, pid}, []string{c.SID, c.PID})
		f.rec.Want(t, "b: connect true [more r]")
		c.Want(`["e",2]`, `["left"]`, `["e",3]`)
		left, _ := socketio.SessionValue[string](b.Socket(sid).Session(), "left")
		require.Equal(t, "in order", left)
		require.NoError(t, b.Emit("e", 4))
		c.Want(`["e",4]`)
	})
}
