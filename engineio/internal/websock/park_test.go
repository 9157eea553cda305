package websock

import (
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio/internal/rawconn"
	"github.com/seed-d124fa34/socketio/engineio/internal/wstest"
)

// parkOwner is the owner of a connection that is parked. It runs before and after when
// the Watcher is asked to watch, that is at the moments of Park at which others interfere.
type parkOwner struct {
	watcher       rawconn.Watcher
	before, after func()
	refuse        bool      // the kernel does not watch
	readable      chan bool // the calls of Readable
}

func (o *parkOwner) ControlQueued()   {}
func (o *parkOwner) ControlFlood()    {}
func (o *parkOwner) Watcher() Watcher { return (*hooked)(o) }
func (o *parkOwner) Readable()        { o.readable <- true }
func (o *parkOwner) Holds(int)        {}

// hooked is the Watcher of a parkOwner.
type hooked parkOwner

func (h *hooked) Enter(c rawconn.Watched) (rawconn.Place, bool) { return h.watcher.Enter(c) }
func (h *hooked) Leave(p rawconn.Place)                         { h.watcher.Leave(p) }

func (h *hooked) Watch(raw syscall.RawConn, p rawconn.Place) bool {
	run(&h.before)
	ok := !h.refuse && h.watcher.Watch(raw, p)
	run(&h.after)
	return ok
}

// run calls a function once.
func run(f *func()) {
	if g := *f; g != nil {
		*f = nil
		g()
	}
}

// parkPair returns a connection that can be parked, and its client.
func parkPair(t *testing.T) (o *parkOwner, c *Conn, client net.Conn) {
	var wg sync.WaitGroup
	o = &parkOwner{readable: make(chan bool, 10)}
	o.watcher.Go = wg.Go
	client, server := wstest.TCPPair(t)
	c = NewConn(server, &Options{WriteTimeout: time.Minute, Limit: 100, ControlRate: 1000}, nil)
	c.SetOwner(o)
	t.Cleanup(func() {
		_ = client.Close()
		c.Close()
		wg.Wait() // the Watcher ends with its last connection
		assert.Empty(t, o.readable)
	})
	if p, ok := o.watcher.Enter(nil); !ok {
		t.Skip("connections cannot be watched on this system")
	} else {
		o.watcher.Leave(p)
	}
	return o, c, client
}

func (o *parkOwner) await(t *testing.T) {
	t.Helper()
	select {
	case <-o.readable:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was asked to read")
	}
}

// Whatever happens while a connection is being parked, exactly one goroutine reads afterwards: the one that parks, if Park
// returns false, or the one that Readable starts.
func TestParkInterleavings(t *testing.T) {
	frame := wstest.ClientFrame(0x81, "4hello")
	for name, tt := range map[string]struct {
		interfere func(t *testing.T, o *parkOwner, c *Conn, client net.Conn)
		want      error // of Next; nil: a message
	}{
		"a message": {func(_ *testing.T, _ *parkOwner, _ *Conn, client net.Conn) { _, _ = client.Write(frame) }, nil},
		"the end":   {func(_ *testing.T, _ *parkOwner, _ *Conn, client net.Conn) { _ = client.Close() }, rawconn.ErrCutOff},
		"a cut":     {func(_ *testing.T, _ *parkOwner, c *Conn, _ net.Conn) { c.Cut() }, net.ErrClosed},
		"a close, and then a message": {func(_ *testing.T, _ *parkOwner, c *Conn, client net.Conn) {
			c.AwaitClose()
			_, _ = client.Write(frame)
		}, nil},
		"a message, and then a close": {func(_ *testing.T, _ *parkOwner, c *Conn, client net.Conn) {
			_, _ = client.Write(frame)
			c.AwaitClose()
		}, nil},
	} {
		for _, when := range []string{"before", "while watched is asked for", "when watched", "when parked", "refused"} {
			t.Run(name+" "+when, func(t *testing.T) {
				o, c, client := parkPair(t)
				do := func() { tt.interfere(t, o, c, client) }
				switch when {
				case "before":
					do()
				case "while watched is asked for":
					o.before = do
				case "when watched":
					o.after = do
				case "refused":
					o.refuse, o.before = true, do
				}
				parked := c.Park()
				if when == "when parked" {
					require.True(t, parked)
					assert.True(t, c.Parked())
					do()
				}
				if parked {
					o.await(t)
				}
				assert.False(t, c.Parked())
				assert.Empty(t, o.readable, "one reader")
				data, _, err := c.Next()
				if tt.want == nil {
					require.NoError(t, err)
					assert.Equal(t, "4hello", string(data))
					return
				}
				require.ErrorIs(t, err, tt.want)
			})
		}
	}
}

