package socketio_test

import (
	"context"
	"errors"
	"fmt"
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

// outcome names an error that a callback of OnAck heard.
func outcome(err error) string {
	var limit *socketio.LimitError
	var left *socketio.DisconnectError
	var arg *socketio.ArgError
	switch {
	case err == nil:
		return "answer"
	case errors.As(err, &left):
		return "left: " + string(left.Reason)
	case errors.As(err, &limit):
		return "limit " + limit.Limit
	case errors.As(err, &arg):
		return "misfit"
	case errors.Is(err, context.DeadlineExceeded):
		return "late"
	case errors.Is(err, socketio.ErrClosed):
		return "closed"
	}
	return err.Error()
}

// hear is an OnAck that records what it hears of each client.
func hear(rec *siotest.Record, names map[string]string) socketio.EmitOption {
	return socketio.OnAck(func(c *socketio.Context, err error, v string) {
		rec.Add("%s %s %q", names[c.ID()], outcome(err), v)
	})
}

// A callback with an error hears of each client that was asked, once.
func TestOnAckHearsOfEveryClient(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{MaxPendingAcks: 1}})
		var rec siotest.Record
		var peers []*siotest.Peer
		names := map[string]string{}
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			p := siotest.Join(t, srv, mode)
			peers, names[p.SID] = append(peers, p), name
		}
		a, b, c, d, e := peers[0], peers[1], peers[2], peers[3], peers[4]
		require.NoError(t, srv.Socket(e.SID).Emit("full", nil, socketio.OnAck(func(*socketio.Context) {})))
		e.WantAckEvent(`["full"]`)

		require.NoError(t, srv.Emit("q", nil, hear(&rec, names), socketio.AckTimeout(time.Second)))
		rec.Want(t, `e limit MaxPendingAcks ""`) // which was not sent to it
		id := a.WantAckEvent(`["q"]`)
		a.Send("3"+id+`["yes"]`, "3"+id+`["again"]`)
		rec.Want(t, `a answer "yes"`)
		b.WantAckEvent(`["q"]`)
		b.Send("3" + id + `[7]`)
		rec.Want(t, `b misfit ""`)
		c.WantAckEvent(`["q"]`)
		c.Send("1")
		rec.Want(t, `c left: client disconnect ""`)
		d.WantAckEvent(`["q"]`)
		time.Sleep(999 * time.Millisecond)
		rec.Want(t)
		time.Sleep(time.Millisecond)
		rec.Want(t, `d late ""`)
		d.Send("3" + id + `["too late"]`)
		rec.Want(t)
		require.Zero(t, srv.Socket(d.SID).PendingAcks())
		e.Quiet()
	})
}

// The shapes of callbacks with and without an error, called directly and by reflection.
func TestOnAckShapes(t *testing.T) {
	type point struct{ X, Y int }
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.OnError(func(c *socketio.Context, err error) any { rec.Add("OnError %s", outcome(err)); return nil })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		back := errors.New("returned")
		for i, test := range []struct {
			fn                   any
			answer, misfit, late string
		}{
			{func(*socketio.Context) { rec.Add("called") }, "called", "called", ""},
			{func(*socketio.Context) error { return back }, "OnError returned", "OnError returned", ""},
			{func(_ *socketio.Context, err error) { rec.Add("%s", outcome(err)) }, "answer", "answer", "late"},
			{func(_ *socketio.Context, err error) error { return errors.New(outcome(err)) }, "OnError answer", "OnError answer", "OnError late"},
			{func(_ *socketio.Context, n int) { rec.Add("%d", n) }, "1", "OnError misfit", ""},
			{func(_ *socketio.Context, n int) error { return fmt.Errorf("%d", n) }, "OnError 1", "OnError misfit", ""},
			{func(_ *socketio.Context, err error, n int) { rec.Add("%s %d", outcome(err), n) }, "answer 1", "misfit 0", "late 0"},
			{func(_ *socketio.Context, err error, n int) error { return fmt.Errorf("%s %d", outcome(err), n) }, "OnError answer 1", "OnError misfit 0", "OnError late 0"},
			{func(_ *socketio.Context, n int, q point) { rec.Add("%d %d", n, q.Y) }, "1 3", "OnError misfit", ""},
			{func(_ *socketio.Context, err error, n int, q point) { rec.Add("%s %d %d", outcome(err), n, q.Y) }, "answer 1 3", "misfit 0 0", "late 0 0"},
			{func(_ *socketio.Context, err error, n int, q ...point) error {
				rec.Add("%s %d %d", outcome(err), n, len(q))
				return nil
			}, "answer 1 1", "misfit 0 0", "late 0 0"},
			{socketio.Func(func(_ *socketio.Context, n int8) error { return fmt.Errorf("%d", n) }), "OnError 1", "OnError misfit", ""},
		} {
			ask := func() string {
				require.NoError(t, srv.Emit("q", nil, socketio.OnAck(test.fn), socketio.AckTimeout(time.Second)), i)
				return p.WantAckEvent(`["q"]`)
			}
			p.Send("3" + ask() + `[1,{"X":2,"Y":3}]`)
			rec.Want(t, test.answer)
			p.Send("3" + ask() + `["x",5]`)
			rec.Want(t, test.misfit)
			ask()
			time.Sleep(time.Second)
			if test.late == "" {
				rec.Want(t)
			} else {
				rec.Want(t, test.late)
			}
		}
	})
}

