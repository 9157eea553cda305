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
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/parser"
)

// A client that is thrown out by the handler of one namespace while it connects to another is refused there: no
// disconnect handler runs for a socket that was never accepted, and its session id is forgotten.
func TestCloseConnectionWhileConnecting(t *testing.T) {
	gate := &connectGate{Parser: parser.New(nil), reached: make(chan bool), open: make(chan bool)}
	srv := siotest.NewServer(t, &socketio.Options{Parser: gate})
	var connects, disconnects atomic.Int64
	srv.AddHooks(socketio.Hooks{SocketConnected: func(s *socketio.Socket) {
		if s.Namespace().Name() == "/new" {
			connects.Add(1)
		}
	}})
	srv.Namespace("/new").On("disconnect", func(*socketio.Context) { disconnects.Add(1) })
	p := siotest.Join(t, srv, eiotest.WebSocket)
	s := srv.Socket(p.SID)

	p.Send("0/new,")
	<-gate.reached
	require.Equal(t, 2, s.Seats(), "the read side has found a seat")
	s.CloseConnection()
	time.Sleep(10 * time.Millisecond) // a disconnect handler would run by now
	require.Zero(t, disconnects.Load(), "the client was never in /new")
	close(gate.open)
	p.Want("1")
	p.Closed()
	require.Eventually(t, func() bool {
		sids, rooms, running := srv.Sizes()
		return sids+rooms+running == 0
	}, 20*time.Second, time.Millisecond)
	require.Equal(t, connects.Load(), disconnects.Load())
}

// connectGate stops the read side at a CONNECT for /new, between the moment in which it finds a seat and that in which
// the socket is in it.
type connectGate struct {
	parser.Parser
	reached, open chan bool
}

func (g *connectGate) NewDecoder(l parser.Limits) parser.Decoder {
	return gatedDecoder{g.Parser.NewDecoder(l), g}
}

type gatedDecoder struct {
	parser.Decoder
	gate *connectGate
}

func (d gatedDecoder) Decode(data []byte, binary bool) (parser.Packet, bool, error) {
	p, ok, err := d.Decoder.Decode(data, binary)
	if ok && p.Type == parser.Connect && p.Namespace == "/new" {
		p.Args = gatedArgs{p.Args, d.gate}
	}
	return p, ok, err
}

type gatedArgs struct {
	parser.Args
	gate *connectGate
}

// Size is called when the server counts what the packet holds.
func (a gatedArgs) Size() int {
	a.gate.reached <- true
	<-a.gate.open
	return 0
}

// A flood of CONNECT and DISCONNECT with names that never come again makes no goroutine for each, although disconnect
// handlers take their time.
func TestFloodOfNamespaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Namespaces: []string{"*"}, Limits: socketio.Limits{MaxNamespaces: 10}})
		release := make(chan struct{})
		var connects, disconnects atomic.Int64
		srv.Namespace("*").On("connect", func(*socketio.Context) { connects.Add(1) })
		srv.Namespace("*").On("disconnect", func(*socketio.Context) {
			<-release
			disconnects.Add(1)
		})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		s, before := srv.Socket(p.SID), runtime.NumGoroutine()
		for i := range 5000 {
			_ = p.Client.Send(fmt.Sprintf("0/%d,", i)) // once there are too many it is refused, and to leave is against the protocol
			_ = p.Client.Send(fmt.Sprintf("1/%d,", i))
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
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Namespaces: []string{"*"}, Limits: socketio.Limits{EventRate: 10}})
		p := siotest.Dial(t, srv, eiotest.WebSocket)
		for range 9 {
			_ = p.Client.Send("0")
			_ = p.Client.Send("1")
		}
		synctest.Wait()
		require.Positive(t, srv.Stats().LimitHits["EventRate"])
	})
}

// The disconnect handler of a socket ends before the connect handler of the next one in the namespace begins, whatever
// other namespaces come and go meanwhile.
func TestConnectFollowsDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Namespaces: []string{"*"}, Limits: socketio.Limits{MaxNamespaces: 3}})
		var rec siotest.Record
		a := srv.Namespace("/a")
		a.On("connect", func(c *socketio.Context) { rec.Add("connect") })
		a.On("disconnect", func(c *socketio.Context) {
			time.Sleep(time.Second)
			rec.Add("disconnect")
		})
		p := siotest.Join(t, srv, eiotest.WebSocket, "/a")
		p.Send("1/a,")
		for i := range 20 {
			ns := fmt.Sprintf("/%d", i)
			p.Connect(ns)
			p.Send("1" + ns + ",")
		}
		p.Connect("/a")
		rec.Want(t, "connect", "disconnect", "connect")
	})
}

// A connect handler that fails because its client has left is no failure for OnError.
func TestConnectHandlerOfAClientThatLeft(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		begun := make(chan bool)
		srv.On("connect", func(c *socketio.Context) error {
			close(begun)
			<-c.Context().Done()
			return c.Join("room")
		})
		srv.OnError(func(c *socketio.Context, err error) any {
			rec.Add("OnError %v", errors.Is(err, socketio.ErrClosed))
			return err
		})
		p := siotest.Dial(t, srv, mode)
		p.Send("0")
		<-begun
		p.Client.Close()
		time.Sleep(time.Second)
		rec.Want(t)
		require.Zero(t, srv.Stats().HandlerErrors)
	})
}

// Who has left is in no count, list or selection, although the disconnect handler still runs.
func TestLeftButNotGone(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		release := make(chan bool)
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context) error { return c.Join("room") })
		srv.On("disconnect", func(c *socketio.Context) {
			rec.Add("%v", len(c.Rooms()))
			<-release
		})
		p, q := siotest.Join(t, srv, mode), siotest.Join(t, srv, mode)
		p.Send("1")
		rec.Want(t, "2")
		root := srv.Namespace("/")
		require.Equal(t, []string{q.SID}, siotest.Members(t, srv, "room"))
		require.Empty(t, siotest.Members(t, srv, p.SID))
		require.Equal(t, 1, root.Count())
		require.Len(t, slices.Collect(root.Sockets()), 1)
		require.Equal(t, map[string]int{"/": 1}, srv.Stats().Sockets)
		n, err := root.CountRoom("room")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		n, err = root.CountRoom(p.SID)
		require.NoError(t, err)
		require.Zero(t, n)

		got := make(chan []socketio.Reply)
		go func() {
			replies, err := root.Call(t.Context(), "ask", nil, socketio.To("room", p.SID))
			require.NoError(t, err)
			got <- replies
		}()
		q.Send("3" + q.WantAckEvent(`["ask"]`) + "[]")
		require.Len(t, <-got, 1)
		require.NoError(t, srv.Emit("hello", nil, socketio.To("room", p.SID)))
		q.Want(`2["hello"]`)
		p.Quiet()
		close(release)
	})
}

// CloseRoom also removes who joined in a connect handler that has not decided.
func TestCloseRoomWhileConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		joined, decide := make(chan bool), make(chan bool)
		srv.On("connect", func(c *socketio.Context) error {
			_ = c.Join("closed")
			_ = c.Join("open")
			joined <- true
			<-decide
			return nil
		})
		p := siotest.Dial(t, srv, eiotest.WebSocket)
		p.Send("0")
		<-joined
		srv.CloseRoom("closed")
		decide <- true
		p.Connected("/")
		require.Empty(t, siotest.Members(t, srv, "closed"))
		require.Equal(t, []string{p.SID}, siotest.Members(t, srv, "open"))
		require.Zero(t, srv.Undecided())
	})
}
