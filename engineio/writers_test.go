package engineio

import (
	"net"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
)

// sink is a network connection whose file descriptor is out of reach. It counts the writes.
type sink struct {
	net.Conn
	writes, bytes atomic.Int64
}

func (s *sink) Write(p []byte) (int, error) {
	s.writes.Add(1)
	s.bytes.Add(int64(len(p)))
	return len(p), nil
}

func (s *sink) SetWriteDeadline(time.Time) error { return nil }

// slowConns returns connections for which writers write.
func slowConns(t testing.TB, n int, network func() net.Conn) (*Server, []*Conn) {
	srv, err := NewServer(&Options{OnConnect: func(*Conn) (Receiver, error) { return nil, nil }})
	require.NoError(t, err)
	conns := make([]*Conn, n)
	for i := range conns {
		c := newConn(srv, httptest.NewRequest("GET", "/", nil), "id", WebSocket, revision4)
		c.writing = false
		c.ws = websock.NewConn(network(), &websock.Options{WriteTimeout: time.Minute, Limit: 1 << 20, ControlRate: defaultControlRate}, nil)
		c.ws.SetOwner((*webSocketOwner)(c))
		c.flusher = &srv.flushers[0]
		conns[i] = c
	}
	return srv, conns
}

// A burst for many clients takes few goroutines, and one or two writes for each client.
func TestWritersTakeFewGoroutines(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that the burst is over before anybody writes, unless the machine is very busy
	const clients, messages = 500, 10
	var sinks []*sink
	srv, conns := slowConns(t, clients, func() net.Conn {
		sinks = append(sinks, new(sink))
		return sinks[len(sinks)-1]
	})
	f := TextFrames("hello")
	for range messages {
		for _, c := range conns {
			require.NoError(t, c.Send(f))
		}
	}
	srv.wg.Wait()
	writes, bytes := int64(0), int64(0)
	for _, s := range sinks {
		writes, bytes = writes+s.writes.Load(), bytes+s.bytes.Load()
	}
	assert.EqualValues(t, clients*messages*f.unit.Size(), bytes)
	assert.Less(t, writes, int64(clients*messages/2))
	assert.Less(t, srv.flushers[0].writers.started, uint(clients/2))
}

// Clients that take nothing hold back nobody else, wherever they are in the queue.
func TestWritersDoNotWaitForOneClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stalled []net.Conn
		var sinks []*sink
		n := 0
		srv, conns := slowConns(t, 90, func() net.Conn {
			if n++; n%3 == 0 {
				client, server := net.Pipe() // a write waits until somebody reads
				stalled = append(stalled, client)
				return server
			}
			sinks = append(sinks, new(sink))
			return sinks[len(sinks)-1]
		})
		f := TextFrames("hello")
		for range 2 {
			for _, c := range conns {
				require.NoError(t, c.Send(f))
			}
			synctest.Wait()
		}
		for _, s := range sinks {
			assert.EqualValues(t, 2*f.unit.Size(), s.bytes.Load())
		}
		for _, client := range stalled {
			got := make([]byte, 2*f.unit.Size())
			for read := 0; read < len(got); {
				m, err := client.Read(got[read:])
				require.NoError(t, err)
				read += m
			}
		}
		srv.wg.Wait()
		assert.Empty(t, srv.flushers[0].writers.waiting)
	})
}

// The queue of writers takes no more memory than what waits in it.
func TestWritersQueue(t *testing.T) {
	w := new(writers)
	c := new(Conn)
	for range 100 {
		w.waiting = append(w.waiting, c)
	}
	for range 100_000 {
		w.waiting = append(w.waiting, c)
		require.Same(t, c, w.takeLocked())
	}
	assert.Less(t, cap(w.waiting), 1000)
	for range 100 {
		require.Same(t, c, w.takeLocked())
	}
	assert.Empty(t, w.waiting)
}

// BenchmarkWriters is a message to each of 100 connections for which writers write.
func BenchmarkWriters(b *testing.B) {
	srv, conns := slowConns(b, 100, func() net.Conn { return new(sink) })
	f := TextFrames("hello")
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range conns {
			_ = c.Send(f)
		}
		srv.wg.Wait()
	}
	b.ReportMetric(float64(srv.flushers[0].writers.started)/float64(b.N), "goroutines/op")
}
