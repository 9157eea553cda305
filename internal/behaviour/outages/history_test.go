package outages_test

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

// With a broker that keeps messages, the clients of a server that was cut off get what
// was emitted meanwhile: each event once, in order, before what is emitted later.
func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 0, nil)
		f.Service.Keep = 1000
		srv, cut := f.Add(nil), f.Add(nil)
		a, b := siotest.Join(t, srv, eiotest.WebSocket), siotest.Join(t, cut, eiotest.WebSocket)
		require.NoError(t, srv.Emit("e", "before"))
		a.Want(`2["e","before"]`)
		b.Want(`2["e","before"]`)

		f.Service.Cut(f.Brokers[1])
		synctest.Wait()
		require.False(t, cut.BrokerStatus().Connected)
		for i := range 20 {
			require.NoError(t, srv.Emit("e", i))
			time.Sleep(100 * time.Millisecond)
		}
		require.NoError(t, srv.Emit("e", "volatile", socketio.Volatile()))
		require.NoError(t, srv.JoinRoom(b.SID, "room"))
		require.NoError(t, srv.Emit("e", "room", socketio.To("room")))
		require.NoError(t, srv.LeaveRoom(b.SID, "room"))
		require.NoError(t, srv.Emit("e", "left", socketio.To("room")))
		require.NoError(t, srv.Emit("e", []byte("x"), socketio.To(b.SID)))
		for range 20 {
			a.Next()
		}
		a.Want(`2["e","volatile"]`)
		time.Sleep(time.Second)
		late := siotest.Join(t, cut, eiotest.WebSocket)
		b.Quiet()

		f.Service.Restore(f.Brokers[1])
		time.Sleep(10 * time.Second) // the longest pause, and more
		require.NoError(t, srv.Emit("e", "after"))
		for i := range 20 {
			b.Want(fmt.Sprintf(`2["e",%d]`, i))
		}
		b.Want(`2["e","room"]`, `51-["e",{"_placeholder":true,"num":0}]`, "b:x", `2["e","after"]`)
		late.Want(`2["e","after"]`) // it was not there when the rest was emitted
		st := cut.BrokerStatus()
		require.EqualValues(t, 26, st.Replayed)
		require.EqualValues(t, 28, st.Received)
		require.Zero(t, st.Gaps)
	})
}

// What a server that is cut off emits is kept, with ReplayLimit, and published when it
// is back: nobody need wait for the others, which get from the history what they missed.
func TestHistoryAndReplayLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 0, nil)
		f.Service.Keep = 1000
		opts := &socketio.Options{Cluster: socketio.ClusterOptions{ReplayLimit: 1 << 20}}
		srv, other := f.Add(opts), f.Add(opts)
		a, b := siotest.Join(t, srv, eiotest.WebSocket), siotest.Join(t, other, eiotest.WebSocket)
		f.Service.Stop()
		synctest.Wait()
		for i := range 20 {
			require.NoError(t, srv.Emit("e", i))
			require.NoError(t, other.Emit("e", -i))
		}
		f.Service.Start()
		time.Sleep(10 * time.Second)
		require.NoError(t, srv.Emit("e", "after"))
		for i := range 20 {
			a.Want(fmt.Sprintf(`2["e",%d]`, i))
			b.Want(fmt.Sprintf(`2["e",%d]`, -i))
		}
		for i := range 20 {
			a.Want(fmt.Sprintf(`2["e",%d]`, -i))
			b.Want(fmt.Sprintf(`2["e",%d]`, i))
		}
		a.Want(`2["e","after"]`)
		b.Want(`2["e","after"]`)
	})
}

// Clients of a server that is cut off answer after all, if somebody still waits.
func TestCallDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 0, nil)
		f.Service.Keep = 1000
		srv, cut := f.Add(nil), f.Add(nil)
		b := siotest.Join(t, cut, eiotest.WebSocket)
		time.Sleep(5 * time.Second) // they know each other
		answers := make(chan any, 1)
		f.Service.Cut(f.Brokers[1])
		require.NoError(t, srv.Emit("q", nil, socketio.To(b.SID), socketio.OnAck(func(c *socketio.Context, answer string) {
			answers <- answer
		})))
		time.Sleep(5 * time.Second)
		b.Quiet()
		f.Service.Restore(f.Brokers[1])
		time.Sleep(10 * time.Second)
		b.Send("3" + b.WantAckEvent(`["q"]`) + `["yes"]`)
		require.Equal(t, "yes", <-answers)
	})
}
