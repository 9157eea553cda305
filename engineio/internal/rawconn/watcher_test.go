package rawconn_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio/internal/rawconn"
	"github.com/seed-d124fa34/socketio/engineio/internal/wstest"
)

// watched notes the calls of Readable.
type watched struct{ called chan bool }

func (s *watched) Readable() { s.called <- true }

func (s *watched) wait(t *testing.T) {
	t.Helper()
	select {
	case <-s.called:
	case <-time.After(20 * time.Second):
		t.Fatal("Readable was not called")
	}
}

// Readable is called once each time that a connection is watched: for what comes, for what had come before, and for its
// end. The goroutine ends when the last place is given up, and another one starts with the next.
func TestWatcher(t *testing.T) {
	var wg sync.WaitGroup
	w := &rawconn.Watcher{Go: wg.Go}
	for range 2 {
		const n = 200 // more than the kernel reports at once
		var clients, servers [n]net.Conn
		var conns [n]*watched
		var places [n]rawconn.Place
		for i := range n {
			clients[i], servers[i] = wstest.TCPPair(t)
			defer clients[i].Close()
			conns[i] = &watched{make(chan bool, 10)}
			p, ok := w.Enter(conns[i])
			if !ok {
				t.Skip("connections cannot be watched on this system")
			}
			places[i] = p
		}
		watch := func(i int) { require.True(t, w.Watch(rawconn.Access(servers[i]), places[i])) }
		write := func(i int) {
			_, err := clients[i].Write([]byte("x"))
			require.NoError(t, err)
		}
		write(0)
		for i := range n {
			watch(i)
		}
		for i := 1; i < n; i++ {
			write(i)
		}
		for _, s := range conns {
			s.wait(t)
		}
		write(1)
		watch(2) // what was there is still there
		conns[2].wait(t)
		assert.Empty(t, conns[1].called, "it is not watched any more")
		for _, server := range servers[3:6] {
			_, err := server.Read(make([]byte, 10))
			require.NoError(t, err)
		}
		for i, end := range []func(*net.TCPConn) error{(*net.TCPConn).Close, (*net.TCPConn).CloseWrite, reset} {
			watch(3 + i)
			require.NoError(t, end(clients[3+i].(*net.TCPConn)))
			conns[3+i].wait(t)
		}

		for i := range n {
			require.NoError(t, servers[i].Close())
			w.Leave(places[i])
		}
		wg.Wait()
		assert.False(t, w.Watch(rawconn.Access(servers[0]), places[0]), "nobody has a place")
	}
}

// Places are used again.
func TestWatcherPlaces(t *testing.T) {
	var wg sync.WaitGroup
	w := &rawconn.Watcher{Go: wg.Go}
	s := &watched{make(chan bool, 1)}
	first, ok := w.Enter(s)
	if !ok {
		t.Skip("connections cannot be watched on this system")
	}
	for range 1000 {
		p, _ := w.Enter(s)
		require.LessOrEqual(t, p, first+1)
		w.Leave(p)
	}
	w.Leave(first)
	wg.Wait()
}

func reset(c *net.TCPConn) error {
	if err := c.SetLinger(0); err != nil {
		return err
	}
	return c.Close()
}

// A connection that has been closed cannot be watched. One that is closed while it is watched is not reported, nor is the
// next one that has its descriptor or its place.
func TestWatcherClosed(t *testing.T) {
	var wg sync.WaitGroup
	w := &rawconn.Watcher{Go: wg.Go}
	keep, ok := w.Enter(&watched{make(chan bool, 1)})
	if !ok {
		t.Skip("connections cannot be watched on this system")
	}
	for range 20 {
		first, second := &watched{make(chan bool, 10)}, &watched{make(chan bool, 10)}
		client, server := wstest.TCPPair(t)
		p, _ := w.Enter(first)
		require.True(t, w.Watch(rawconn.Access(server), p))
		require.NoError(t, server.Close())
		assert.False(t, w.Watch(rawconn.Access(server), p))
		w.Leave(p)
		_ = client.Close()

		client, server = wstest.TCPPair(t)
		p, _ = w.Enter(second)
		require.True(t, w.Watch(rawconn.Access(server), p))
		assert.Empty(t, second.called)
		_, err := client.Write([]byte("x"))
		require.NoError(t, err)
		second.wait(t)
		assert.Empty(t, first.called)
		require.NoError(t, server.Close())
		w.Leave(p)
		_ = client.Close()
	}
	w.Leave(keep)
	wg.Wait()
}

// Several goroutines may enter, watch and leave while others are reported.
func TestWatcherParallel(t *testing.T) {
	var wg, workers sync.WaitGroup
	w := &rawconn.Watcher{Go: wg.Go}
	if p, ok := w.Enter(&watched{make(chan bool, 1)}); !ok {
		t.Skip("connections cannot be watched on this system")
	} else {
		w.Leave(p)
	}
	for range 8 {
		workers.Go(func() {
			for range 20 {
				client, server := wstest.TCPPair(t)
				c := &watched{make(chan bool, 100)}
				p, ok := w.Enter(c)
				assert.True(t, ok)
				for range 5 {
					assert.True(t, w.Watch(rawconn.Access(server), p))
					_, err := client.Write([]byte("x"))
					assert.NoError(t, err)
					<-c.called
					_, err = server.Read(make([]byte, 10))
					assert.NoError(t, err)
				}
				_ = server.Close()
				w.Leave(p)
				_ = client.Close()
			}
		})
	}
	workers.Wait()
	wg.Wait()
}
