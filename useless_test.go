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
)

// A client that sends what means nothing, and nothing slows down, is read from slowly; it is not closed, and it is
// logged which option decides.
func TestUselessPacketsAreSlowedDown(t *testing.T) {
	for _, packet := range []string{`37[]`, `2/left,["e"]`, `0/nowhere,`} {
		t.Run(packet, func(t *testing.T) {
			modes(t, func(t *testing.T, mode eiotest.Mode) {
				var log logs
				srv := newServer(t, &socketio.Options{Logger: logger(&log), Namespaces: []string{"/left"}})
				done := make(chan bool)
				srv.On("done", func(*socketio.Context) { done <- true })
				p := join(t, srv, mode, "/", "/left")
				p.send("1/left,")
				synctest.Wait()
				for range 9_900 { // within the burst
					p.send(packet)
				}
				synctest.Wait()
				require.Zero(t, srv.Stats().LimitHits["ControlRate"])
				begin := time.Now()
				for range 20_000 {
					p.send(packet)
				}
				p.send(`2["done"]`)
				<-done
				require.Greater(t, time.Since(begin), 15*time.Second)
				require.Positive(t, srv.Stats().LimitHits["ControlRate"])
				require.Contains(t, log.String(), "Options.Limits.ControlRate")
				require.Nil(t, p.c.Err())
			})
		})
	}
}

// Acknowledgements that nobody expects count as events.
func TestUnexpectedAcksCountAsEvents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, &socketio.Options{Limits: socketio.Limits{EventRate: 10}})
		p := join(t, srv, eiotest.WebSocket)
		for range 30 {
			_ = p.c.Send(`37[]`) // it may be closed by now
		}
		p.closed()
		require.EqualValues(t, 1, srv.Stats().Closed[socketio.ReasonTransportError])
	})
}

// A binary packet whose attachments do not come ends its connection; one whose attachments come slowly is handled.
func TestAttachmentsThatDoNotCome(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		var log logs
		srv := newServer(t, &socketio.Options{Logger: logger(&log)})
		var rec record
		srv.On("e", func(c *socketio.Context, b [][]byte) { rec.add("%d", len(b)) })
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.add("%s", why) })
		p := join(t, srv, mode)
		header := `55-["e",[`
		for i := range 5 {
			header += fmt.Sprintf(`{"_placeholder":true,"num":%d},`, i)
		}
		header = strings.TrimSuffix(header, ",") + `]]`
		p.send(header)
		for range 5 {
			time.Sleep(40 * time.Second)
			p.send("b:x")
		}
		rec.want(t, "5")
		time.Sleep(10 * time.Minute)
		p.send(header, "b:x", "b:x", "b:x", "b:x")
		time.Sleep(40 * time.Second)
		rec.want(t)
		time.Sleep(time.Minute)
		rec.want(t, "parse error")
		require.Contains(t, log.String(), "Options.PingInterval and PingTimeout")
	})
}

// It needs no timer while no packet is incomplete.
func TestCompletePacketsNeedNoTimer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, nil)
		srv.On("e", func(c *socketio.Context, b []byte) []byte { return b })
		p := join(t, srv, eiotest.WebSocket)
		for range 100 {
			p.send(`51-7["e",{"_placeholder":true,"num":0}]`, "b:x")
			p.want(`61-7[{"_placeholder":true,"num":0}]`, "b:x")
			time.Sleep(10 * time.Second)
		}
		p.send(`51-7["e",{"_placeholder":true,"num":0}]`, "b:x")
		synctest.Wait()
		require.True(t, srv.Socket(p.sid).AssemblyWatched())
		time.Sleep(2 * time.Minute)
		require.False(t, srv.Socket(p.sid).AssemblyWatched())
	})
}
