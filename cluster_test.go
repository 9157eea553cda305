package socketio_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// fleet is some servers on one memory service.
type fleet struct {
	t       *testing.T
	service *brokertest.Memory
	servers []*socketio.Server
	wrap    func(socketio.Broker) socketio.Broker // what the next servers get; nil for the service's
}

// newFleet starts servers with the same options, in a synctest bubble.
func newFleet(t *testing.T, n int, opts *socketio.Options) *fleet {
	t.Helper()
	f := &fleet{t: t, service: new(brokertest.Memory)}
	for range n {
		f.add(opts)
	}
	return f
}

func (f *fleet) add(opts *socketio.Options) *socketio.Server {
	f.t.Helper()
	var o socketio.Options
	if opts != nil {
		o = *opts
	}
	o.Cluster.Broker = f.service.Connect()
	if f.wrap != nil {
		o.Cluster.Broker = f.wrap(o.Cluster.Broker)
	}
	f.t.Cleanup(func() { require.NoError(f.t, o.Cluster.Broker.Close()) })
	srv := newServer(f.t, &o)
	f.servers = append(f.servers, srv)
	synctest.Wait()
	require.True(f.t, srv.BrokerStatus().Connected)
	return srv
}

// emitter returns an Emitter on the service.
func (f *fleet) emitter(opts *socketio.EmitterOptions) *socketio.Emitter {
	f.t.Helper()
	b := f.service.Connect()
	f.t.Cleanup(func() { require.NoError(f.t, b.Close()) })
	m := socketio.NewEmitter(b, opts)
	f.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = m.Close(ctx)
	})
	return m
}

// inFleet runs a test of several servers in a synctest bubble.
func inFleet(t *testing.T, n int, run func(t *testing.T, f *fleet)) {
	t.Helper()
	bubble(t, func(t *testing.T) { run(t, newFleet(t, n, nil)) })
}

// Who receives what, with A on the first server, B on the second, C on the
// third: the same as on one server. A and B are in r1, B and C in r2.
func TestClusterRecipients(t *testing.T) {
	inFleet(t, 3, func(t *testing.T, f *fleet) {
		peers, sids := map[string]*peer{}, map[string]string{}
		for i, name := range []string{"A", "B", "C"} {
			f.servers[i].Namespace("/other").On("x", func(*socketio.Context) {})
			peers[name] = join(t, f.servers[i], eiotest.WebSocket)
			sids[name] = peers[name].sid
		}
		other := join(t, f.servers[2], eiotest.WebSocket, "/other")
		// All through the first server, wherever the client is.
		for _, in := range [][2]string{{"A", "r1"}, {"B", "r1"}, {"B", "r2"}, {"C", "r2"}} {
			require.NoError(t, f.servers[0].JoinRoom(sids[in[0]], in[1]))
		}
		require.NoError(t, f.servers[0].Namespace("/other").JoinRoom(other.sid, "r1"))
		synctest.Wait()
		a := f.servers[0].Socket(sids["A"])
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
				err = f.servers[0].Emit("e", i, test.opts...)
			} else {
				err = a.Emit("e", i, test.opts...)
			}
			require.NoError(t, err)
			got := ""
			for _, name := range []string{"A", "B", "C"} {
				for _, m := range peers[name].received() {
					require.Equal(t, fmt.Sprintf(`2["e",%d]`, i), m)
					got += name
				}
			}
			for _, m := range other.received() {
				require.Equal(t, fmt.Sprintf(`2/other,["e",%d]`, i), m)
				got += "O"
			}
			require.Equal(t, test.want, got, "case %d", i)
		}
	})
}

// received returns what has arrived, in a synctest bubble.
func (p *peer) received() (all []string) {
	p.t.Helper()
	for {
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		m, err := p.c.Receive(ctx)
		cancel()
		if err != nil {
			return all
		}
		if m.Binary {
			all = append(all, "b:"+string(m.Data))
		} else {
			all = append(all, string(m.Data))
		}
	}
}

func TestClusterVolatileIsNotHeld(t *testing.T) {
	inFleet(t, 2, func(t *testing.T, f *fleet) {
		connecting := make(chan struct{})
		f.servers[1].On("connect", func(c *socketio.Context) { <-connecting })
		p := dial(t, f.servers[1], eiotest.WebSocket)
		p.send("0")
		synctest.Wait()
		sid := f.servers[1].AnySID()
		require.NoError(t, f.servers[0].Emit("v", nil, socketio.To(sid), socketio.Volatile()))
		require.NoError(t, f.servers[0].Emit("e", nil, socketio.To(sid)))
		synctest.Wait()
		close(connecting)
		p.connected("/")
		p.want(`2["e"]`)
		p.quiet()
	})
}

// All the shapes of data arrive as they were sent, binary ones and large
// numbers too.
func TestClusterData(t *testing.T) {
	for name, opts := range parsers {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFleet(t, 2, nil)
				f.add(opts) // emits, with its own parser
				here := join(t, f.servers[0], eiotest.WebSocket)
				there := join(t, f.servers[1], eiotest.Polling)
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
					require.NoError(t, f.servers[2].Emit("e", test.data))
					require.Equal(t, test.want, here.received())
					require.Equal(t, test.want, there.received())
				}
				require.Error(t, f.servers[2].Emit("connect", nil))
				require.Error(t, f.servers[2].Emit("e", func() {}))
				require.Empty(t, here.received())
			})
		})
	}
}

