package socketio_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

func TestRooms(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
		srv.On("leave", func(c *socketio.Context, room string) { c.Leave(room) })
		srv.On("in", func(c *socketio.Context, room string) bool { return c.InRoom(room) })
		srv.On("rooms", func(c *socketio.Context) []string { return c.Rooms() })
		p, q := join(t, srv, mode), join(t, srv, mode)
		p.send(`2["join","b"]`, `2["join","a"]`, `2["join","a"]`, `21["rooms"]`)
		p.want(`31[["` + p.sid + `","a","b"]]`)
		q.send(`21["join","a"]`)
		q.want(`31[]`)
		require.ElementsMatch(t, []string{p.sid, q.sid}, membersOf(t, srv, "a"))
		require.ElementsMatch(t, []string{p.sid, q.sid}, sidsOf(srv))
		require.Empty(t, membersOf(t, srv, "none"))
		p.send(`2["leave","a"]`, `2["leave","none"]`, `2["leave","`+p.sid+`"]`, `22["rooms"]`)
		p.want(`32[["` + p.sid + `","b"]]`)
		p.send(`23["in","b"]`, `24["in","a"]`, `25["in","`+p.sid+`"]`, `26["in",""]`)
		p.want(`33[true]`, `34[false]`, `35[true]`, `36[false]`)
		require.Equal(t, []string{q.sid}, membersOf(t, srv, "a"))
		require.NoError(t, srv.JoinRoom(p.sid, "a"))
		srv.CloseRoom("a")
		srv.CloseRoom("none")
		require.Empty(t, membersOf(t, srv, "a"))
		require.Equal(t, []string{p.sid, "b"}, srv.Rooms(p.sid))
		require.NoError(t, srv.LeaveRoom(p.sid, "b"))
		p.quiet() // closing a room tells nobody
		_, rooms, _ := srv.Sizes()
		require.Equal(t, 1, rooms)
	})
}

func TestRoomErrors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, nil)
		other := srv.Namespace("/other")
		other.On("x", func(c *socketio.Context) {})
		p, q := join(t, srv, eiotest.WebSocket), join(t, srv, eiotest.WebSocket, "/other")
		s := srv.Socket(p.sid)
		for _, err := range []error{srv.JoinRoom("unknown", "r"), srv.LeaveRoom("unknown", "r"), srv.JoinRoom(q.sid, "r"),
			other.JoinRoom(p.sid, "r"), srv.Disconnect("unknown")} {
			require.ErrorIs(t, err, socketio.ErrUnknownSocket)
		}
		require.Nil(t, srv.Rooms("unknown"))
		require.Nil(t, srv.Socket(q.sid))
		require.ErrorIs(t, srv.JoinRoom(p.sid, ""), socketio.ErrRoomName)
		require.NoError(t, srv.JoinRoom(p.sid, p.sid))
		require.NoError(t, s.Join(q.sid)) // of another namespace, a name like any other
		p.send(`1`)
		synctestWait()
		require.ErrorIs(t, s.Join("late"), socketio.ErrClosed)
		require.Nil(t, s.Rooms())
		require.False(t, s.InRoom(p.sid))
		s.Leave("r")
		require.Empty(t, membersOf(t, srv, "late"))
	})
}

// Defect S3, decision 6: a room named like another socket's sid would get its private messages.
func TestPrivateRoomCannotBeJoined(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
		srv.OnError(func(c *socketio.Context, err error) any {
			require.ErrorIs(t, err, socketio.ErrRoomName)
			return "no"
		})
		victim, thief := join(t, srv, mode), join(t, srv, mode)
		thief.send(`21["join","` + victim.sid + `"]`)
		thief.want(`31["no"]`)
		require.NoError(t, srv.Emit("private", nil, socketio.To(victim.sid)))
		victim.want(`2["private"]`)
		thief.quiet()
	})
}

// A room may be joined, left and closed while something is emitted to it: who was in it gets it.
func TestRoomChangesDuringEmit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, nil)
		var peers []*peer
		for range 5 {
			p := join(t, srv, eiotest.WebSocket)
			require.NoError(t, srv.JoinRoom(p.sid, "r"))
			peers = append(peers, p)
		}
		members := membersOf(t, srv, "r")
		require.Len(t, members, 5)
		for i, p := range peers { // what was handed out stays as it was
			require.NoError(t, srv.LeaveRoom(p.sid, "r"))
			require.NoError(t, srv.Emit("e", i, socketio.To("r")))
		}
		for i, p := range peers {
			for j := range i {
				p.want(`2["e",` + string(rune('0'+j)) + `]`)
			}
			p.quiet()
		}
	})
}

// A session id is a room too, whose one member is that socket.
func TestMembersOfASessionID(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, nil)
		srv.Namespace("/other").On("x", func(*socketio.Context) {})
		p := join(t, srv, eiotest.WebSocket)
		require.Equal(t, []string{p.sid}, membersOf(t, srv, p.sid))
		require.Empty(t, membersOf(t, srv.Namespace("/other"), p.sid))
		p.send("1")
		synctestWait()
		require.Empty(t, membersOf(t, srv, p.sid))
	})
}

// What is emitted to a room while a client leaves it reaches that client before
// Leave returns, or not at all.
func TestNothingFollowsLeave(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, nil)
		p, q := join(t, srv, eiotest.WebSocket), join(t, srv, eiotest.WebSocket)
		for _, room := range []string{"a", "b"} {
			require.NoError(t, srv.JoinRoom(p.sid, room))
		}
		require.NoError(t, srv.JoinRoom(q.sid, "a"))
		require.NoError(t, srv.EmitDuring(func() { srv.Socket(p.sid).Leave("a") }, "news", "a"))
		q.want(`2["news"]`)
		p.quiet()
		require.NoError(t, srv.JoinRoom(p.sid, "a"))
		require.NoError(t, srv.EmitDuring(func() { _ = srv.CloseRoom("a") }, "more", "a", "b"))
		p.want(`2["more"]`) // it is still in b
		p.quiet()
		q.quiet()
		require.NoError(t, srv.JoinRoom(p.sid, "a"))
		replies, err := srv.CallDuring(t.Context(), func() { srv.Socket(p.sid).Leave("a") }, "who", "a")
		require.NoError(t, err)
		require.Empty(t, replies)
		require.Zero(t, srv.Socket(p.sid).PendingAcks())
		p.quiet()
	})
}
