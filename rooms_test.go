package socketio_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

func TestRooms(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
		srv.On("leave", func(c *socketio.Context, room string) { c.Leave(room) })
		srv.On("in", func(c *socketio.Context, room string) bool { return c.InRoom(room) })
		srv.On("rooms", func(c *socketio.Context) []string { return c.Rooms() })
		p, q := siotest.Join(t, srv, mode), siotest.Join(t, srv, mode)
		p.Send(`2["join","b"]`, `2["join","a"]`, `2["join","a"]`, `21["rooms"]`)
		p.Want(`31[["` + p.SID + `","a","b"]]`)
		q.Send(`21["join","a"]`)
		q.Want(`31[]`)
		require.ElementsMatch(t, []string{p.SID, q.SID}, siotest.Members(t, srv, "a"))
		require.ElementsMatch(t, []string{p.SID, q.SID}, siotest.SIDs(srv))
		require.Empty(t, siotest.Members(t, srv, "none"))
		p.Send(`2["leave","a"]`, `2["leave","none"]`, `2["leave","`+p.SID+`"]`, `22["rooms"]`)
		p.Want(`32[["` + p.SID + `","b"]]`)
		p.Send(`23["in","b"]`, `24["in","a"]`, `25["in","`+p.SID+`"]`, `26["in",""]`)
		p.Want(`33[true]`, `34[false]`, `35[true]`, `36[false]`)
		require.Equal(t, []string{q.SID}, siotest.Members(t, srv, "a"))
		require.NoError(t, srv.JoinRoom(p.SID, "a"))
		srv.CloseRoom("a")
		srv.CloseRoom("none")
		require.Empty(t, siotest.Members(t, srv, "a"))
		require.Equal(t, []string{p.SID, "b"}, srv.Rooms(p.SID))
		require.NoError(t, srv.LeaveRoom(p.SID, "b"))
		p.Quiet() // closing a room tells nobody
		_, rooms, _ := srv.Sizes()
		require.Equal(t, 1, rooms)
	})
}

func TestRoomErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		other := srv.Namespace("/other")
		other.On("x", func(c *socketio.Context) {})
		p, q := siotest.Join(t, srv, eiotest.WebSocket), siotest.Join(t, srv, eiotest.WebSocket, "/other")
		s := srv.Socket(p.SID)
		for _, err := range []error{srv.JoinRoom("unknown", "r"), srv.LeaveRoom("unknown", "r"), srv.JoinRoom(q.SID, "r"),
			other.JoinRoom(p.SID, "r"), srv.Disconnect("unknown")} {
			require.ErrorIs(t, err, socketio.ErrUnknownSocket)
		}
		require.Nil(t, srv.Rooms("unknown"))
		require.Nil(t, srv.Socket(q.SID))
		require.ErrorIs(t, srv.JoinRoom(p.SID, ""), socketio.ErrRoomName)
		require.NoError(t, srv.JoinRoom(p.SID, p.SID))
		require.NoError(t, s.Join(q.SID)) // of another namespace, a name like any other
		p.Send(`1`)
		synctest.Wait()
		require.ErrorIs(t, s.Join("late"), socketio.ErrClosed)
		require.Nil(t, s.Rooms())
		require.False(t, s.InRoom(p.SID))
		s.Leave("r")
		require.Empty(t, siotest.Members(t, srv, "late"))
	})
}

// Defect S3, decision 6: a room named like another socket's sid would get its private messages.
func TestPrivateRoomCannotBeJoined(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
		srv.OnError(func(c *socketio.Context, err error) any {
			require.ErrorIs(t, err, socketio.ErrRoomName)
			return "no"
		})
		victim, thief := siotest.Join(t, srv, mode), siotest.Join(t, srv, mode)
		thief.Send(`21["join","` + victim.SID + `"]`)
		thief.Want(`31["no"]`)
		require.NoError(t, srv.Emit("private", nil, socketio.To(victim.SID)))
		victim.Want(`2["private"]`)
		thief.Quiet()
	})
}

// A room may be joined, left and closed while something is emitted to it: who was in it gets it.
func TestRoomChangesDuringEmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		var peers []*siotest.Peer
		for range 5 {
			p := siotest.Join(t, srv, eiotest.WebSocket)
			require.NoError(t, srv.JoinRoom(p.SID, "r"))
			peers = append(peers, p)
		}
		members := siotest.Members(t, srv, "r")
		require.Len(t, members, 5)
		for i, p := range peers { // what was handed out stays as it was
			require.NoError(t, srv.LeaveRoom(p.SID, "r"))
			require.NoError(t, srv.Emit("e", i, socketio.To("r")))
		}
		for i, p := range peers {
			for j := range i {
				p.Want(`2["e",` + string(rune('0'+j)) + `]`)
			}
			p.Quiet()
		}
	})
}

// A session id is a room too, whose one member is that socket.
func TestMembersOfASessionID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		srv.Namespace("/other").On("x", func(*socketio.Context) {})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		require.Equal(t, []string{p.SID}, siotest.Members(t, srv, p.SID))
		require.Empty(t, siotest.Members(t, srv.Namespace("/other"), p.SID))
		p.Send("1")
		synctest.Wait()
		require.Empty(t, siotest.Members(t, srv, p.SID))
	})
}

// What is emitted to a room while a client leaves it reaches that client before
// Leave returns, or not at all.
func TestNothingFollowsLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		p, q := siotest.Join(t, srv, eiotest.WebSocket), siotest.Join(t, srv, eiotest.WebSocket)
		for _, room := range []string{"a", "b"} {
			require.NoError(t, srv.JoinRoom(p.SID, room))
		}
		require.NoError(t, srv.JoinRoom(q.SID, "a"))
		require.NoError(t, srv.EmitDuring(func() { srv.Socket(p.SID).Leave("a") }, "news", "a"))
		q.Want(`2["news"]`)
		p.Quiet()
		require.NoError(t, srv.JoinRoom(p.SID, "a"))
		require.NoError(t, srv.EmitDuring(func() { _ = srv.CloseRoom("a") }, "more", "a", "b"))
		p.Want(`2["more"]`) // it is still in b
		p.Quiet()
		q.Quiet()
		require.NoError(t, srv.JoinRoom(p.SID, "a"))
		replies, err := srv.CallDuring(t.Context(), func() { srv.Socket(p.SID).Leave("a") }, "who", "a")
		require.NoError(t, err)
		require.Empty(t, replies)
		require.Zero(t, srv.Socket(p.SID).PendingAcks())
		p.Quiet()
	})
}
