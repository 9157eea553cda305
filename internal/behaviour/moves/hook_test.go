package moves_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// The hook Moved is called once where a session was, after SocketDisconnected, and instead of Expired;
// SocketConnected is called where it goes on.
func TestMovedHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, nil)
		var rec siotest.Record
		for i, srv := range f.Servers {
			name := string(rune('a' + i))
			srv.AddHooks(socketio.Hooks{
				SocketConnected: func(s *socketio.Socket) { rec.Add("%s: connected %v", name, s.Recovered()) },
				SocketDisconnected: func(s *socketio.Socket, why socketio.Reason, _ error) {
					rec.Add("%s: disconnected %v away %v", name, why, s.Away())
				},
				Moved:   func(s *socketio.Socket) { rec.Add("%s: moved %s %v", name, s.ID(), s.Connected()) },
				Expired: func(_ *socketio.Socket, why socketio.Expiry) { rec.Add("%s: expired %v", name, why) },
			})
		}
		c := siotest.NewReturner(t, f.Servers[0], eiotest.WebSocket).Connect()
		rec.Want(t, "a: connected false")
		c.Drop()
		rec.Want(t, "a: disconnected transport close away true")
		c.To(f.Servers[1]).Connect()
		require.True(t, c.Recovered)
		synctest.Wait()
		require.ElementsMatch(t, []string{"a: moved " + c.SID + " false", "b: connected true"}, rec.Take())
		c.Drop()
		c.To(f.Servers[0]).Connect()
		require.True(t, c.Recovered)
		synctest.Wait()
		heard := rec.Take()
		require.Equal(t, "b: disconnected transport close away true", heard[0])
		require.ElementsMatch(t, []string{"b: moved " + c.SID + " false", "a: connected true"}, heard[1:])
	})
}
