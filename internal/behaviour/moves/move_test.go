package moves_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// A client that comes back to another server has its session id, rooms, values and everything that it
// has missed, whoever emitted it.
func TestMove(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		f := newFleet(t, 3, nil)
		a, b, third := f.Servers[0], f.Servers[1], f.Servers[2]
		c := siotest.NewReturner(t, a, mode).Connect()
		f.rec.Want(t, "a: connect false []")
		sid, pid := c.SID, c.PID
		require.NoError(t, a.Emit("e", 1))
		c.Want(`["e",1]`)
		require.NoError(t, a.Emit("e", 2)) // it arrives, but the client does not look at it
		c.Drop()                           // of polling, the server does not hear
		require.NoError(t, a.Emit("e", 3, socketio.To(sid)))
		require.NoError(t, b.Emit("e", 4, socketio.To("r")))
		synctest.Wait()
		require.NoError(t, third.Emit("e", []byte{5}))
		synctest.Wait()
		require.NoError(t, a.JoinRoom(sid, "more"))
		require.NoError(t, third.Emit("e", 6, socketio.To("more")))
		synctest.Wait()
		c.To(b).Connect()
		require.True(t, c.Recovered)
		require.Equal(t, []string{sid, pid}, []string{c.SID, c.PID})
		synctest.Wait()
		heard := f.rec.Take()
		for i := range heard { // a poll that is cut while it is answered is an error
			heard[i] = strings.Replace(heard[i], "transport error", "transport close", 1)
		}
		require.Equal(t, []string{"a: disconnect transport close true", "b: connect true [more r]"}, heard)
		c.Want(`["e",2]`, `["e",3]`, `["e",4]`, `["e",{"_placeholder":true,"num":0}] b:`+"\x05", `["e",6]`)
		s := b.Socket(sid)
		require.True(t, s.Connected())
		began, ok := socketio.SessionValue[string](s.Session(), "began")
		require.True(t, ok)
		require.Equal(t, "a", began)
		require.Nil(t, a.Socket(sid))
		for i, srv := range f.Servers {
			require.NoError(t, srv.Emit("to sid", i, socketio.To(sid)))
			require.NoError(t, srv.Emit("to room", i, socketio.To("r")))
			synctest.Wait()
		}
		c.Want(`["to sid",0]`, `["to room",0]`, `["to sid",1]`, `["to room",1]`, `["to sid",2]`, `["to room",2]`)

		for i := range 5 { // to and fro
			c.Drop()
			f.rec.Take()
			require.NoError(t, third.Emit("n", i))
			synctest.Wait()
			c.To(f.Servers[i%2]).Connect()
			require.True(t, c.Recovered)
			require.Equal(t, sid, c.SID)
			c.Want(`["n",` + string(rune('0'+i)) + `]`)
		}
		require.EqualValues(t, 3, a.Stats().Recovery.MovedIn)
		require.EqualValues(t, 3, a.Stats().Recovery.MovedOut)
	})
}

// Events, joins and leaves while the session moves have their effect in order, each once.
func TestEventsAndRoomsDuringTheMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, nil)
		a, b, third := f.Servers[0], f.Servers[1], f.Servers[2]
		emitter := f.Emitter(nil)
		block := make(chan struct{})
		a.On("disconnect", func(c *socketio.Context, why socketio.Reason) {
			<-block
			// Its own events come later than those of the others.
			require.NoError(t, c.Emit("from handler", nil))
			require.NoError(t, c.Emit("from handler", nil, socketio.To("x")))
		})
		c := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		require.NoError(t, a.Emit("before", 1))
		c.Drop()
		c.To(b).Dial()
		c.SendConnect()
		synctest.Wait() // the session has left a, where the disconnect handler runs
		require.Nil(t, a.Socket(c.SID))
		require.Nil(t, b.Socket(c.SID))
		sid := c.SID
		n := 0
		emit := func(srv *socketio.Server, opts ...socketio.EmitOption) {
			n++
			require.NoError(t, srv.Emit("e", n, opts...))
			synctest.Wait()
		}
		for _, srv := range f.Servers {
			emit(srv)
			emit(srv, socketio.To(sid))
			emit(srv, socketio.To("r", "other"))
			require.NoError(t, srv.Emit("no", nil, socketio.To("x")))
			require.NoError(t, srv.Emit("no", nil, socketio.Except("r")))
			require.NoError(t, srv.Emit("no", nil, socketio.To("r"), socketio.Skip(sid)))
			require.NoError(t, srv.Emit("no", nil, socketio.To("r"), socketio.Volatile()))
			require.NoError(t, srv.JoinRoom(sid, "x"))
			synctest.Wait()
			emit(srv, socketio.To("x"))
			require.NoError(t, srv.LeaveRoom(sid, "x"))
			synctest.Wait()
		}
		require.NoError(t, emitter.Emit("e", 13))
		require.NoError(t, emitter.JoinRoom(sid, "x"))
		synctest.Wait()
		require.NoError(t, third.CloseRoom("r"))
		synctest.Wait()
		require.NoError(t, a.Emit("no", nil, socketio.To("r")))
		_, err := third.Cluster().MoveRoom(t.Context(), "x", "y")
		require.NoError(t, err)
		emit(b, socketio.To("y"))
		require.NoError(t, b.JoinRoom(sid, "x"))
		synctest.Wait()
		close(block)
		synctest.Wait()
		c.Answered()
		require.True(t, c.Recovered)
		want := []string{`["before",1]`}
		for i := 1; i <= 12; i++ {
			want = append(want, fmt.Sprintf(`["e",%d]`, i))
		}
		c.Want(append(want, `["e",13]`, `["e",13]`, `["from handler"]`, `["from handler"]`)...)
		require.Equal(t, []string{sid, "x", "y"}, b.Rooms(sid))
	})
}

