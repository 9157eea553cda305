package socketio_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

func TestConnectedAndRemote(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		one := f.Servers[0]
		one.On("connect", func(c *socketio.Context) { require.False(t, c.Connected(), "it has not been accepted") })
		one.On("disconnect", func(c *socketio.Context) { require.False(t, c.Connected(), "it has left") })
		p, q := siotest.Join(t, one, eiotest.WebSocket), siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		synctest.Wait()
		s := one.Socket(p.SID)
		require.True(t, s.Connected())
		require.False(t, s.Remote())

		remote := make(chan *socketio.Socket, 1)
		require.NoError(t, one.Emit("ask", nil, socketio.To(q.SID), socketio.OnAck(func(c *socketio.Context) { remote <- c.Socket })))
		q.Send("3" + q.WantAckEvent(`["ask"]`) + "[]")
		s2 := <-remote
		require.True(t, s2.Remote())
		require.False(t, s2.Connected())
		require.Equal(t, q.SID, s2.ID())

		s.Disconnect()
		require.False(t, s.Connected())
		synctest.Wait()
		require.False(t, s.Connected())
	})
}
