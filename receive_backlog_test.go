package socketio_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// Report B: a client that sends faster than its handlers run is held back, and all it sent is handled, in order.
func TestClientFasterThanItsHandlers(t *testing.T) {
	for _, tt := range []struct{ events, size int }{{6000, 1000}, {12, 900_000}} {
		t.Run(fmt.Sprintf("%d events of %d bytes", tt.events, tt.size), func(t *testing.T) {
			eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
				srv := siotest.NewServer(t, nil)
				handled := 0
				done := make(chan struct{})
				srv.On("e", func(c *socketio.Context, n int, s string) {
					time.Sleep(time.Millisecond)
					assert.Equal(t, handled, n, "out of order")
					assert.Len(t, s, tt.size)
					if handled++; handled == tt.events {
						close(done)
					}
				})
				p := siotest.Join(t, srv, mode)
				data := strings.Repeat("x", tt.size)
				for i := range tt.events {
					p.Send(fmt.Sprintf(`2["e",%d,"%s"]`, i, data))
				}
				<-done
				synctest.Wait()
				require.Zero(t, srv.Socket(p.SID).Queued())
				require.Positive(t, srv.Stats().LimitHits["ReceiveQueueLimit"], "the limit has been reached")
				p.Send(`21["unknown"]`)
				require.Empty(t, srv.Stats().Closed[socketio.ReasonTransportError])
			})
		})
	}
}

// slowly has handlers that block until release is closed or gets a value.
func slowly(t *testing.T, opts socketio.Options) (srv *socketio.Server, rec *siotest.Record, log *siotest.Logs, release chan struct{}) {
	log, rec, release = new(siotest.Logs), new(siotest.Record), make(chan struct{})
	opts.Logger = siotest.Logger(log)
	srv = siotest.NewServer(t, &opts)
	srv.On("slow", func(c *socketio.Context, n int) {
		rec.Add("begin %d", n)
		<-release
		rec.Add("end %d", n)
	})
	srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
	t.Cleanup(func() { close(release) }) // before newServer's
	return srv, rec, log, release
}

// slowEvent counts 1,000 bytes.
func slowEvent(n int) string {
	return fmt.Sprintf(`2["slow",%3d,"%s"]`, n, strings.Repeat("x", 1000-256-16))
}

// A connection is closed if none of its handlers returns while it is held back, and what waits behind them is dropped.
func TestStuckHandlerEndsItsConnection(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv, rec, log, release := slowly(t, socketio.Options{Limits: socketio.Limits{ReceiveQueueLimit: 10_000}})
		p := siotest.Join(t, srv, mode)
		s := srv.Socket(p.SID)
		for i := range 30 {
			p.Send(slowEvent(i))
		}
		time.Sleep(40 * time.Second)
		require.EqualValues(t, 11_000, s.Queued())
		release <- struct{}{}
		rec.Want(t, "begin 0", "end 0", "begin 1")
		time.Sleep(40 * time.Second) // less than 45 seconds since a handler has returned
		require.Nil(t, p.Client.Err())
		require.Equal(t, 1, srv.Stats().Paused)
		require.NotContains(t, log.String(), "ReceiveQueueLimit")
		time.Sleep(10 * time.Second)
		p.Closed()
		synctest.Wait()
		require.EqualValues(t, 1256, s.Queued(), "what waits is dropped, although the handler has not returned")
		require.Contains(t, log.String(), "Options.Limits.ReceiveQueueLimit")
		rec.Want(t)
		release <- struct{}{}
		rec.Want(t, "end 1", "transport error")
		require.Zero(t, s.Queued())
		require.Zero(t, srv.Stats().Paused)
	})
}

// What a client that has gone has left behind is handled as long as handlers return, and dropped when one does not.
func TestBacklogOfAClientThatHasGone(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv, rec, log, release := slowly(t, socketio.Options{})
		p := siotest.Join(t, srv, mode)
		s := srv.Socket(p.SID)
		for i := range 5 {
			p.Send(slowEvent(i))
		}
		synctest.Wait()
		p.Client.Close()
		time.Sleep(40 * time.Second)
		release <- struct{}{}
		time.Sleep(40 * time.Second)
		require.EqualValues(t, 4256, s.Queued())
		release <- struct{}{}
		rec.Want(t, "begin 0", "end 0", "begin 1", "end 1", "begin 2")
		time.Sleep(50 * time.Second)
		require.EqualValues(t, 1256, s.Queued())
		require.Contains(t, log.String(), "2 events dropped")
		release <- struct{}{}
		time.Sleep(time.Second)
		lines := rec.Take()
		require.Len(t, lines, 2)
		require.Equal(t, "end 2", lines[0])
		require.Zero(t, s.Queued())
	})
}

// What the server cuts off is dropped at once, whatever its handlers do, and only that.
func TestBacklogOfASocketThatIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, rec, _, release := slowly(t, socketio.Options{})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		s := srv.Socket(p.SID)
		for i := range 5 {
			p.Send(slowEvent(i))
		}
		synctest.Wait()
		s.Disconnect()
		require.EqualValues(t, 1256, s.Queued())
		p.Want("1")
		p.Send("0", `21["slow",9]`) // waits behind the disconnect handler
		synctest.Wait()
		release <- struct{}{}
		rec.Want(t, "begin 0", "end 0", "server disconnect", "begin 9")
		release <- struct{}{}
		p.Connected("/")
		p.Want("31[]")
	})
}

// With AsyncHandlers the handlers of one connection overlap, up to a limit; those above it wait in order.
func TestAsyncLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{AsyncHandlers: true})
		var running, most, handled atomic.Int64
		release := make(chan struct{})
		srv.On("e", func(c *socketio.Context, n int) {
			most.Store(max(most.Load(), running.Add(1)))
			<-release
			running.Add(-1)
			handled.Add(1)
		})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		before := runtime.NumGoroutine()
		for i := range 15_000 {
			p.Send(fmt.Sprintf(`2["e",%d]`, i))
		}
		synctest.Wait()
		require.EqualValues(t, 100, running.Load())
		require.Less(t, runtime.NumGoroutine()-before, 120)
		require.Nil(t, p.Client.Err())
		close(release)
		synctest.Wait()
		require.EqualValues(t, 15_000, handled.Load())
		require.LessOrEqual(t, most.Load(), int64(100))
	})
}