// A client that the server believes to be there, and that comes back to another one, is disconnected first.
func TestHalfOpen(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		f := newFleet(t, 2, nil)
		a, b := f.Servers[0], f.Servers[1]
		c := siotest.NewReturner(t, a, mode).Connect()
		f.rec.Take()
		require.NoError(t, a.Emit("e", 1))
		c.Want(`["e",1]`)
		old := c.Client()
		c.Abandon()
		require.NoError(t, a.Emit("e", 2))
		c.To(b).Connect()
		require.True(t, c.Recovered)
		f.rec.Want(t, "a: disconnect transport close true", "b: connect true [r]")
		require.NoError(t, a.Emit("e", 3))
		c.Want(`["e",2]`, `["e",3]`)
		synctest.Wait()
		old.Abort()
		require.Zero(t, a.Stats().WebSocket)
	})
}

// An acknowledgement that a server waits for comes from wherever the client is by then, and its deadline
// holds.
func TestAcknowledgements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, nil)
		a, b, third := f.Servers[0], f.Servers[1], f.Servers[2]
		c := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		for range 10 {
			third.Emit("more ids", nil, socketio.OnAck(func(*socketio.Context) {}))
		}
		c.Received()
		var got siotest.Record
		answered := func(c *socketio.Context, err error, v string) { got.Add("%s %v %v", v, err != nil, c.ID() != "") }
		s := a.Socket(c.SID)
		require.NoError(t, s.Emit("seen", nil, socketio.OnAck(answered)))
		require.NoError(t, third.Emit("asked by another", nil, socketio.To(c.SID), socketio.OnAck(answered)))
		synctest.Wait()
		require.NoError(t, s.Emit("late", nil, socketio.OnAck(answered), socketio.AckTimeout(10*time.Second)))
		c.Want(`?["seen"]`, `?["asked by another"]`, `?["late"]`)
		call := make(chan error, 1)
		go func() {
			v, err := socketio.Call[string](t.Context(), s, "call", nil)
			got.Add("call: %s", v)
			call <- err
		}()
		synctest.Wait()
		c.Drop()
		require.NoError(t, s.Emit("away", nil, socketio.OnAck(answered)))
		c.To(b).Connect()
		require.True(t, c.Recovered)
		c.Want(`?["call"]`, `?["away"]`)
		for _, e := range []string{`["seen"]`, `["asked by another"]`, `["away"]`, `["call"]`} {
			c.Answer(e, `["`+e[2:len(e)-2]+`"]`)
			synctest.Wait()
		}
		require.NoError(t, <-call)
		require.Equal(t, []string{"seen false true", "asked by another false true", "away false true", "call: call"}, got.Take())
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{" true true"}, got.Take())
		c.Answer(`["late"]`, `["late"]`)

		// The client leaves: whoever waits hears of it.
		require.NoError(t, third.Emit("never", nil, socketio.To(c.SID), socketio.OnAck(answered)))
		synctest.Wait()
		c.Drop()
		c.To(a).Connect()
		require.True(t, c.Recovered)
		c.Received()
		c.Send("1")
		synctest.Wait()
		require.Equal(t, []string{" true true"}, got.Take())
	})
}

// The error of a late client says how long the server has waited, also if the client has moved to another
// server since it was asked.
func TestLateAfterAMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, nil)
		a, b, third := f.Servers[0], f.Servers[1], f.Servers[2]
		c := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		var got siotest.Record
		late := func(_ *socketio.Context, err error) { got.Add("%v", err) }
		for _, emit := range []func(string, any, ...socketio.EmitOption) error{a.Emit, third.Emit} {
			require.NoError(t, emit("slow", nil, socketio.To(c.SID), socketio.OnAck(late), socketio.AckTimeout(10*time.Second)))
		}
		synctest.Wait()
		c.Drop()
		c.To(b).Connect()
		require.True(t, c.Recovered)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		want := `socketio: no acknowledgement of "slow" within 10s: context deadline exceeded`
		require.Equal(t, []string{want, want}, got.Take())
	})
}
