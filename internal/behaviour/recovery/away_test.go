package recovery_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// Rooms joined and left while the client is away count from then on.
func TestRoomsWhileAway(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		require.NoError(t, srv.JoinRoom(c.SID, "old"))
		c.Drop()
		srv.emit(t, "new", 1, socketio.To("new"))
		srv.emit(t, "old", 1, socketio.To("old"))
		require.NoError(t, srv.JoinRoom(c.SID, "new"))
		require.NoError(t, srv.LeaveRoom(c.SID, "old"))
		srv.emit(t, "new", 2, socketio.To("new"))
		srv.emit(t, "old", 2, socketio.To("old"))
		require.Equal(t, []string{c.SID, "new"}, srv.Rooms(c.SID))
		c.Connect()
		require.True(t, c.Recovered)
		c.Want(`["old",1]`, `["new",2]`)
	})
}

// What a client that is away is, and is not, in.
func TestAwayIsNotConnected(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		require.NoError(t, srv.JoinRoom(c.SID, "r"))
		s := srv.Socket(c.SID)
		check := func(connected, known int) {
			t.Helper()
			require.Equal(t, connected == 1, s.Connected())
			require.Equal(t, known > connected, s.Away())
			require.Equal(t, connected, srv.Count())
			require.Equal(t, known, srv.Count(socketio.IncludeAway()))
			require.Len(t, siotest.SIDs(srv), connected)
			n := 0
			for range srv.Sockets(socketio.IncludeAway()) {
				n++
			}
			require.Equal(t, known, n)
			for _, room := range []string{"r", c.SID} {
				require.Len(t, siotest.Members(t, srv, room), connected)
				all, err := srv.Members(room, socketio.IncludeAway())
				require.NoError(t, err)
				require.Len(t, all, known)
				count, err := srv.CountRoom(room, socketio.IncludeAway())
				require.NoError(t, err)
				require.Equal(t, known, count)
			}
			ctx := t.Context()
			is, err := srv.Cluster().Connected(ctx, c.SID)
			require.NoError(t, err)
			require.Equal(t, connected == 1, is)
			all, err := srv.Cluster().SIDs(ctx, socketio.IncludeAway())
			require.NoError(t, err)
			require.Len(t, all, known)
			st := srv.Stats()
			require.Equal(t, connected, st.Sockets["/"])
			require.Equal(t, known-connected, st.Recovery.Away["/"])
		}
		check(1, 1)
		ctx := s.Context()
		require.NoError(t, ctx.Err())
		c.Drop()
		check(0, 1)
		var left *socketio.DisconnectError
		require.ErrorAs(t, context.Cause(ctx), &left)
		require.Error(t, s.Context().Err())
		require.ErrorIs(t, s.Flush(t.Context()), socketio.ErrClosed)
		c.Connect()
		synctest.Wait() // the client may have its answer before the socket is in its place
		check(1, 1)
		require.NoError(t, s.Context().Err())
		require.Equal(t, uint64(1), srv.Stats().Recovery.Recovered)
		c.Drop()
		time.Sleep(3 * time.Minute)
		check(0, 0)
	})
}

// Ends that are intended are ends.
func TestIntendedEnds(t *testing.T) {
	for name, end := range map[string]func(srv *server, c *siotest.Returner){
		"client disconnect":  func(_ *server, c *siotest.Returner) { c.Send("1") },
		"server disconnect":  func(srv *server, c *siotest.Returner) { srv.Socket(c.SID).Disconnect() },
		"connection closed":  func(srv *server, c *siotest.Returner) { srv.Socket(c.SID).CloseConnection() },
		"parse error":        func(_ *server, c *siotest.Returner) { _ = c.Client().Send("nonsense") },
		"disconnect, away":   func(srv *server, c *siotest.Returner) { c.Drop(); srv.Socket(c.SID).Disconnect() },
		"connection of away": func(srv *server, c *siotest.Returner) { c.Drop(); srv.Socket(c.SID).CloseConnection() },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
				sid, pid := c.SID, c.PID
				end(srv, c)
				synctest.Wait()
				require.Nil(t, srv.Socket(sid))
				lines := srv.rec.Take()
				if strings.Contains(name, "away") {
					require.Len(t, lines, 2)
					require.Equal(t, "expired: server disconnect, away false", lines[1])
				} else {
					require.Len(t, lines, 1)
					require.Contains(t, lines[0], "away false")
				}
				c.Drop()
				c.Connect()
				require.False(t, c.Recovered)
				require.NotEqual(t, sid, c.SID)
				require.NotEqual(t, pid, c.PID)
				srv.rec.Want(t, "connect false")
			})
		})
	}
}

