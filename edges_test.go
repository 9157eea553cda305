package socketio_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// A client that is thrown out by the handler of one namespace while it connects to another is refused there: no
// disconnect handler runs for a socket that was never accepted, and its session id is forgotten.
func TestCloseConnectionWhileConnecting(t *testing.T) {
	srv := newServer(t, nil) // no bubble: the read side waits with a mutex
	var connects, disconnects atomic.Int64
	srv.AddHooks(socketio.Hooks{SocketConnected: func(s *socketio.Socket) {
		if s.Namespace().Name() == "/new" {
			connects.Add(1)
		}
	}})
	srv.Namespace("/new").On("disconnect", func(*socketio.Context) { disconnects.Add(1) })
	p := join(t, srv, eiotest.WebSocket)
	s := srv.Socket(p.sid)

	unlock := srv.LockIndex("/")
	p.send("0/new,")
	for s.Seats() < 2 { // the read side has found a seat, and waits for the index
		runtime.Gosched()
	}
	time.Sleep(time.Millisecond)
	s.CloseConnection()
	time.Sleep(10 * time.Millisecond) // a disconnect handler would run by now
	require.Zero(t, disconnects.Load(), "the client was never in /new")
	unlock()
	p.want("1")
	p.closed()
	require.Eventually(t, func() bool {
		sids, rooms, running := srv.Sizes()
		return sids+rooms+running == 0
	}, 20*time.Second, time.Millisecond)
	require.Equal(t, connects.Load(), disconnects.Load())
}

// A flood of CONNECT and DISCONNECT with names that never come again makes no goroutine for each, although disconnect
// handlers take their time.
func TestFloodOfNamespaces(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, &socketio.Options{Namespaces: []string{"*"}, Limits: socketio.Limits{MaxNamespaces: 10}})
		release := make(chan struct{})
		var connects, disconnects atomic.Int64
		srv.Namespace("*").On("connect", func(*socketio.Context) { connects.Add(1) })
		srv.Namespace("*").On("disconnect", func(*socketio.Context) {
			<-release
			disconnects.Add(1)
		})
		p := join(t, srv, eiotest.WebSocket)
		s, before := srv.Socket(p.sid), runtime.NumGoroutine()
		for i := range 5000 {
			_ = p.c.Send(fmt.Sprintf("0/%d,", i)) // once there are too many it is refused, and to leave is against the protocol
			_ = p.c.Send(fmt.Sprintf("1/%d,", i))
		}
		synctest.Wait()
		require.Less(t, runtime.NumGoroutine()-before, 25)
		require.LessOrEqual(t, s.Seats(), 20)
		require.Greater(t, s.Queued(), int64(19*256), "those that leave count as long as their handlers run")
		close(release)
		synctest.Wait()
		require.EqualValues(t, 20, connects.Load()) // "/" among them
		require.Equal(t, connects.Load(), disconnects.Load())
	})
}

// DISCONNECT packets count for EventRate.
func TestDisconnectsCountAsEvents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, &socketio.Options{Namespaces: []string{"*"}, Limits: socketio.Limits{EventRate: 10}})
		p := dial(t, srv, eiotest.WebSocket)
		for range 9 {
			_ = p.c.Send("0")
			_ = p.c.Send("1")
		}
		synctest.Wait()
		require.Positive(t, srv.Stats().LimitHits["EventRate"])
	})
}

// The disconnect handler of a socket ends before the connect handler of the next one in the namespace begins, whatever
// other namespaces come and go meanwhile.
func TestConnectFollowsDisconnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, &socketio.Options{Namespaces: []string{"*"}, Limits: socketio.Limits{MaxNamespaces: 3}})
		var rec record
		a := srv.Namespace("/a")
		a.On("connect", func(c *socketio.Context) { rec.add("connect") })
		a.On("disconnect", func(c *socketio.Context) {
			time.Sleep(time.Second)
			rec.add("disconnect")
		})
		p := join(t, srv, eiotest.WebSocket, "/a")
		p.send("1/a,")
		for i := range 20 {
			ns := fmt.Sprintf("/%d", i)
			p.connect(ns)
			p.send("1" + ns + ",")
		}
		p.connect("/a")
		rec.want(t, "connect", "disconnect", "connect")
	})
}

// A connect handler that fails because its client has left is no failure for OnError.
func TestConnectHandlerOfAClientThatLeft(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		var rec record
		begun := make(chan bool)
		srv.On("connect", func(c *socketio.Context) error {
			close(begun)
			<-c.Context().Done()
			return c.Join("room")
		})
		srv.OnError(func(c *socketio.Context, err error) any {
			rec.add("OnError %v", errors.Is(err, socketio.ErrClosed))
			return err
		})
		p := dial(t, srv, mode)
		p.send("0")
		<-begun
		p.c.Close()
		time.Sleep(time.Second)
		rec.want(t)
		require.Zero(t, srv.Stats().HandlerErrors)
	})
}

// Who has left is in no count, list or selection, although the disconnect handler still runs.
func TestLeftButNotGone(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		release := make(chan bool)
		var rec record
		srv.On("connect", func(c *socketio.Context) error { return c.Join("room") })
		srv.On("disconnect", func(c *socketio.Context) {
			rec.add("%v", len(c.Rooms()))
			<-release
		})
		p, q := join(t, srv, mode), join(t, srv, mode)
		p.send("1")
		rec.want(t, "2")
		root := srv.Namespace("/")
		require.Equal(t, []string{q.sid}, membersOf(t, srv, "room"))
		require.Empty(t, membersOf(t, srv, p.sid))
		require.Equal(t, 1, root.Count())
		require.Len(t, slices.Collect(root.Sockets()), 1)
		require.Equal(t, map[string]int{"/": 1}, srv.Stats().Sockets)
		n, err := root.CountRoom("room")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		n, err = root.CountRoom(p.sid)
		require.NoError(t, err)
		require.Zero(t, n)

		got := make(chan []socketio.Reply)
		go func() {
			replies, err := root.Call(t.Context(), "ask", nil, socketio.To("room", p.sid))
			require.NoError(t, err)
			got <- replies
		}()
		q.send("3" + q.wantAckEvent(`["ask"]`) + "[]")
		require.Len(t, <-got, 1)
		require.NoError(t, srv.Emit("hello", nil, socketio.To("room", p.sid)))
		q.want(`2["hello"]`)
		p.quiet()
		close(release)
	})
}

// CloseRoom also removes who joined in a connect handler that has not decided.
func TestCloseRoomWhileConnecting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, nil)
		joined, decide := make(chan bool), make(chan bool)
		srv.On("connect", func(c *socketio.Context) error {
			_ = c.Join("closed")
			_ = c.Join("open")
			joined <- true
			<-decide
			return nil
		})
		p := dial(t, srv, eiotest.WebSocket)
		p.send("0")
		<-joined
		srv.CloseRoom("closed")
		decide <- true
		p.connected("/")
		require.Empty(t, membersOf(t, srv, "closed"))
		require.Equal(t, []string{p.sid}, membersOf(t, srv, "open"))
		require.Zero(t, srv.Undecided())
	})
}
