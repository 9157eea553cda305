package socketio_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

func TestConnectedAndRemote(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		one := f.Servers[0]
		one.On("connect", func(c *socketio.Context) { require.False(t, c.Connected(), "it has not been accepted") })
		one.On("disconnect", func(c *socketio.Context) { require.False(t, c.Connected(), "it has left") })
		p, q := siotest.Join(t, one, eiotest.WebSocket), siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		synctest.Wait()
		s := one.Socket(p.SID)
		require.True(t, s.Connected())
		require.False(t, s.Remote())

		far := make(chan *socketio.Socket, 1)
		require.NoError(t, one.Emit("ask", nil, socketio.To(q.SID), socketio.OnAck(func(c *socketio.Context) { far <- c.Socket })))
		q.Send("3" + q.WantAckEvent(`["ask"]`) + "[]")
		s2 := <-far
		require.True(t, s2.Remote())
		require.False(t, s2.Connected())
		require.Equal(t, q.SID, s2.ID())

		s.Disconnect()
		require.False(t, s.Connected())
		synctest.Wait()
		require.False(t, s.Connected())
	})
}

// Close cuts everybody off, and waits for nobody.
func TestServerClose(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		release := make(chan struct{})
		var rec siotest.Record
		srv.On("work", func(*socketio.Context) { <-release })
		srv.On("disconnect", func(_ *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
		p := siotest.Join(t, srv, mode)
		p.Send(`2["work"]`)
		synctest.Wait()
		require.NoError(t, srv.Close())
		require.NoError(t, srv.Close())
		p.Closed()
		close(release)
		synctest.Wait()
		rec.Want(t, string(socketio.ReasonServerShutdown))
		sids, rooms, running := srv.Sizes()
		require.Zero(t, sids+rooms+running)
	})
}

func TestFuncOfMoreArguments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		type point struct{ X, Y int }
		var rec siotest.Record
		srv.On("two", socketio.Func2(func(_ *socketio.Context, a string, b point) error { rec.Add("%s %v", a, b); return nil }))
		srv.On("three", socketio.Func3(func(_ *socketio.Context, a int, b []byte, c *point) error { rec.Add("%d %s %v", a, b, c.X); return nil }))
		srv.On("ack2", socketio.FuncAck2(func(_ *socketio.Context, a, b int) (int, error) { return a + b, nil }))
		srv.On("ack3", socketio.FuncAck3(func(_ *socketio.Context, a, b, c float64) (point, error) { return point{int(a), int(b + c)}, nil }))
		srv.On("*", socketio.FuncAck2(func(_ *socketio.Context, event string, a int) (socketio.Args, error) {
			return socketio.Args{event, a}, nil
		}))
		srv.OnError(func(_ *socketio.Context, err error) any { return "error" })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		p.Send(`2["two","a",{"X":1,"Y":2}]`, `2["three",7,"Yg==",{"X":1}]`, `21["ack2",1,2]`, `22["ack3",1,2,3]`, `23["other",5]`, `24["ack3",1,"x",3]`)
		p.Want(`31[3]`, `32[{"X":1,"Y":5}]`, `33["other",5]`, `34["error"]`)
		rec.Want(t, "a {1 2}", "7 b 1")
		for _, f := range []func(){
			func() { socketio.Func2[int, int](nil) }, func() { socketio.FuncAck2[int, int, int](nil) },
			func() { socketio.Func3[int, int, int](nil) }, func() { socketio.FuncAck3[int, int, int, int](nil) },
		} {
			require.Contains(t, panicOf(t, f), "socket_state_test.go:")
		}
		require.Contains(t, panicOf(t, func() { srv.On("connect", socketio.Func2(func(*socketio.Context, int, int) error { return nil })) }), "auth payload")
	})
}
