package socketio_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// Close cuts everybody off, and waits for nobody.
func TestServerClose(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		release := make(chan struct{})
		var rec siotest.Record
		srv.On("work", func(*socketio.Context) { <-release })
		srv.On("disconnect", func(_ *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
		p := siotest.Join(t, srv, mode)
		p.Send(`2["work"]`)
		synctest.Wait()
		require.NoError(t, srv.Close())
		require.NoError(t, srv.Close())
		p.Closed()
		close(release)
		synctest.Wait()
		rec.Want(t, string(socketio.ReasonServerShutdown))
		sids, rooms, running := srv.Sizes()
		require.Zero(t, sids+rooms+running)
	})
}
