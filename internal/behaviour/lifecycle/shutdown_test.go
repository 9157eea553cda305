package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// Events that arrived are handled, in order, and acknowledged before the connection is closed.
func TestShutdown(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("slow", func(c *socketio.Context, n int) int { time.Sleep(time.Second); rec.Add("slow %d", n); return n })
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
		p := siotest.Join(t, srv, mode)
		p.Send(`21["slow",1]`, `22["slow",2]`, `2["slow",3]`)
		synctest.Wait()
		begin := time.Now()
		ended := siotest.BeginShutdown(t.Context(), srv)
		synctest.Wait()
		_, err := eiotest.Dial(t.Context(), srv, &eiotest.Options{Mode: mode, Path: "/socket.io/"})
		require.ErrorContains(t, err, "503")
		p.Want(`31[1]`)
		p.Send(`24["slow",4]`) // it is still busy
		p.Want(`32[2]`, `34[4]`)
		p.Closed()
		require.NoError(t, <-ended)
		require.Equal(t, 4*time.Second, time.Since(begin))
		rec.Want(t, "slow 1", "slow 2", "slow 3", "slow 4", "server shutdown")
		require.NoError(t, srv.Shutdown(t.Context()))
	})
}

// The end of the context cuts off, and another call waits for what is left.
func TestShutdownCutsOff(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{DrainTimeout: time.Hour})
		var rec siotest.Record
		srv.On("slow", func(c *socketio.Context) { time.Sleep(10 * time.Second); rec.Add("slow") })
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
		p := siotest.Join(t, srv, mode)
		p.Send(`21["slow"]`, `22["slow"]`)
		synctest.Wait()
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, srv.Shutdown(ctx), context.DeadlineExceeded)
		p.Closed()
		require.Equal(t, time.Second, time.Since(begin))
		rec.Want(t)
		require.NoError(t, srv.Shutdown(t.Context()))
		require.Equal(t, 10*time.Second, time.Since(begin))
		rec.Want(t, "slow", "server shutdown")
	})
}

// A context that has ended cuts off at once, also when a first call takes its time.
func TestShutdownInAHurry(t *testing.T) {
	for _, second := range []bool{false, true} {
		t.Run(fmt.Sprint("second call ", second), func(t *testing.T) {
			eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
				srv := siotest.NewServer(t, &socketio.Options{DrainWindow: time.Hour})
				var rec siotest.Record
				srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
				var peers []*siotest.Peer
				for range 5 {
					peers = append(peers, siotest.Join(t, srv, mode))
				}
				synctest.Wait()
				begin := time.Now()
				var first <-chan error
				left := 5
				if second {
					first, left = siotest.BeginShutdown(t.Context(), srv), 4
					rec.Want(t, "server shutdown") // whose turn it was first
				}
				over, cancel := context.WithCancel(t.Context())
				cancel()
				require.ErrorIs(t, srv.Shutdown(over), context.Canceled)
				synctest.Wait()
				require.Len(t, rec.Take(), left)
				for _, p := range peers {
					p.Closed()
				}
				if second {
					require.NoError(t, <-first)
				}
				require.Zero(t, time.Since(begin))
			})
		})
	}
}

// The clients go one after the other, and may use the server until it is their turn.
func TestShutdownSpreadsTheEnds(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{DrainWindow: 10 * time.Second})
		begin := time.Now()
		var rec siotest.Record
		srv.On("add", func(c *socketio.Context, a, b int) int { return a + b })
		srv.On("disconnect", func(c *socketio.Context) { rec.Add("%v", time.Since(begin)) })
		var peers []*siotest.Peer
		for range 5 {
			peers = append(peers, siotest.Join(t, srv, mode))
		}
		synctest.Wait()
		begin = time.Now()
		ended := siotest.BeginShutdown(t.Context(), srv)
		time.Sleep(time.Second)
		served := 0
		for _, p := range peers {
			if p.Client.Err() == nil {
				p.Send(`21["add",1,2]`)
				p.Want(`31[3]`)
				served++
			}
		}
		require.Equal(t, 4, served)
		require.NoError(t, <-ended)
		require.Equal(t, 8*time.Second, time.Since(begin))
		rec.Want(t, "0s", "2s", "4s", "6s", "8s")
	})
}

