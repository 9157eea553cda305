package socketio_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/parser"
)

// A client that is thrown out by the handler of one namespace while it connects to another is refused there: no
// disconnect handler runs for a socket that was never accepted, and its session id is forgotten.
func TestCloseConnectionWhileConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
		close(gate.open)
		p.Want("1")
		p.Closed()
		synctest.Wait()
		sids, rooms, running := srv.Sizes()
		require.Zero(t, sids+rooms+running)
		require.Equal(t, connects.Load(), disconnects.Load())
	})
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
