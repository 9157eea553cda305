package socketio_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// A session does not go to another server while its client is connected, as it may be again in the moment
// between the end of its connection and that: then that connection is ended, too. It does not go either if the
// client has come back since the other server asked for it.
func TestDepartAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Recovery: &socketio.Recovery{}})
		srv.On("connect", func(c *socketio.Context) error { return c.Join("r") })
		c := siotest.NewReturner(t, srv, eiotest.WebSocket).Connect()
		s := srv.Socket(c.SID)
		nothing := func() {}
		gone, joined := s.Depart(nothing)
		require.False(t, gone)
		require.True(t, joined)
		require.NoError(t, srv.Emit("e", 1, socketio.To("r")))
		c.Want(`["e",1]`)
		c.Drop()
		c.Connect()
		require.True(t, c.Recovered)
		c.Drop()
		gone, joined = s.Depart(func() {
			c.Connect()
			require.True(t, c.Recovered)
			c.Drop()
		})
		require.False(t, gone)
		require.False(t, joined)
		gone, joined = s.Depart(nothing)
		require.True(t, gone)
		require.False(t, joined)
		synctest.Wait()
		require.Nil(t, srv.Socket(c.SID))
	})
}
