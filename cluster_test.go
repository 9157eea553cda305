package socketio_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// Who receives what, with A on the first server, B on the second, C on the
// third: the same as on one server. A and B are in r1, B and C in r2.
func TestClusterRecipients(t *testing.T) {
	siotest.InFleet(t, 3, func(t *testing.T, f *siotest.Fleet) {
		peers, sids := map[string]*siotest.Peer{}, map[string]string{}
		for i, name := range []string{"A", "B", "C"} {
			f.Servers[i].Namespace("/other").On("x", func(*socketio.Context) {})
			peers[name] = siotest.Join(t, f.Servers[i], eiotest.WebSocket)
			sids[name] = peers[name].SID
		}
		other := siotest.Join(t, f.Servers[2], eiotest.WebSocket, "/other")
		// All through the first server, wherever the client is.
		for _, in := range [][2]string{{"A", "r1"}, {"B", "r1"}, {"B", "r2"}, {"C", "r2"}} {
			require.NoError(t, f.Servers[0].JoinRoom(sids[in[0]], in[1]))
		}
		require.NoError(t, f.Servers[0].Namespace("/other").JoinRoom(other.SID, "r1"))
		synctest.Wait()
		a := f.Servers[0].Socket(sids["A"])
		to, skip := socketio.To, socketio.Skip
		for i, test := range []struct {
			want   string
			server bool // the server emits, not A
			opts   []socketio.EmitOption
		}{
			{"A", false, nil},
			{"ABC", true, nil},
			{"ABC", false, []socketio.EmitOption{socketio.Broadcast()}},
			{"BC", false, []socketio.EmitOption{socketio.Broadcast(), socketio.SkipSelf()}},
			{"A", true, []socketio.EmitOption{socketio.Local()}},
			{"A", false, []socketio.EmitOption{socketio.Broadcast(), socketio.Local()}},
			{"A", true, []socketio.EmitOption{to("r1"), socketio.Local()}},
			{"AB", false, []socketio.EmitOption{to("r1")}},
			{"B", false, []socketio.EmitOption{to("r1"), socketio.SkipSelf()}},
			{"BC", true, []socketio.EmitOption{to("r2")}},
			{"ABC", true, []socketio.EmitOption{to("r1", "r2")}},
			{"AC", true, []socketio.EmitOption{to("r1", "r2"), skip(sids["B"])}},
			{"C", false, []socketio.EmitOption{to("r1", "r2"), skip(sids["B"]), socketio.SkipSelf()}},
			{"C", true, []socketio.EmitOption{to(sids["C"])}},
			{"AC", true, []socketio.EmitOption{to(sids["C"], sids["A"])}},
			{"B", false, []socketio.EmitOption{to(sids["B"])}},
			{"A", true, []socketio.EmitOption{to("r1"), socketio.Except("r2")}},
			{"AB", true, []socketio.EmitOption{socketio.Except(sids["C"])}},
			{"C", true, []socketio.EmitOption{socketio.Except("r1")}},
			{"", true, []socketio.EmitOption{to()}},
			{"", true, []socketio.EmitOption{to("nobody")}},
			{"", true, []socketio.EmitOption{to(sids["C"]), socketio.Local()}},
			{"O", true, []socketio.EmitOption{socketio.InNamespace("/other")}},
			{"O", true, []socketio.EmitOption{socketio.InNamespace("/other"), to("r1")}},
			{"ABC", true, []socketio.EmitOption{socketio.Compress(false)}},
		} {
			var err error
			if test.server {
				err = f.Servers[0].Emit("e", i, test.opts...)
			} else {
				err = a.Emit("e", i, test.opts...)
			}
			require.NoError(t, err)
			got := ""
			for _, name := range []string{"A", "B", "C"} {
				for _, m := range peers[name].Received() {
					require.Equal(t, fmt.Sprintf(`2["e",%d]`, i), m)
					got += name
				}
			}
			for _, m := range other.Received() {
				require.Equal(t, fmt.Sprintf(`2/other,["e",%d]`, i), m)
				got += "O"
			}
			require.Equal(t, test.want, got, "case %d", i)
		}
	})
}

