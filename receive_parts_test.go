package socketio_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// What had arrived of a packet stayed behind when the connection ended.
func TestDefectL8_PartialPacketIsForgotten(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("e", func(c *socketio.Context, args ...any) { rec.Add("%v", args) })
		p := siotest.Join(t, srv, mode)
		s := srv.Socket(p.SID)
		p.Send(`52-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, `b:1`)
		synctest.Wait()
		p.Client.Abort()
		<-s.Context().Done()
		rec.Want(t)
		require.Zero(t, s.Queued())
		sids, rooms, running := srv.Sizes()
		require.Zero(t, sids+rooms+running)
		p = siotest.Join(t, srv, mode)
		p.Send(`2["e",1]`)
		rec.Want(t, "[1]")
	})
}