// A disconnect, and rooms, of a client on another server.
func TestClusterSockets(t *testing.T) {
	inFleet(t, 2, func(t *testing.T, f *fleet) {
		var r record
		for i, srv := range f.servers {
			srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { r.add("%d %s %v", i, why, len(c.Rooms())) })
		}
		p := join(t, f.servers[1], eiotest.WebSocket)
		sid := p.sid
		require.NoError(t, f.servers[0].JoinRoom(sid, "room"))
		require.NoError(t, f.servers[0].JoinRoom(sid, "other"))
		require.NoError(t, f.servers[0].JoinRoom(sid, sid))
		synctest.Wait()
		require.Equal(t, []string{sid, "other", "room"}, f.servers[1].Rooms(sid))
		require.NoError(t, f.servers[0].LeaveRoom(sid, "room"))
		require.NoError(t, f.servers[0].LeaveRoom(sid, sid))
		synctest.Wait()
		require.Equal(t, []string{sid, "other"}, f.servers[1].Rooms(sid))
		f.servers[0].CloseRoom("other")
		synctest.Wait()
		require.Equal(t, []string{sid}, f.servers[1].Rooms(sid))

		require.ErrorIs(t, f.servers[0].JoinRoom(sid, ""), socketio.ErrRoomName)
		require.ErrorIs(t, f.servers[0].JoinRoom("", "room"), socketio.ErrUnknownSocket)
		require.Error(t, f.servers[0].Namespace("*").JoinRoom(sid, "room"))
		require.Error(t, f.servers[0].Namespace("/a,b").Disconnect(sid))

		// In another namespace there is no such socket.
		require.NoError(t, f.servers[0].Namespace("/other").Disconnect(sid))
		require.NoError(t, f.servers[0].Namespace("/other").JoinRoom(sid, "x"))
		synctest.Wait()
		require.Equal(t, []string{sid}, f.servers[1].Rooms(sid))
		p.quiet()

		require.NoError(t, f.servers[0].Disconnect(sid))
		p.want("1")
		r.want(t, "1 server disconnect 1")
		require.NoError(t, f.servers[0].Disconnect(sid)) // nobody knows that it has gone
		require.NoError(t, f.servers[0].Disconnect("nobody"))
		require.Zero(t, f.servers[1].BrokerStatus().Ignored)
	})
}

// Every server knows the session id of a socket when it sees one, and sees to it that nobody joins the room of that name.
func TestClusterRoomOfASessionID(t *testing.T) {
	inFleet(t, 2, func(t *testing.T, f *fleet) {
		spy := join(t, f.servers[1], eiotest.WebSocket)
		m := f.emitter(nil)
		ignored := 0
		for _, home := range f.servers {
			victim := join(t, home, eiotest.WebSocket)
			require.ErrorIs(t, f.servers[1].JoinRoom(spy.sid, victim.sid), socketio.ErrRoomName)
			require.NoError(t, f.servers[0].JoinRoom(spy.sid, victim.sid), "what comes of it is not heard")
			require.NoError(t, m.JoinRoom(spy.sid, victim.sid))
			synctest.Wait()
			ignored += 2
			require.EqualValues(t, ignored, f.servers[1].BrokerStatus().Ignored)
			require.Equal(t, []string{spy.sid}, f.servers[1].Rooms(spy.sid))
			for _, from := range f.servers {
				require.NoError(t, from.Emit("secret", nil, socketio.To(victim.sid)))
				victim.want(`2["secret"]`)
			}
			victim.send("1")
			synctest.Wait()
			require.ErrorIs(t, f.servers[1].JoinRoom(spy.sid, victim.sid), socketio.ErrRoomName, "who has left may still be written to")
			spy.quiet()

			// What only looks like a session id is a name like any other.
			sid := victim.sid
			for _, name := range []string{sid[:26], sid + "A", sid[1:] + sid[:1], strings.Repeat("z", 27), strings.Repeat(" ", 27)} {
				require.NoError(t, f.servers[1].JoinRoom(spy.sid, name))
				require.NoError(t, f.servers[1].LeaveRoom(spy.sid, name))
			}
		}
	})
}

// What one goroutine emits arrives in that order.
func TestClusterOrder(t *testing.T) {
	inFleet(t, 2, func(t *testing.T, f *fleet) {
		p := join(t, f.servers[1], eiotest.WebSocket)
		require.NoError(t, f.servers[0].JoinRoom(p.sid, "r"))
		for i := range 200 {
			require.NoError(t, f.servers[0].Emit("e", i, socketio.To("r")))
		}
		for i := range 200 {
			p.want(fmt.Sprintf(`2["e",%d]`, i))
		}
	})
}

// Without a broker nothing of this exists.
func TestNoBroker(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, nil)
		require.ErrorIs(t, srv.JoinRoom("sid", "r"), socketio.ErrUnknownSocket)
		require.ErrorIs(t, srv.LeaveRoom("sid", "r"), socketio.ErrUnknownSocket)
		require.ErrorIs(t, srv.Disconnect("sid"), socketio.ErrUnknownSocket)
		require.Zero(t, srv.BrokerStatus())
		p := join(t, srv, eiotest.WebSocket)
		require.NoError(t, srv.Emit("e", nil, socketio.Local()))
		p.want(`2["e"]`)
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