func TestOnAckShapesThatAreRefused(t *testing.T) {
	type ctx = *socketio.Context
	for want, fn := range map[string]any{
		"nil":                                    nil,
		"not a function":                         "x",
		"the function is nil":                    (func(ctx))(nil),
		"*socketio.Context":                      func(error) {},
		"right after the Context":                func(ctx, string, error) {},
		"parameter 3: the error":                 func(ctx, error, error) {},
		"the error comes once":                   func(ctx, ...error) {},
		"comes first and once":                   func(ctx, error, ctx) {},
		"its results are not sent to the client": func(ctx) int { return 1 },
		"made by Func":                           socketio.Handler{},
	} {
		for range 2 { // also when the type is known
			message := panicOf(t, func() { socketio.OnAck(fn) })
			require.Contains(t, message, want)
			require.Contains(t, message, "OnAck at ")
			require.Contains(t, message, "ack_callback_test.go:")
			require.Contains(t, message, "want func(*socketio.Context[, error][, args...]) [error]")
		}
	}
	require.Contains(t, panicOf(t, func() { socketio.OnAck(socketio.FuncAck(func(ctx, int) (int, error) { return 0, nil })) }), "its results are not sent to the client")
}

// The error of an Emit to one client says all; a callback without an error
// parameter leaves what MaxPendingAcks refuses in a room to Emit.
func TestOnAckErrorsOfEmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{MaxPendingAcks: 1}})
		p, q := siotest.Join(t, srv, eiotest.WebSocket), siotest.Join(t, srv, eiotest.WebSocket)
		s := srv.Socket(p.SID)
		var rec siotest.Record
		hears := hear(&rec, map[string]string{p.SID: "p", q.SID: "q"})
		deaf := socketio.OnAck(func(*socketio.Context) { rec.Add("deaf") })
		require.NoError(t, s.Emit("q", 1, hears))
		id := p.WantAckEvent(`["q",1]`)
		siotest.WantLimit(t, s.Emit("q", 2, hears), "MaxPendingAcks", 1)
		rec.Want(t)
		err := srv.Emit("q", 3, deaf)
		siotest.WantLimit(t, err, "MaxPendingAcks", 1)
		require.ErrorContains(t, err, "1 client did not answer: they were not asked: ")
		q.Send("3" + q.WantAckEvent(`["q",3]`) + "[]")
		rec.Want(t, "deaf")

		require.ErrorContains(t, s.Emit("q", nil, socketio.AckTimeout(time.Second)), "AckTimeout without OnAck")
		require.ErrorContains(t, s.Emit("q", nil, hears, socketio.AckTimeout(0)), "must be positive")
		_, err = s.Call(t.Context(), "q", nil, socketio.AckTimeout(time.Second))
		require.ErrorContains(t, err, "bounded by its context")

		p.Send("3"+id+`["x"]`, "1")
		rec.Want(t, `p answer "x"`)
		require.ErrorIs(t, s.Emit("q", 4, hears), socketio.ErrClosed)
		require.NoError(t, srv.Emit("q", 5, socketio.To("nobody"), hears))
		rec.Want(t)
		q.Quiet()
	})
}

// A volatile event that is dropped has no answer.
func TestOnAckOfDroppedVolatileEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context) error {
			return c.Emit("q", nil, socketio.Volatile(), socketio.OnAck(func(_ *socketio.Context, err error) { rec.Add("%v", err) }))
		})
		siotest.Join(t, srv, eiotest.WebSocket)
		rec.Want(t, "socketio: the volatile packet was dropped")
	})
}

