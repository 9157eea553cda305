package socketio_test

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// later is a server whose handlers of "later" give their acknowledgement away.
func later(t *testing.T, opts *socketio.Options) (srv *socketio.Server, acks chan func(any, error) error) {
	srv = siotest.NewServer(t, opts)
	acks = make(chan func(any, error) error, 10)
	srv.On("later", func(c *socketio.Context) { acks <- c.DeferAck() })
	srv.On("now", func(c *socketio.Context) int { return 1 })
	return srv, acks
}

func TestDeferAck(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv, acks := later(t, nil)
		p := siotest.Join(t, srv, mode)
		p.Send(`25["later"]`, `26["now"]`)
		p.Want(`36[1]`) // which does not wait
		synctest.Wait()
		require.Zero(t, srv.Socket(p.SID).Queued(), "the event has been handled")
		ack := <-acks
		p.Quiet()
		done := make(chan error)
		go func() { done <- ack("result", nil) }()
		require.NoError(t, <-done)
		p.Want(`35["result"]`)
		require.ErrorIs(t, ack("again", nil), socketio.ErrAcked)
		require.ErrorIs(t, ack(nil, errors.New("again")), socketio.ErrAcked)
		p.Quiet()

		for _, result := range []struct {
			value any
			want  string
		}{{nil, `[]`}, {socketio.Args{1, "b"}, `[1,"b"]`}, {map[string]int{"a": 1}, `[{"a":1}]`}} {
			p.Send(`27["later"]`)
			require.NoError(t, (<-acks)(result.value, nil))
			p.Want(`37` + result.want)
		}
		p.Send(`28["later"]`)
		require.NoError(t, (<-acks)([]byte("x"), nil))
		p.Want(`61-8[{"_placeholder":true,"num":0}]`, "b:x")
	})
}

// An error is what a handler's is.
func TestDeferAckErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, acks := later(t, nil)
		p := siotest.Join(t, srv, eiotest.WebSocket)
		next := func() func(any, error) error {
			p.Send(`21["later"]`)
			return <-acks
		}
		require.NoError(t, next()(nil, &socketio.Error{Message: "no"}))
		p.Want(`31[{"error":{"message":"no"}}]`)
		require.NoError(t, next()("dropped", errors.New("for the log")))
		p.Quiet()
		require.Error(t, next()(func() {}, nil), "it cannot be encoded")
		p.Quiet()
		require.EqualValues(t, 3, srv.Stats().HandlerErrors)

		var rec siotest.Record
		srv.OnError(func(c *socketio.Context, err error) any { rec.Add("%s %v", c.Event(), err); return "sorry" })
		require.NoError(t, next()(nil, errors.New("broke")))
		p.Want(`31["sorry"]`)
		rec.Want(t, "later broke")
		require.ErrorContains(t, next()(make(chan int), nil), "acknowledge")
		p.Want(`31["sorry"]`)
		require.Len(t, rec.Take(), 1)

		// Not asked for: nothing is sent, and an error is heard of all the same.
		p.Send(`2["later"]`)
		ack := <-acks
		require.NoError(t, ack("x", nil))
		require.ErrorIs(t, ack("x", nil), socketio.ErrAcked)
		p.Send(`2["later"]`)
		require.NoError(t, (<-acks)(nil, errors.New("unasked")))
		rec.Want(t, "later unasked")
		p.Quiet()

		// The client has gone, and come again.
		ack = next()
		p.Send("1")
		synctest.Wait()
		var left *socketio.DisconnectError
		require.ErrorAs(t, ack("x", nil), &left)
		require.Equal(t, socketio.ReasonClientDisconnect, left.Reason)
		p.Connect("/")
		p.Quiet()
	})
}