// A handler that goes on for as long as its client stays does not hold up a shutdown for long.
func TestDrainTimeout(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{0: 5 * time.Second, time.Minute: time.Minute} {
		eiotest.RunSyncNamed(t, want.String(), func(t *testing.T, mode eiotest.Mode) {
			srv := siotest.NewServer(t, &socketio.Options{DrainTimeout: timeout})
			var rec siotest.Record
			srv.On("stream", func(c *socketio.Context) error {
				<-c.Context().Done()
				var left *socketio.DisconnectError
				require.ErrorAs(t, context.Cause(c.Context()), &left)
				rec.Add("ends: %s", left.Reason)
				return nil
			})
			srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
			p := siotest.Join(t, srv, mode)
			p.Send(`21["stream"]`, `22["stream"]`) // the second one is not handled any more
			synctest.Wait()
			begin := time.Now()
			require.NoError(t, srv.Shutdown(t.Context()))
			require.Equal(t, want, time.Since(begin))
			rec.Want(t, "ends: server shutdown", "server shutdown")
			p.Closed()
		})
	}
	require.PanicsWithValue(t, "socketio: NewServer: field Options.DrainTimeout is -1ns: set a positive duration, or leave it 0 for the default of 5s",
		func() { socketio.NewServer(&socketio.Options{DrainTimeout: -1}) })
}

// A client that keeps its handlers busy cannot keep the server up.
func TestShutdownUnderAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{DrainTimeout: time.Hour})
		var handled atomic.Int32
		srv.On("e", func(c *socketio.Context) { time.Sleep(time.Millisecond); handled.Add(1) })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		p.Send(`21["e"]`)
		synctest.Wait()
		ended := siotest.BeginShutdown(t.Context(), srv)
		synctest.Wait()
		for range 3000 {
			p.Send(`21["e"]`)
		}
		require.NoError(t, <-ended)
		require.EqualValues(t, 1000, handled.Load())
		for range handled.Load() { // not one of them without its acknowledgement
			p.Want(`31[]`)
		}
		p.Closed()
	})
}

// A client that sends all the time, so that there is always an event in front of the next one, gets an acknowledgement
// for each event that was handled: half of DrainTimeout is for those that wait.
func TestShutdownOfASteadySender(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{DrainTimeout: 4 * time.Second})
		var handled atomic.Int32
		srv.On("e", func(c *socketio.Context) { time.Sleep(10 * time.Millisecond); handled.Add(1) })
		p := siotest.Join(t, srv, mode)
		p.Send(`21["e"]`, `21["e"]`)
		synctest.Wait()
		begin := time.Now()
		ended := siotest.BeginShutdown(t.Context(), srv)
		for p.Client.Err() == nil {
			p.Try(`21["e"]`)
			time.Sleep(9 * time.Millisecond)
		}
		require.NoError(t, <-ended)
		took := time.Since(begin)
		require.True(t, 2*time.Second < took && took < 3*time.Second, "%v", took)
		require.Greater(t, handled.Load(), int32(190))
		for range handled.Load() {
			p.Want(`31[]`)
		}
		p.Closed()
	})
}

// When DrainTimeout is over no handler begins any more, although it may take a while until the sockets have left.
func TestNothingBeginsAfterDrainTimeout(t *testing.T) {
	eiotest.Run(t, func(t *testing.T, mode eiotest.Mode) { // not in a bubble: the end of the connection waits with a mutex
		srv := siotest.NewServer(t, &socketio.Options{DrainTimeout: 20 * time.Millisecond})
		begins, goOn, asks, leave := make(chan int, 2), make(chan bool), make(chan bool), make(chan bool)
		srv.On("e", func(c *socketio.Context, n int) { begins <- n; <-goOn })
		srv.AddHooks(socketio.Hooks{Refused: func(socketio.Connection, string, *socketio.Error) { close(asks); <-leave }})
		p := siotest.Join(t, srv, mode)
		p.Send(`21["e",1]`, `22["e",2]`)
		require.Equal(t, 1, <-begins)
		go p.Try("0/nowhere,") // the read side waits in the hook
		<-asks
		ended := siotest.BeginShutdown(t.Context(), srv)
		p.Closed()
		close(goOn)
		time.Sleep(20 * time.Millisecond) // nothing shows that the second event has been left out
		require.Empty(t, begins)
		close(leave)
		require.NoError(t, <-ended)
		require.Empty(t, begins)
	})
}

// A handler that asks its client gets the answer, and callbacks are waited for.
func TestShutdownWaitsForAnswers(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("ask", func(c *socketio.Context) (string, error) {
			return socketio.Call[string](t.Context(), c, "question", nil)
		})
		p := siotest.Join(t, srv, mode)
		p.Send(`21["ask"]`)
		id := p.WantAckEvent(`["question"]`)
		require.NoError(t, srv.Emit("q", nil, socketio.OnAck(func(c *socketio.Context) {
			time.Sleep(time.Second)
			rec.Add("called back")
		})))
		callback := p.WantAckEvent(`["q"]`)
		ended := siotest.BeginShutdown(t.Context(), srv)
		synctest.Wait()
		p.Send("3"+callback+`[]`, "3"+id+`["answer"]`)
		p.Want(`31["answer"]`)
		p.Closed()
		require.NoError(t, <-ended)
		rec.Want(t, "called back")
	})
}

