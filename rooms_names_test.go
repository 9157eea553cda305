package socketio_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// An empty variable as a room is an error everywhere: it never selects everyone.
func TestAnEmptyRoomIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 2, nil)
		srv := f.Servers[0]
		p, q := siotest.Join(t, srv, eiotest.WebSocket), siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		synctest.Wait()
		s := srv.Socket(p.SID)
		e := socketio.NewEmitter(new(brokertest.Memory).Connect(), nil)
		defer e.Close(t.Context())
		ctx, room := soon(t), ""
		only := func(_ any, err error) error { return err }
		for name, err := range map[string]error{
			"Members":             only(srv.Members(room)),
			"CountRoom":           only(srv.CountRoom(room)),
			"CloseRoom":           srv.CloseRoom(room),
			"JoinRoom":            srv.JoinRoom(p.SID, room),
			"JoinRoom far":        srv.JoinRoom(q.SID, room),
			"LeaveRoom":           srv.LeaveRoom(p.SID, room),
			"LeaveRoom far":       srv.LeaveRoom(q.SID, room),
			"Join":                s.Join(room),
			"Emit To":             srv.Emit("e", nil, socketio.To(room)),
			"Emit To one of":      srv.Emit("e", nil, socketio.To("r", room)),
			"Emit To twice":       srv.Emit("e", nil, socketio.To("r"), socketio.To(room)),
			"Emit To with others": srv.Emit("e", nil, socketio.To(room), socketio.Broadcast(), socketio.Local()),
			"Emit Except":         srv.Emit("e", nil, socketio.Except("r", room)),
			"Send":                srv.Send("e", socketio.To(room)),
			"Socket.Emit":         s.Emit("e", nil, socketio.To(room)),
			"Socket.Emit Except":  s.Emit("e", nil, socketio.Except(room)),
			"Socket.Send":         s.Send("e", socketio.To(room)),
			"Socket.Call":         only(s.Call(ctx, "e", nil, socketio.To(room))),
			"Server.Call":         only(srv.Call(ctx, "e", nil, socketio.To(room))),
			"Server.Call Except":  only(srv.Call(ctx, "e", nil, socketio.Except(room))),
			"Cluster Members":     only(srv.Cluster().Members(ctx, room)),
			"Cluster CountRoom":   only(srv.Cluster().CountRoom(ctx, room)),
			"DisconnectRoom":      only(srv.Cluster().DisconnectRoom(ctx, room)),
			"MoveRoom from":       only(srv.Cluster().MoveRoom(ctx, room, "r")),
			"MoveRoom to":         only(srv.Cluster().MoveRoom(ctx, "r", room)),
			"JoinAll":             only(srv.Cluster().JoinAll(ctx, room)),
			"Emitter To":          e.Emit("e", nil, socketio.To(room)),
			"Emitter Except":      e.Emit("e", nil, socketio.Except(room)),
			"Emitter JoinRoom":    e.JoinRoom(p.SID, room),
			"Emitter LeaveRoom":   e.LeaveRoom(p.SID, room),
			"Emitter CloseRoom":   e.CloseRoom(room),
		} {
			require.ErrorIs(t, err, socketio.ErrRoomName, name)
		}
		s.Leave(room)
		require.False(t, s.InRoom(room))
		synctest.Wait()
		p.Quiet()
		q.Quiet()
		for _, srv := range f.Servers {
			require.Equal(t, 1, srv.Count())
			require.Len(t, siotest.SIDs(srv), 1)
		}
	})
}

// There are methods of their own for everyone, on this server and on all servers.
func TestEveryoneHasMethodsOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 2, nil)
		one, two := f.Servers[0], f.Servers[1]
		one.Namespace("/a").On("x", func(*socketio.Context) {})
		p, q, r := siotest.Join(t, one, eiotest.WebSocket), siotest.Join(t, one, eiotest.WebSocket), siotest.Join(t, two, eiotest.WebSocket)
		first := p.SID
		p.Connect("/a")
		synctest.Wait()
		require.Equal(t, 2, one.Count())
		require.Equal(t, 1, one.Namespace("/a").Count())
		require.Equal(t, sorted(first, q.SID), sorted(siotest.SIDs(one)...))
		for s := range one.Sockets() { // a loop may end early, and its body may change what it is over
			s.Disconnect()
			break
		}
		synctest.Wait()
		require.Equal(t, 1, one.Count())
		require.Zero(t, one.Namespace("a,b").Count())
		require.Empty(t, siotest.SIDs(one.Namespace("a,b")))

		ctx := soon(t)
		all := one.Cluster()
		joined, err := all.JoinAll(ctx, "room")
		require.NoError(t, err)
		require.Equal(t, 2, joined)
		sids, err := all.SIDs(ctx)
		require.NoError(t, err)
		require.Len(t, sids, 2)
		n, err := two.CountRoom("room")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		n, err = two.CountRoom(r.SID)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		n, err = all.DisconnectAll(ctx)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		synctest.Wait()
		n, err = all.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Equal(t, 1, one.Namespace("/a").Count())
	})
}

// What arrives from the broker with an empty room name reaches nobody either.
func TestAnEmptyRoomFromTheBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := new(brokertest.Memory)
		srv := siotest.NewServer(t, &socketio.Options{Cluster: socketio.ClusterOptions{Broker: service.Connect()}})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		synctest.Wait()
		other := service.Connect()
		publish := func(channel, message string) {
			require.NoError(t, other.Publish(context.Background(), channel, []byte(message)))
		}
		for _, message := range []string{
			`{"method":"emit","host_id":"x","namespace":"/","room":"","event":"e","data":["text"]}`,
			`{"method":"emit","host_id":"x","namespace":"/","room":["",""],"event":"e","data":["text"]}`,
			`{"method":"emit","host_id":"x","namespace":"/","room":[],"event":"e","data":["text"]}`,
			`{"method":"emit","host_id":"x","namespace":"/","room":null,"except":[""],"event":"e","data":["text"]}`,
			`{"method":"close_room","host_id":"x","namespace":"/","room":""}`,
			`{"method":"close_room","host_id":"x","namespace":"/"}`,
			`{"method":"enter_room","host_id":"x","namespace":"/","room":"","sid":"` + p.SID + `"}`,
			`{"method":"leave_room","host_id":"x","namespace":"/","room":"","sid":"` + p.SID + `"}`,
			`{"method":"disconnect","host_id":"x","namespace":"/","room":"","sid":""}`,
		} {
			publish("flask-socketio", message)
		}
		for _, order := range []string{
			`"do":"disconnect","ns":"/"`, `"do":"disconnect","ns":"/","room":""`, `"do":"disconnect","ns":"/","room":null`,
			`"do":"move","ns":"/","other":"r"`, `"do":"move","ns":"/","room":"` + p.SID + `","other":""`,
			`"do":"select","ns":"/","rooms":[""]`, `"do":"members","ns":"/"`, `"do":"count","ns":"/"`,
		} {
			publish(serversChannel, `{"v":1,"is":"ask","host":"x","name":"x","id":1,`+order+`}`)
		}
		synctest.Wait()
		require.Equal(t, []string{p.SID}, srv.Rooms(p.SID))
		require.Equal(t, 1, srv.Count())
		p.Quiet()
	})
}