// What the handler returns after DeferAck, and when it is too late for it.
func TestDeferAckAndTheHandler(t *testing.T) {
	for _, async := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			srv, _ := later(t, &socketio.Options{AsyncHandlers: async})
			var ack func(any, error) error
			var kept *socketio.Context
			no := &socketio.Error{Message: "no"}
			srv.On("value", func(c *socketio.Context) (int, error) { ack = c.DeferAck(); return 7, nil })
			srv.On("error", func(c *socketio.Context) error { ack = c.DeferAck(); return no })
			srv.On("acked, error", func(c *socketio.Context) error { ack = c.DeferAck(); ack(1, nil); return no })
			srv.On("panic", func(c *socketio.Context) { ack = c.DeferAck(); panic("ouch") })
			srv.On("goexit", func(c *socketio.Context) { ack = c.DeferAck(); runtime.Goexit() })
			srv.On("twice", func(c *socketio.Context) { c.DeferAck(); ack = c.DeferAck() })
			srv.On("keep", func(c *socketio.Context) int { kept = c; return 3 })
			p := siotest.Join(t, srv, eiotest.WebSocket)
			send := func(packet string) { p.Send(packet); synctest.Wait() }

			send(`21["value"]`)
			p.Quiet()
			require.NoError(t, ack(8, nil))
			p.Want(`31[8]`)
			send(`22["error"]`)
			p.Want(`32[{"error":{"message":"no"}}]`)
			require.ErrorIs(t, ack(8, nil), socketio.ErrAcked)
			send(`23["acked, error"]`)
			p.Want(`33[1]`)
			for _, event := range []string{"panic", "goexit"} {
				send(`24["` + event + `"]`)
				require.ErrorIs(t, ack(8, nil), socketio.ErrAcked)
			}
			send(`25["twice"]`)
			require.NoError(t, ack(8, nil))
			require.ErrorIs(t, ack(8, nil), socketio.ErrAcked)
			p.Want(`35[8]`)
			send(`26["keep"]`)
			p.Want(`36[3]`)
			require.ErrorIs(t, kept.DeferAck()(8, nil), socketio.ErrAcked)
			kept.NoAck()
			p.Quiet()
			require.Zero(t, srv.Deferred(p.SID))
		})
	}
}

func TestNoAck(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		var ack func(any, error) error
		srv.OnError(func(c *socketio.Context, err error) any { rec.Add("%v", err); return 1 })
		srv.On("silent", func(c *socketio.Context) int { c.NoAck(); return 7 })
		srv.On("error", func(c *socketio.Context) error { c.NoAck(); return errors.New("failed") })
		srv.On("deferred", func(c *socketio.Context) { ack = c.DeferAck(); c.NoAck() })
		p := siotest.Join(t, srv, mode)
		p.Send(`21["silent"]`, `22["error"]`, `23["deferred"]`, `2["silent"]`)
		p.Quiet()
		rec.Want(t, "failed")
		require.ErrorIs(t, ack(1, nil), socketio.ErrAcked)
		require.Zero(t, srv.Deferred(p.SID))
	})
}

// Goroutines race for one acknowledgement: one wins.
func TestDeferAckRace(t *testing.T) {
	srv, acks := later(t, nil)
	p := siotest.Join(t, srv, eiotest.WebSocket)
	for range 50 {
		p.Send(`21["later"]`)
		ack := <-acks
		var won atomic.Int32
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				if err := ack(i, nil); err == nil {
					won.Add(1)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 1, won.Load())
		require.Regexp(t, `^31\[[0-3]\]$`, p.Next())
	}
	require.Zero(t, srv.Deferred(p.SID))
}

// Shutdown waits for deferred acknowledgements as for handlers, until DrainTimeout.
func TestShutdownWaitsForDeferredAcks(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv, acks := later(t, nil)
		p, q := siotest.Join(t, srv, mode), siotest.Join(t, srv, mode)
		p.Send(`21["later"]`)
		q.Send(`21["later"]`)
		synctest.Wait()
		first, second := <-acks, <-acks // in no particular order
		start := time.Now()
		ended := siotest.BeginShutdown(t.Context(), srv)
		time.Sleep(time.Second)
		p.Send(`22["now"]`) // still served
		p.Want(`32[1]`)
		require.NoError(t, first(1, nil))
		require.NoError(t, second(1, nil))
		p.Want(`31[1]`)
		q.Want(`31[1]`)
		p.Closed()
		q.Closed()
		require.NoError(t, <-ended)
		require.Less(t, time.Since(start), 3*time.Second)
	})
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv, acks := later(t, &socketio.Options{DrainTimeout: 2 * time.Second})
		p := siotest.Join(t, srv, mode)
		p.Send(`21["later"]`)
		ack := <-acks
		start := time.Now()
		ended := siotest.BeginShutdown(t.Context(), srv)
		p.Closed()
		require.NoError(t, <-ended)
		require.GreaterOrEqual(t, time.Since(start), 2*time.Second)
		require.ErrorIs(t, ack(1, nil), socketio.ErrClosed)
	})
}
