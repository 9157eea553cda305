package lifecycle_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// Everything at once: clients that come, join, leave, are disconnected or vanish, while others broadcast, call, list and
// close rooms, and disconnect them. Every accepted client is told to have left exactly once, and nothing remains.
func TestStorm(t *testing.T) {
	for _, async := range []bool{false, true} {
		t.Run(fmt.Sprint("async ", async), func(t *testing.T) {
			eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) { storm(t, mode, async) })
		})
	}
}

func storm(t *testing.T, mode eiotest.Mode, async bool) {
	const clients, lives = 6, 4
	srv := siotest.NewServer(t, &socketio.Options{AsyncHandlers: async})
	rooms := []string{"a", "b", "c"}
	var accepted, left, refused atomic.Int64
	online := sync.Map{} // sid -> true
	asked := sync.Map{}  // the sids of all who wanted to connect
	srv.On("connect", func(c *socketio.Context) error {
		asked.Store(c.ID(), true)
		if rand.IntN(5) == 0 {
			refused.Add(1)
			return &socketio.Error{Message: "not today"}
		}
		if err := c.Join(rooms[rand.IntN(3)]); err != nil {
			refused.Add(1)
			return err
		}
		_ = c.Emit("hello", c.ID())
		accepted.Add(1)
		online.Store(c.ID(), true)
		return nil
	})
	srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) {
		if _, was := online.LoadAndDelete(c.ID()); !was {
			t.Errorf("%s left twice or was never in", c.ID())
		}
		left.Add(1)
		_ = c.Emit("left", nil, socketio.Broadcast())
	})
	srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
	srv.On("leave", func(c *socketio.Context, room string) { c.Leave(room) })
	srv.On("say", func(c *socketio.Context, room string) (int, error) {
		return 1, c.Emit("said", []byte("x"), socketio.To(room, c.ID()), socketio.SkipSelf())
	})
	srv.On("bye", func(c *socketio.Context) { c.Disconnect() })
	srv.On("boom", func(c *socketio.Context) { panic("boom") })

	ctx, stop := context.WithCancel(t.Context())
	var background, foreground sync.WaitGroup
	every := func(f func()) {
		background.Go(func() {
			for ctx.Err() == nil {
				f()
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
	some := func() string {
		if sids := siotest.SIDs(srv); len(sids) > 0 {
			return sids[rand.IntN(len(sids))]
		}
		return "nobody"
	}
	every(func() { _ = srv.Emit("tick", nil, socketio.To(rooms...), socketio.Except("b")) })
	every(func() { _ = srv.Emit("all", nil, socketio.OnAck(func(c *socketio.Context) {})) })
	every(func() {
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, _ = srv.Call(short, "q", nil)
	})
	every(func() { _ = srv.JoinRoom(some(), rooms[rand.IntN(3)]); srv.Rooms(some()) })
	every(func() { _ = srv.LeaveRoom(some(), "a"); _ = srv.CloseRoom("c"); _, _ = srv.Members("b") })
	every(func() {
		if s := srv.Socket(some()); s != nil && rand.IntN(20) == 0 {
			_ = s.Context()
			s.Disconnect()
		}
	})

	transport := eiotest.Serve(t, srv, nil)
	for i := range clients {
		foreground.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range lives {
				c, err := eiotest.Dial(ctx, nil, &eiotest.Options{Mode: mode, Path: "/socket.io/", Transport: transport})
				if err != nil {
					t.Error(err)
					return
				}
				_ = c.Send("0")
				if r.IntN(4) > 0 { // the others do not wait for the answer
					_, _ = c.Receive(ctx)
				}
				for n := range 30 {
					packets := []string{`2["join","a"]`, `2["leave","b"]`, `21["say","a"]`, `2["bye"]`, `2["boom"]`, `1`, `0`}
					pick := r.IntN(60)
					if pick < 4 {
						_ = c.Send(packets[3+pick])
					} else {
						_ = c.Send(packets[pick%3])
					}
					if n%5 == 0 {
						short, cancel := context.WithTimeout(ctx, time.Millisecond)
						_ = c.Drain(short)
						cancel()
					}
				}
				if r.IntN(2) == 0 {
					c.Abort()
				} else {
					c.Close()
				}
			}
		})
	}
	foreground.Wait()
	stop()
	background.Wait()
	end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(t, srv.Shutdown(end))
	require.Equal(t, accepted.Load(), left.Load())
	require.Positive(t, accepted.Load())
	siotest.WantForgotten(t, srv)
	for sid := range asked.Range {
		require.Nil(t, srv.Socket(sid.(string)))
	}
}
