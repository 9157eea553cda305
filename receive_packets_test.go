package socketio_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// A client that sends what means nothing, and nothing slows down, is read from slowly; it is not closed, and it is
// logged which option decides.
func TestUselessPacketsAreSlowedDown(t *testing.T) {
	for _, packet := range []string{`37[]`, `2/left,["e"]`, `0/nowhere,`} {
		t.Run(packet, func(t *testing.T) {
			eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
				var log siotest.Logs
				srv := siotest.NewServer(t, &socketio.Options{Logger: siotest.Logger(&log), Namespaces: []string{"/left"}})
				done := make(chan bool)
				srv.On("done", func(*socketio.Context) { done <- true })
				p := siotest.Join(t, srv, mode, "/", "/left")
				p.Send("1/left,")
				synctest.Wait()
				for range 9_900 { // within the burst
					p.Send(packet)
				}
				synctest.Wait()
				require.Zero(t, srv.Stats().LimitHits["ControlRate"])
				begin := time.Now()
				for range 20_000 {
					p.Send(packet)
				}
				p.Send(`2["done"]`)
				<-done
				require.Greater(t, time.Since(begin), 15*time.Second)
				require.Positive(t, srv.Stats().LimitHits["ControlRate"])
				require.Contains(t, log.String(), "Options.Limits.ControlRate")
				require.Nil(t, p.Client.Err())
			})
		})
	}
}

// Acknowledgements that nobody expects count as events.
func TestUnexpectedAcksCountAsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{EventRate: 10}})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		for range 30 {
			_ = p.Client.Send(`37[]`) // it may be closed by now
		}
		p.Closed()
		require.EqualValues(t, 1, srv.Stats().Closed[socketio.ReasonTransportError])
	})
}

// A binary packet whose attachments do not come ends its connection; one whose attachments come slowly is handled.
func TestAttachmentsThatDoNotCome(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		var log siotest.Logs
		srv := siotest.NewServer(t, &socketio.Options{Logger: siotest.Logger(&log)})
		var rec siotest.Record
		srv.On("e", func(c *socketio.Context, b [][]byte) { rec.Add("%d", len(b)) })
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
		p := siotest.Join(t, srv, mode)
		header := `55-["e",[`
		for i := range 5 {
			header += fmt.Sprintf(`{"_placeholder":true,"num":%d},`, i)
		}
		header = strings.TrimSuffix(header, ",") + `]]`
		p.Send(header)
		for range 5 {
			time.Sleep(40 * time.Second)
			p.Send("b:x")
		}
		rec.Want(t, "5")
		time.Sleep(10 * time.Minute)
		p.Send(header, "b:x", "b:x", "b:x", "b:x")
		time.Sleep(40 * time.Second)
		rec.Want(t)
		time.Sleep(time.Minute)
		rec.Want(t, "parse error")
		require.Contains(t, log.String(), "Options.PingInterval and PingTimeout")
	})
}

// It needs no timer while no packet is incomplete.
func TestCompletePacketsNeedNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		srv.On("e", func(c *socketio.Context, b []byte) []byte { return b })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		for range 100 {
			p.Send(`51-7["e",{"_placeholder":true,"num":0}]`, "b:x")
			p.Want(`61-7[{"_placeholder":true,"num":0}]`, "b:x")
			time.Sleep(10 * time.Second)
		}
		p.Send(`51-7["e",{"_placeholder":true,"num":0}]`, "b:x")
		synctest.Wait()
		require.True(t, srv.Socket(p.SID).AssemblyWatched())
		time.Sleep(2 * time.Minute)
		require.False(t, srv.Socket(p.SID).AssemblyWatched())
	})
}