func TestClusterVolatileIsNotHeld(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		connecting, sids := make(chan struct{}), make(chan string, 1)
		f.Servers[1].On("connect", func(c *socketio.Context) {
			sids <- c.ID()
			<-connecting
		})
		p := siotest.Dial(t, f.Servers[1], eiotest.WebSocket)
		p.Send("0")
		synctest.Wait()
		sid := <-sids
		require.NoError(t, f.Servers[0].Emit("v", nil, socketio.To(sid), socketio.Volatile()))
		require.NoError(t, f.Servers[0].Emit("e", nil, socketio.To(sid)))
		synctest.Wait()
		close(connecting)
		p.Connected("/")
		p.Want(`2["e"]`)
		p.Quiet()
	})
}

// All the shapes of data arrive as they were sent, binary ones and large
// numbers too.
func TestClusterData(t *testing.T) {
	for name, opts := range siotest.Parsers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := siotest.NewFleet(t, 2, nil)
				f.Add(opts) // emits, with its own parser
				local := siotest.Join(t, f.Servers[0], eiotest.WebSocket)
				there := siotest.Join(t, f.Servers[1], eiotest.Polling)
				for _, test := range []struct {
					data any
					want []string
				}{
					{nil, []string{`2["e"]`}},
					{socketio.Args{}, []string{`2["e"]`}},
					{socketio.Args{nil}, []string{`2["e",null]`}},
					{socketio.Args{nil, nil}, []string{`2["e",null,null]`}},
					{socketio.Args{1, "two", nil}, []string{`2["e",1,"two",null]`}},
					{[]int{1, 2}, []string{`2["e",[1,2]]`}},
					{[]any{nil}, []string{`2["e",[null]]`}},
					{"ü\u2028\"\\<😀", []string{`2["e","ü\u2028\"\\<😀"]`}},
					{uint64(1<<63 + 1), []string{`2["e",9223372036854775809]`}},
					{[]byte{1, 0xff}, []string{`51-["e",{"_placeholder":true,"num":0}]`, "b:\x01\xff"}},
					{[]byte{}, []string{`51-["e",{"_placeholder":true,"num":0}]`, "b:"}},
					{
						socketio.Args{map[string]any{"a": []byte("x")}, 7, []any{[]byte("y")}},
						[]string{`52-["e",{"a":{"_placeholder":true,"num":0}},7,[{"_placeholder":true,"num":1}]]`, "b:x", "b:y"},
					},
				} {
					require.NoError(t, f.Servers[2].Emit("e", test.data))
					require.Equal(t, test.want, local.Received())
					require.Equal(t, test.want, there.Received())
				}
				require.Error(t, f.Servers[2].Emit("connect", nil))
				require.Error(t, f.Servers[2].Emit("e", func() {}))
				require.Empty(t, local.Received())
			})
		})
	}
}

// A disconnect, and rooms, of a client on another server.
func TestClusterSockets(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		var r siotest.Record
		for i, srv := range f.Servers {
			srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { r.Add("%d %s %v", i, why, len(c.Rooms())) })
		}
		p := siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		sid := p.SID
		require.NoError(t, f.Servers[0].JoinRoom(sid, "room"))
		require.NoError(t, f.Servers[0].JoinRoom(sid, "other"))
		require.NoError(t, f.Servers[0].JoinRoom(sid, sid))
		synctest.Wait()
		require.Equal(t, []string{sid, "other", "room"}, f.Servers[1].Rooms(sid))
		require.NoError(t, f.Servers[0].LeaveRoom(sid, "room"))
		require.NoError(t, f.Servers[0].LeaveRoom(sid, sid))
		synctest.Wait()
		require.Equal(t, []string{sid, "other"}, f.Servers[1].Rooms(sid))
		f.Servers[0].CloseRoom("other")
		synctest.Wait()
		require.Equal(t, []string{sid}, f.Servers[1].Rooms(sid))

		require.ErrorIs(t, f.Servers[0].JoinRoom(sid, ""), socketio.ErrRoomName)
		require.ErrorIs(t, f.Servers[0].JoinRoom("", "room"), socketio.ErrUnknownSocket)
		require.Error(t, f.Servers[0].Namespace("*").JoinRoom(sid, "room"))
		require.Error(t, f.Servers[0].Namespace("/a,b").Disconnect(sid))

		// In another namespace there is no such socket.
		require.NoError(t, f.Servers[0].Namespace("/other").Disconnect(sid))
		require.NoError(t, f.Servers[0].Namespace("/other").JoinRoom(sid, "x"))
		synctest.Wait()
		require.Equal(t, []string{sid}, f.Servers[1].Rooms(sid))
		p.Quiet()

		require.NoError(t, f.Servers[0].Disconnect(sid))
		p.Want("1")
		r.Want(t, "1 server disconnect 1")
		require.NoError(t, f.Servers[0].Disconnect(sid)) // nobody knows that it has gone
		require.NoError(t, f.Servers[0].Disconnect("nobody"))
		require.Zero(t, f.Servers[1].BrokerStatus().Ignored)
	})
}

