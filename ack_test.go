package socketio_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// The acknowledgement id 0 destroyed the counter of the client: later callbacks failed with a KeyError.
func TestDefectL16_ForgedAckIDs(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		p := siotest.Join(t, srv, mode)
		s := srv.Socket(p.SID)
		ask := func() string {
			require.NoError(t, s.Emit("q", nil, socketio.OnAck(func(c *socketio.Context, n int) { rec.Add("%d", n) })))
			return p.WantAckEvent(`["q"]`)
		}
		id := ask()
		p.Send(`30[1]`, `3999999999999999999[2]`, `3`+id+`[3]`, `3`+id+`[4]`, `30[5]`)
		rec.Want(t, "3")
		p.Send(`3` + ask() + `[6]`)
		rec.Want(t, "6")
		require.Zero(t, s.PendingAcks())
		reply := make(chan error)
		go func() {
			_, err := s.Call(context.Background(), "call", nil)
			reply <- err
		}()
		p.Send(`30[7]`, `3`+p.WantAckEvent(`["call"]`)+`[]`)
		require.NoError(t, <-reply)
	})
}
