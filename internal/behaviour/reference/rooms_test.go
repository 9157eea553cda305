package reference_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// A room exists while it has members, in each namespace by itself. The reference server's adapter says when a room is
// created and deleted; here the hooks name every member that joins or leaves, once each, and Stats.Rooms counts the
// rooms. (JS 147)
func TestRoomsExistWhileTheyHaveMembers(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.AddHooks(socketio.Hooks{
			Joined: func(s *socketio.Socket, room string) { rec.Add("joined %s %s", s.Namespace().Name(), room) },
			Left:   func(s *socketio.Socket, room string) { rec.Add("left %s %s", s.Namespace().Name(), room) },
		})
		other := srv.Namespace("/other")
		other.On("e", func(*socketio.Context) {})
		p, q, r := siotest.Join(t, srv, mode), siotest.Join(t, srv, mode), siotest.Join(t, srv, mode, "/other")
		rooms := func(want int) {
			t.Helper()
			require.Equal(t, want, srv.Stats().Rooms)
		}
		rooms(0)
		require.NoError(t, srv.JoinRoom(p.SID, "room"))
		rooms(1)
		require.NoError(t, srv.JoinRoom(p.SID, "room")) // again
		require.NoError(t, srv.JoinRoom(q.SID, "room"))
		rooms(1)
		rec.Want(t, "joined / room", "joined / room")
		require.NoError(t, other.JoinRoom(r.SID, "room"))
		rooms(2)
		rec.Want(t, "joined /other room")
		require.Equal(t, []string{r.SID}, siotest.Members(t, other, "room"))

		require.NoError(t, srv.LeaveRoom(p.SID, "room"))
		require.NoError(t, srv.LeaveRoom(p.SID, "room"))
		rooms(2)
		rec.Want(t, "left / room")
		q.Client.Close() // the last member
		rec.Want(t, "left / room")
		rooms(1)
		require.Empty(t, siotest.Members(t, srv, "room"))
		require.NoError(t, other.CloseRoom("room"))
		rooms(0)
		rec.Want(t, "left /other room")
	})
}