// Every server knows the session id of a socket when it sees one, and sees to it that nobody joins the room of that name.
func TestClusterRoomOfASessionID(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		spy := siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		m := f.Emitter(nil)
		ignored := 0
		for _, home := range f.Servers {
			victim := siotest.Join(t, home, eiotest.WebSocket)
			require.ErrorIs(t, f.Servers[1].JoinRoom(spy.SID, victim.SID), socketio.ErrRoomName)
			require.NoError(t, f.Servers[0].JoinRoom(spy.SID, victim.SID), "what comes of it is not heard")
			require.NoError(t, m.JoinRoom(spy.SID, victim.SID))
			synctest.Wait()
			ignored += 2
			require.EqualValues(t, ignored, f.Servers[1].BrokerStatus().Ignored)
			require.Equal(t, []string{spy.SID}, f.Servers[1].Rooms(spy.SID))
			for _, from := range f.Servers {
				require.NoError(t, from.Emit("secret", nil, socketio.To(victim.SID)))
				victim.Want(`2["secret"]`)
			}
			victim.Send("1")
			synctest.Wait()
			require.ErrorIs(t, f.Servers[1].JoinRoom(spy.SID, victim.SID), socketio.ErrRoomName, "who has left may still be written to")
			spy.Quiet()

			// What only looks like a session id is a name like any other.
			sid := victim.SID
			for _, name := range []string{sid[:26], sid + "A", sid[1:] + sid[:1], strings.Repeat("z", 27), strings.Repeat(" ", 27)} {
				require.NoError(t, f.Servers[1].JoinRoom(spy.SID, name))
				require.NoError(t, f.Servers[1].LeaveRoom(spy.SID, name))
			}
		}
	})
}

// What one goroutine emits arrives in that order.
func TestClusterOrder(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		p := siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		require.NoError(t, f.Servers[0].JoinRoom(p.SID, "r"))
		for i := range 200 {
			require.NoError(t, f.Servers[0].Emit("e", i, socketio.To("r")))
		}
		for i := range 200 {
			p.Want(fmt.Sprintf(`2["e",%d]`, i))
		}
	})
}

// Without a broker nothing of this exists.
func TestNoBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		require.ErrorIs(t, srv.JoinRoom("sid", "r"), socketio.ErrUnknownSocket)
		require.ErrorIs(t, srv.LeaveRoom("sid", "r"), socketio.ErrUnknownSocket)
		require.ErrorIs(t, srv.Disconnect("sid"), socketio.ErrUnknownSocket)
		require.Zero(t, srv.BrokerStatus())
		p := siotest.Join(t, srv, eiotest.WebSocket)
		require.NoError(t, srv.Emit("e", nil, socketio.Local()))
		p.Want(`2["e"]`)
	})
}

func TestBrokerOptions(t *testing.T) {
	broker := new(brokertest.Memory).Connect()
	for _, opts := range []*socketio.Options{
		{Cluster: socketio.ClusterOptions{Channel: "x"}},
		{Cluster: socketio.ClusterOptions{ReplayLimit: 1}},
		{Cluster: socketio.ClusterOptions{QueueLimit: 1}},
		{Cluster: socketio.ClusterOptions{AckTimeout: 1}},
		{Cluster: socketio.ClusterOptions{Broker: broker, QueueLimit: -1}},
		{Cluster: socketio.ClusterOptions{Broker: broker, ReplayLimit: -1}},
		{Cluster: socketio.ClusterOptions{Broker: broker, AckTimeout: -1}},
	} {
		require.Panics(t, func() { socketio.NewServer(opts) }, "%+v", opts)
	}
}
