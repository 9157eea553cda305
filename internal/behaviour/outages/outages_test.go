package outages_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// The broker goes away and comes back: clients here are served meanwhile, the
// others again afterwards, and all of it can be seen.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l siotest.Logs
		f := siotest.NewFleet(t, 2, &socketio.Options{Logger: siotest.Logger(&l)})
		srv := f.Servers[0]
		local, remote := siotest.Join(t, srv, eiotest.WebSocket), siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		require.NoError(t, srv.Emit("e", "before"))
		local.Want(`2["e","before"]`)
		remote.Want(`2["e","before"]`)
		connected := srv.BrokerStatus()
		require.NoError(t, connected.Err)
		require.EqualValues(t, 1, connected.Published)

		f.Service.Stop()
		synctest.Wait()
		st := srv.BrokerStatus()
		require.False(t, st.Connected)
		require.ErrorContains(t, st.Err, "stopped")
		require.EqualValues(t, 1, st.Outages)
		for i := range 10 {
			require.NoError(t, srv.Emit("e", i))
			local.Want(fmt.Sprintf(`2["e",%d]`, i))
			time.Sleep(time.Second)
		}
		st = srv.BrokerStatus()
		require.EqualValues(t, 10, st.Dropped)
		require.Zero(t, st.Waiting)
		require.ErrorIs(t, srv.Disconnect("remote"), socketio.ErrBrokerUnavailable)

		f.Service.Start()
		time.Sleep(20 * time.Second) // the longest pause, and more
		st = srv.BrokerStatus()
		require.True(t, st.Connected)
		require.NoError(t, st.Err)
		require.True(t, st.Since.After(connected.Since))
		remote.Quiet() // nothing was kept
		require.NoError(t, srv.Emit("e", "after"))
		remote.Want(`2["e","after"]`)
		require.Equal(t, 2, strings.Count(l.String(), "the connection with the broker is lost"), l.String()) // both servers
		require.Equal(t, 2, strings.Count(l.String(), "the connection with the broker is back"), l.String())
		require.Contains(t, l.String(), "dropped=11")
	})
}

// With ReplayLimit the newest messages are published afterwards, in order,
// before what comes then.
func TestOutageReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 2, &socketio.Options{Cluster: socketio.ClusterOptions{ReplayLimit: 2000}})
		srv := f.Servers[0]
		remote := siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		f.Service.Stop()
		synctest.Wait()
		for i := range 20 {
			require.NoError(t, srv.Emit("e", i))
		}
		require.NoError(t, srv.Emit("e", strings.Repeat("x", 3000))) // beyond the limit on its own
		time.Sleep(time.Minute)
		st := srv.BrokerStatus()
		require.LessOrEqual(t, st.WaitingBytes, 2000)
		require.EqualValues(t, 21, st.Dropped+uint64(st.Waiting))
		require.Greater(t, st.Waiting, 5)
		require.NoError(t, srv.JoinRoom(remote.SID, "r")) // kept as well, instead of an older one
		require.LessOrEqual(t, srv.BrokerStatus().WaitingBytes, 2000)

		f.Service.Start()
		time.Sleep(5 * time.Second) // the longest pause
		require.True(t, srv.BrokerStatus().Connected)
		require.True(t, f.Servers[1].BrokerStatus().Connected)
		require.NoError(t, srv.Emit("e", "after"))
		kept := srv.BrokerStatus().Waiting - 2
		for i := 20 - kept; i < 20; i++ {
			remote.Want(fmt.Sprintf(`2["e",%d]`, i))
		}
		remote.Want(`2["e","after"]`)
		require.Equal(t, []string{remote.SID, "r"}, f.Servers[1].Rooms(remote.SID))
	})
}

// A server made while the broker is away works without it, and with it when it
// comes.
func TestOutageAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := new(brokertest.Memory)
		service.Stop()
		broker := service.Connect()
		defer broker.Close()
		var l siotest.Logs
		srv := siotest.NewServer(t, &socketio.Options{Cluster: socketio.ClusterOptions{Broker: broker}, Logger: siotest.Logger(&l)})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		time.Sleep(time.Minute)
		require.NoError(t, srv.Emit("e", 1))
		p.Want(`2["e",1]`)
		st := srv.BrokerStatus()
		require.False(t, st.Connected)
		require.Error(t, st.Err)
		require.Zero(t, st.Outages)
		require.Equal(t, 1, strings.Count(l.String(), "cannot be reached"), l.String())
		service.Start()
		time.Sleep(20 * time.Second)
		require.True(t, srv.BrokerStatus().Connected)
		require.Contains(t, l.String(), "connected with the broker")
	})
}