// Handlers that run at the same time are waited for, all of them.
func TestShutdownWithAsyncHandlers(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{AsyncHandlers: true})
		var rec siotest.Record
		srv.On("sleep", func(c *socketio.Context, s int) { time.Sleep(time.Duration(s) * time.Second) })
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
		p := siotest.Join(t, srv, mode, "/")
		p.Send(`23["sleep",3]`, `21["sleep",1]`, `22["sleep",2]`)
		synctest.Wait()
		ended := siotest.BeginShutdown(t.Context(), srv)
		p.Want(`31[]`, `32[]`)
		rec.Want(t)
		p.Want(`33[]`)
		p.Closed()
		require.NoError(t, <-ended)
		rec.Want(t, "server shutdown")
	})
}

// A connect handler that runs may decide, and its client hears of it.
func TestShutdownDuringConnect(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		for _, always := range []bool{false, true} {
			eiotest.RunSyncNamed(t, fmt.Sprintf("refuse %v always %v", refuse, always), func(t *testing.T, mode eiotest.Mode) {
				srv := siotest.NewServer(t, &socketio.Options{AlwaysConnect: always})
				var rec siotest.Record
				srv.On("connect", func(c *socketio.Context) error {
					time.Sleep(time.Second)
					require.NoError(t, c.Emit("hello", nil))
					if refuse {
						return errors.New("no")
					}
					return nil
				})
				srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
				p := siotest.Dial(t, srv, mode)
				p.Send(`0`)
				synctest.Wait()
				ended := siotest.BeginShutdown(t.Context(), srv)
				switch {
				case !refuse:
					p.Connected("/")
					p.Want(`2["hello"]`)
				case always:
					p.Connected("/")
					p.Want(`2["hello"]`, `1`)
				default:
					p.Want(`4{"message":"Connection rejected by server"}`)
				}
				p.Closed()
				require.NoError(t, <-ended)
				if refuse {
					rec.Want(t)
				} else {
					rec.Want(t, "server shutdown")
				}
			})
		}
	}
}

// Who asks for a namespace now has to go to another server, at once: a connect_error would keep official clients from
// reconnecting.
func TestConnectDuringShutdown(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{DrainWindow: time.Hour})
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context) { rec.Add("connect") })
		srv.On("slow", func(c *socketio.Context) string { time.Sleep(time.Second); return "done" })
		srv.Namespace("/b").On("connect", func(c *socketio.Context) { rec.Add("connect /b") })
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
		var fresh, busy []*siotest.Peer
		for range 3 { // whose turn is first is not known
			fresh, busy = append(fresh, siotest.Dial(t, srv, mode)), append(busy, siotest.Join(t, srv, mode))
		}
		rec.Want(t, "connect", "connect", "connect")
		ended := siotest.BeginShutdown(t.Context(), srv)
		synctest.Wait()
		begin := time.Now()
		for i := range 3 {
			if fresh[i].Client.Err() == nil {
				fresh[i].Send(`0`)
				fresh[i].Closed()
			}
			if busy[i].Client.Err() == nil {
				busy[i].Send(`21["slow"]`, `0/b,`)
				busy[i].Want(`31["done"]`)
				busy[i].Closed()
			}
		}
		require.NoError(t, <-ended)
		require.LessOrEqual(t, time.Since(begin), 3*time.Second)
		rec.Want(t, "server shutdown", "server shutdown", "server shutdown")
	})
}

// A handler may start a shutdown, and is acknowledged. One that waits for it waits for itself.
func TestShutdownFromAHandler(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		ended := make(chan error, 2)
		srv.On("stop", func(c *socketio.Context) string {
			go func() { ended <- srv.Shutdown(context.Background()) }()
			return "stopping"
		})
		p := siotest.Join(t, srv, mode)
		p.Send(`21["stop"]`)
		p.Want(`31["stopping"]`)
		p.Closed()
		require.NoError(t, <-ended)
	})
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		ended := make(chan error, 1)
		srv.On("stop", func(c *socketio.Context) {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			ended <- srv.Shutdown(ctx)
		})
		p, q := siotest.Join(t, srv, mode), siotest.Join(t, srv, mode)
		p.Send(`21["stop"]`)
		q.Closed()
		p.Closed()
		require.ErrorIs(t, <-ended, context.DeadlineExceeded)
		require.NoError(t, srv.Shutdown(t.Context()))
	})
}