// A reader that was late to have its connection watched finds it parked by another one, closed, or its place given away.
func TestParkOvertaken(t *testing.T) {
	frame := wstest.ClientFrame(0x81, "4hello")
	next := func(t *testing.T, c *Conn) {
		_, _, err := c.Next()
		require.NoError(t, err)
	}
	t.Run("parked again", func(t *testing.T) {
		o, c, client := parkPair(t)
		o.after = func() { // watched, but Park has not returned
			_, _ = client.Write(frame)
			o.await(t)
			next(t, c)
			require.True(t, c.Park())
		}
		require.True(t, c.Park())
		_, _ = client.Write(frame)
		o.await(t)
		next(t, c)
	})
	t.Run("parked again, and closing", func(t *testing.T) {
		o, c, client := parkPair(t)
		o.after = func() {
			_, _ = client.Write(frame)
			o.await(t)
			next(t, c)
			require.True(t, c.Park())
			c.flags.set(ending) // as AwaitClose does at first
		}
		require.False(t, c.Park(), "this one reads again")
		c.AwaitClose()
		_, _ = client.Write(frame)
		next(t, c)
	})
	t.Run("closed", func(t *testing.T) {
		o, c, client := parkPair(t)
		other := &parkOwner{readable: make(chan bool, 10)}
		o.before = func() {
			c.Cut()
			o.await(t)
			_, _, err := c.Next()
			require.ErrorIs(t, err, net.ErrClosed)
			c.Close()
			p, ok := o.watcher.Enter(other) // the same place
			require.True(t, ok)
			t.Cleanup(func() { o.watcher.Leave(p) })
		}
		require.True(t, c.Park())
		_ = client.Close()
		assert.Empty(t, other.readable)
	})
}

// A connection that is parked holds no buffer, and none is parked that holds a message or cannot be watched.
func TestParkHoldsNothing(t *testing.T) {
	o, c, client := parkPair(t)
	require.True(t, c.Park())
	for range 3 {
		_, _ = client.Write(wstest.ClientFrame(0x81, "4hello"))
		o.await(t)
		_, _, err := c.Next()
		require.NoError(t, err)
		require.True(t, c.HoldsBuffer())
		require.True(t, c.Park())
		assert.False(t, c.HoldsBuffer())
	}
	_, _ = client.Write(append(wstest.ClientFrame(0x81, "4a"), wstest.ClientFrame(0x81, "4b")...))
	o.await(t)
	_, _, err := c.Next()
	require.NoError(t, err)
	require.False(t, c.Idle())
	require.False(t, c.Park(), "the second message has been read already")

	_, server := wstest.TCPPair(t)
	hidden := NewConn(struct{ net.Conn }{server}, &Options{Limit: 100, ControlRate: 1000}, nil) // as with TLS
	hidden.SetOwner(o)
	assert.False(t, hidden.Park())
	hidden.Close()
	_, server = wstest.TCPPair(t)
	probed := NewConn(server, &Options{Limit: 100, ControlRate: 1000}, nil)
	assert.False(t, probed.Park(), "it has no owner yet")
	probed.Close()
}