// Answer, deadline and leaving at the same moment: whoever is first is heard, alone.
func TestOnAckOnceWhateverComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		for i := range 50 {
			p := siotest.Join(t, srv, eiotest.WebSocket)
			var mu sync.Mutex
			calls := 0
			require.NoError(t, srv.Socket(p.SID).Emit("q", nil, socketio.AckTimeout(time.Second), socketio.OnAck(func(*socketio.Context, error) {
				mu.Lock()
				defer mu.Unlock()
				calls++
			})))
			id := p.WantAckEvent(`["q"]`)
			time.AfterFunc(time.Second, func() {
				if i%2 == 0 {
					p.Send("3"+id+"[]", "3"+id+"[]")
				}
				srv.Socket(p.SID).Disconnect()
			})
			time.Sleep(2 * time.Second)
			synctest.Wait()
			mu.Lock()
			require.Equal(t, 1, calls)
			mu.Unlock()
		}
	})
}

// Emits against clients that leave, outside of a bubble: one call for each that
// an Emit without an error was for.
func TestOnAckOnceWhileClientsLeave(t *testing.T) {
	srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{MaxPendingAcks: 3}})
	var mu sync.Mutex
	calls := map[string]int{}
	asked := map[string]int{}
	onAck := socketio.OnAck(func(c *socketio.Context, _ error) {
		mu.Lock()
		defer mu.Unlock()
		calls[c.ID()]++
	})
	var all sync.WaitGroup
	for range 20 {
		p := siotest.Join(t, srv, eiotest.WebSocket)
		s := srv.Socket(p.SID)
		all.Go(func() {
			n := 0
			for range 50 {
				if s.Emit("q", nil, onAck, socketio.AckTimeout(time.Hour)) == nil {
					n++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			asked[p.SID] = n
		})
		all.Go(s.Disconnect)
	}
	all.Wait()
	require.NoError(t, srv.Shutdown(t.Context())) // waits for the callbacks
	for sid, n := range asked {
		require.Equal(t, n, calls[sid])
	}
}

// Nothing is left of a deadline when the clients have answered or left: a timer
// that went on would hold the callback for an hour.
func TestAckTimeoutLeavesNothing(t *testing.T) {
	srv := siotest.NewServer(t, nil)
	p, q := siotest.Join(t, srv, eiotest.WebSocket), siotest.Join(t, srv, eiotest.WebSocket)
	var calls, collected atomic.Int32
	func() {
		held := new(struct {
			calls atomic.Int32
			_     [1 << 10]byte
		}) // by the callback alone
		runtime.AddCleanup(held, func(int) { collected.Add(1) }, 0)
		require.NoError(t, srv.Emit("q", nil, socketio.AckTimeout(time.Hour), socketio.OnAck(func(*socketio.Context, error) {
			held.calls.Add(1)
			calls.Add(1)
		})))
	}()
	p.Send("3" + p.WantAckEvent(`["q"]`) + "[]")
	q.WantAckEvent(`["q"]`)
	q.Send("1")
	require.Eventually(t, func() bool { return calls.Load() == 2 }, 20*time.Second, time.Millisecond)
	require.Eventually(t, func() bool {
		runtime.GC()
		return collected.Load() == 1
	}, 20*time.Second, time.Millisecond)
	require.Zero(t, srv.Socket(p.SID).PendingAcks())
}

// Without a broker, too, the callbacks that hear of the end are waited for.
func TestShutdownWaitsForFailedAcks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		p := siotest.Join(t, srv, eiotest.WebSocket)
		var rec siotest.Record
		require.NoError(t, srv.Socket(p.SID).Emit("q", nil, socketio.OnAck(func(_ *socketio.Context, err error) {
			time.Sleep(time.Second)
			rec.Add("%s", outcome(err))
		})))
		require.NoError(t, srv.Shutdown(t.Context()))
		rec.Want(t, "left: server shutdown")
	})
}

func TestUnackedHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		p := siotest.Join(t, srv, eiotest.WebSocket)
		s := srv.Socket(p.SID)
		require.NoError(t, s.Emit("before", nil, socketio.OnAck(func(*socketio.Context) {})))
		srv.AddHooks(socketio.Hooks{
			Unacked: func(s *socketio.Socket, event string, err error) { rec.Add("unacked %s %s", event, outcome(err)) },
			Acked:   func(s *socketio.Socket, event string, _ time.Duration) { rec.Add("acked %s", event) },
		})
		require.NoError(t, s.Emit("late", nil, socketio.OnAck(func(*socketio.Context) {}), socketio.AckTimeout(time.Second)))
		time.Sleep(time.Second)
		rec.Want(t, "unacked late late")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Call(ctx, "call", nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		rec.Want(t, "unacked call late")
		require.NoError(t, s.Emit("left", nil, socketio.OnAck(func(*socketio.Context) {})))
		s.Disconnect()
		rec.Want(t, "unacked left left: server disconnect")
	})
}
