package recovery_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// A handler that is busy until the session has expired delays the disconnect handler. That one must
// not say that it is the end, because OnExpired does: who cleans up would do so twice.
func TestTheEndIsSaidOnceIfHandlersAreLate(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{Recovery: &socketio.Recovery{Window: time.Minute}})
		var rec siotest.Record
		idle := make(chan struct{})
		srv.On("busy", func(*socketio.Context) { <-idle })
		srv.On("disconnect", func(c *socketio.Context) { rec.Add("disconnect, away %v", c.Away()) })
		srv.OnExpired(func(s *socketio.Socket, why socketio.Expiry) { rec.Add("expired, away %v", s.Away()) })
		c := siotest.NewReturner(t, srv, mode).Connect()
		c.Send(`2["busy"]`)
		synctest.Wait()
		c.Drop()
		time.Sleep(2 * time.Minute)
		rec.Want(t)
		close(idle)
		synctest.Wait()
		rec.Want(t, "disconnect, away true", "expired, away false")
	})
}