// Closing the broker before the server is a mistake, and ends nothing but the
// traffic.
func TestBrokerClosedBeforeTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := new(brokertest.Memory)
		b := service.Connect()
		srv := siotest.NewServer(t, &socketio.Options{Cluster: socketio.ClusterOptions{Broker: b, ReplayLimit: 1 << 20}})
		synctest.Wait()
		require.NoError(t, b.Close())
		require.NoError(t, srv.Emit("e", 1))
		synctest.Wait()
		require.NoError(t, srv.Emit("e", 2))
		st := srv.BrokerStatus()
		require.ErrorIs(t, st.Err, broker.ErrClosed)
		require.EqualValues(t, 2, st.Dropped)
	})
}

func TestEmitter(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		f.Servers[1].Namespace("/chat").On("x", func(*socketio.Context) {})
		m := f.Emitter(nil)
		synctest.Wait()
		require.True(t, m.BrokerStatus().Connected)
		a, b := siotest.Join(t, f.Servers[0], eiotest.WebSocket), siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		chat := siotest.Join(t, f.Servers[1], eiotest.WebSocket, "/chat")

		require.NoError(t, m.Emit("e", 1))
		a.Want(`2["e",1]`)
		b.Want(`2["e",1]`)
		require.NoError(t, m.Emit("e", []byte("x"), socketio.Skip(a.SID)))
		b.Want(`51-["e",{"_placeholder":true,"num":0}]`, "b:x")
		require.NoError(t, m.JoinRoom(b.SID, "r"))
		require.NoError(t, m.Emit("e", 2, socketio.To("r")))
		b.Want(`2["e",2]`)
		require.NoError(t, m.LeaveRoom(b.SID, "r"))
		require.NoError(t, m.Emit("e", 3, socketio.To("r")))
		require.NoError(t, m.Send("hi", socketio.InNamespace("/chat")))
		chat.Want(`2/chat,["message","hi"]`)
		require.NoError(t, m.Namespace("chat").JoinRoom(chat.SID, "r"))
		require.NoError(t, m.Namespace("/chat").Emit("e", 4, socketio.To("r")))
		chat.Want(`2/chat,["e",4]`)
		require.NoError(t, m.Namespace("/chat").CloseRoom("r"))
		require.NoError(t, m.Namespace("/chat").Emit("e", 5, socketio.To("r")))
		require.NoError(t, m.Disconnect(a.SID))
		a.Want("1")
		b.Quiet()
		chat.Quiet()

		for _, opt := range []socketio.EmitOption{socketio.Local(), socketio.SkipSelf(), socketio.OnAck(func(*socketio.Context) {})} {
			require.Error(t, m.Emit("e", nil, opt))
		}
		require.Error(t, m.Emit("disconnect", nil))
		require.Error(t, m.Emit("e", func() {}))
		require.Error(t, m.Emit("e", nil, socketio.InNamespace("/a,b")))
		for _, ns := range []string{"*", "/a,b"} {
			bad := m.Namespace(ns)
			require.Error(t, bad.Emit("e", nil))
			require.Error(t, bad.JoinRoom("s", "r"))
			require.Error(t, bad.CloseRoom("r"))
		}
		require.ErrorIs(t, m.JoinRoom("s", ""), socketio.ErrRoomName)
		require.ErrorIs(t, m.CloseRoom(""), socketio.ErrRoomName)
		require.ErrorIs(t, m.Disconnect(""), socketio.ErrUnknownSocket)
		chat.Quiet()

		// Close publishes what waits.
		for i := range 100 {
			require.NoError(t, m.Emit("last", i))
		}
		require.NoError(t, m.Close(t.Context()))
		for i := range 100 {
			b.Want(fmt.Sprintf(`2["last",%d]`, i))
		}
		require.ErrorIs(t, m.Emit("late", nil), socketio.ErrBrokerUnavailable)
		require.NoError(t, m.Close(t.Context()))
	})
}

func TestEmitterOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 1, nil)
		p := siotest.Join(t, f.Servers[0], eiotest.WebSocket)
		forgets, keeps := f.Emitter(nil), f.Emitter(&socketio.EmitterOptions{ReplayLimit: 10_000})
		synctest.Wait()
		f.Service.Stop()
		require.NoError(t, forgets.Emit("e", "lost")) // not known yet
		require.NoError(t, keeps.Emit("e", "kept"))
		synctest.Wait()
		require.ErrorIs(t, forgets.Emit("e", "lost"), socketio.ErrBrokerUnavailable)
		require.NoError(t, keeps.Emit("e", "kept"))
		require.False(t, keeps.BrokerStatus().Connected)
		time.Sleep(time.Minute)
		f.Service.Start()
		for !f.Servers[0].BrokerStatus().Connected {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Second)
		require.True(t, keeps.BrokerStatus().Connected)
		require.True(t, forgets.BrokerStatus().Connected)
		require.NoError(t, forgets.Emit("e", "again"))
		require.Contains(t, p.Received(), `2["e","again"]`)

		f.Service.Stop()
		require.NoError(t, keeps.Emit("e", "never"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorContains(t, keeps.Close(ctx), "1 message not published")
	})
}

func TestNewEmitterPanics(t *testing.T) {
	broker := new(brokertest.Memory).Connect()
	require.Panics(t, func() { socketio.NewEmitter(nil, nil) })
	require.Panics(t, func() { socketio.NewEmitter(broker, &socketio.EmitterOptions{QueueLimit: -1}) })
	require.Panics(t, func() { socketio.NewEmitter(broker, &socketio.EmitterOptions{ReplayLimit: -1}) })
}

// wrapped is a broker whose Subscribe is another.
type wrapped struct {
	socketio.Broker
	subscribe func(ctx context.Context, channels []string, ready func(), handle func(string, []byte)) error
}

func (b wrapped) Subscribe(ctx context.Context, channels []string, ready func(), handle func(string, []byte)) error {
	return b.subscribe(ctx, channels, ready, handle)
}

// The subscription that is back is a sign for publishing, which does not wait
// for its own next attempt then.
func TestOutageEndsForBothDirections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := new(brokertest.Memory)
		broker := service.Connect()
		defer broker.Close()
		var back atomic.Bool
		srv := siotest.NewServer(t, &socketio.Options{Cluster: socketio.ClusterOptions{Broker: wrapped{broker, func(ctx context.Context, channels []string, ready func(), handle func(string, []byte)) error {
			return broker.Subscribe(ctx, channels, func() { back.Store(true); ready() }, handle)
		}}}})
		for range 10 { // whichever would come first by chance
			service.Stop()
			synctest.Wait()
			require.NoError(t, srv.Emit("e", 1))
			time.Sleep(time.Minute)
			back.Store(false)
			service.Start()
			for !back.Load() {
				time.Sleep(time.Millisecond)
			}
			synctest.Wait()
			require.True(t, srv.BrokerStatus().Connected)
		}
	})
}

// An answer that arrives while the server shuts down is handled before Shutdown
// returns.
func TestClusterAnswerDuringShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := new(brokertest.Memory)
		broker, other := service.Connect(), service.Connect()
		defer broker.Close()
		defer other.Close()
		var question string
		go other.Subscribe(t.Context(), []string{siotest.Channel}, func() {}, func(_ string, data []byte) { question = string(data) })
		synctest.Wait()
		srv := siotest.NewServer(t, &socketio.Options{Cluster: socketio.ClusterOptions{Broker: wrapped{broker, func(ctx context.Context, channels []string, ready func(), handle func(string, []byte)) error {
			ready()
			<-ctx.Done() // and a last message
			m := siotest.JSONMap(t, question)
			handle(siotest.Channel, fmt.Appendf(nil, `{"method":"callback","host_id":%q,"sid":"remote","namespace":"/","id":%v,"args":[]}`, m["host_id"], m["callback"].([]any)[2]))
			return ctx.Err()
		}}}})
		handled := false
		require.NoError(t, srv.Emit("q", nil, socketio.To("remote"), socketio.OnAck(func(*socketio.Context) {
			time.Sleep(time.Second)
			handled = true
		})))
		synctest.Wait()
		require.NoError(t, srv.Shutdown(t.Context()))
		require.True(t, handled)
	})
}
