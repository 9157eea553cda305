package recovery_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

func TestFirst(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{Recovery: &socketio.Recovery{}})
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context) error {
			rec.Add("connect %v %v", c.Recovered(), c.Rooms()[1:])
			if !c.Recovered() {
				c.Session().Set("k", 1)
				return c.Join("r")
			}
			require.Equal(t, 1, c.Session().Get("k"))
			return c.Emit("welcome", nil)
		})
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) {
			rec.Add("disconnect %v %v", why, c.Away())
		})
		srv.OnExpired(func(s *socketio.Socket, why socketio.Expiry) { rec.Add("expired %v", why) })
		c := siotest.NewReturner(t, srv, mode).Connect()
		rec.Want(t, "connect false []")
		require.NotEmpty(t, c.PID)
		require.NoError(t, srv.Emit("e", 1))
		c.Want(`["e",1]`)
		sid := c.SID
		c.Drop()
		require.Len(t, rec.Take(), 1)
		require.NoError(t, srv.Emit("e", 2, socketio.To("r")))
		require.NoError(t, srv.Emit("e", 3, socketio.To(sid)))
		require.NoError(t, srv.Emit("e", []byte{4}))
		c.Connect()
		require.True(t, c.Recovered)
		require.Equal(t, sid, c.SID)
		c.Want(`["e",2]`, `["e",3]`, `["e",{"_placeholder":true,"num":0}] b:`+"\x04", `["welcome"]`)
		rec.Want(t, "connect true [r]")
	})
}