// A return that the connect handler refuses ends the session.
func TestRefusedReturn(t *testing.T) {
	for _, always := range []bool{false, true} {
		t.Run(fmt.Sprint(always), func(t *testing.T) {
			each(t, socketio.Options{AlwaysConnect: always}, func(t *testing.T, srv *server, c *siotest.Returner) {
				require.NoError(t, srv.JoinRoom(c.SID, "r"))
				s := srv.Socket(c.SID)
				c.Drop()
				srv.rec.Take()
				c.Auth = map[string]any{"refuse": true}
				c.Connect()
				srv.rec.Want(t, "connect true", "expired: refused, away false")
				if always {
					require.Equal(t, []string{"disconnected"}, c.Received())
				} else {
					require.Equal(t, `{"message":"no"}`, c.Refused)
				}
				require.Empty(t, s.Rooms())
				require.False(t, s.Away())
				c.Auth = nil
				c.SendConnect()
				c.Answered()
				require.False(t, c.Recovered)
				require.Equal(t, uint64(1), srv.Stats().Recovery.Expired[socketio.ExpiredRefused])
			})
		})
	}
}

// When the window is over, the session has ended: its rooms are left, questions fail, hooks and OnExpired hear of it.
func TestWindow(t *testing.T) {
	each(t, socketio.Options{Recovery: &socketio.Recovery{Window: 10 * time.Second}}, func(t *testing.T, srv *server, c *siotest.Returner) {
		var hooks siotest.Record
		srv.AddHooks(socketio.Hooks{
			SocketConnected:    func(s *socketio.Socket) { hooks.Add("connected %v", s.Recovered()) },
			SocketDisconnected: func(*socketio.Socket, socketio.Reason, error) { hooks.Add("disconnected") },
			Left:               func(_ *socketio.Socket, room string) { hooks.Add("left %s", room) },
			Joined:             func(_ *socketio.Socket, room string) { hooks.Add("joined %s", room) },
			Expired:            func(_ *socketio.Socket, why socketio.Expiry) { hooks.Add("expired %s", why) },
		})
		require.NoError(t, srv.JoinRoom(c.SID, "r"))
		c.Drop()
		time.Sleep(9 * time.Second)
		c.Connect()
		require.True(t, c.Recovered)
		hooks.Want(t, "joined r", "disconnected", "connected true")
		c.Drop()
		srv.rec.Take()
		srv.emit(t, "q", nil, socketio.OnAck(func(c *socketio.Context, err error) { srv.rec.Add("%v", errors.Is(err, socketio.ErrClosed)) }))
		time.Sleep(11 * time.Second)
		require.ElementsMatch(t, []string{"expired: window, away false", "true"}, srv.rec.Take())
		hooks.Want(t, "disconnected", "left r", "expired window")
		require.Nil(t, srv.Socket(c.SID))
		c.Connect()
		require.False(t, c.Recovered)
		srv.emit(t, "e", 1)
		c.Want(`["e",1]`)
		st := srv.Stats().Recovery
		require.Equal(t, uint64(1), st.NotRecovered["unknown"])
		require.Equal(t, uint64(1), st.Expired[socketio.ExpiredWindow])
		// It has the offset of the old session until it gets an event.
		c.Drop()
		c.Connect()
		require.True(t, c.Recovered)
	})
}
