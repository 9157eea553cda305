package faulty

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// link is a client connected through a proxy, and the server's side of it.
func link(t *testing.T) (p *Proxy, client, server *net.TCPConn) {
	t.Helper()
	target, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { target.Close() })
	p, err = NewProxy(target.Addr().String(), 1)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	client, server = dial(t, p, target)
	write(t, client, "hello") // it arrives when the proxy knows of the connection
	reads(t, server, "hello")
	return p, client, server
}

func dial(t *testing.T, p *Proxy, target net.Listener) (client, server *net.TCPConn) {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	require.NoError(t, err)
	s, err := target.Accept()
	require.NoError(t, err)
	for _, conn := range []net.Conn{c, s} {
		t.Cleanup(func() { conn.Close() })
		require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	}
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func write(t *testing.T, c net.Conn, s string) {
	t.Helper()
	_, err := io.WriteString(c, s)
	require.NoError(t, err)
}

func reads(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

// readsNothing waits for a moment.
func readsNothing(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	n, err := c.Read(make([]byte, 1))
	require.Zero(t, n)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
}

func TestProxyForwardsBothWaysAndTheEnd(t *testing.T) {
	_, client, server := link(t)
	text := strings.Repeat("0123456789", 100_000)
	var writing sync.WaitGroup
	writing.Go(func() { write(t, client, text) })
	reads(t, server, text)
	writing.Wait()
	write(t, server, "answer")
	reads(t, client, "answer")

	require.NoError(t, client.CloseWrite())
	_, err := server.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	write(t, server, "still")
	reads(t, client, "still")
	server.Close()
	_, err = client.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func TestProxyDelaysWithoutReordering(t *testing.T) {
	p, client, server := link(t)
	p.Set(Conditions{Up: Link{Delay: 30 * time.Millisecond, Jitter: 30 * time.Millisecond, Loss: 0.5, Retransmit: 40 * time.Millisecond}})
	begin := time.Now()
	var want strings.Builder
	for i := range 20 {
		s := strings.Repeat(string(rune('a'+i)), 10)
		want.WriteString(s)
		write(t, client, s)
		time.Sleep(time.Millisecond) // to be a chunk of its own
	}
	reads(t, server, want.String())
	assert.GreaterOrEqual(t, time.Since(begin), 70*time.Millisecond, "of 20 chunks none was lost")
}

func TestProxyBandwidth(t *testing.T) {
	p, client, server := link(t)
	p.Set(Conditions{Up: Link{Bandwidth: 100_000}})
	begin := time.Now()
	text := strings.Repeat("x", 20_000)
	write(t, client, text)
	reads(t, server, text)
	assert.GreaterOrEqual(t, time.Since(begin), 150*time.Millisecond)
}

// Who sends to a proxy with small buffers that does not read soon has to wait.
func TestProxyWire(t *testing.T) {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { target.Close() })
	p, err := NewWiredProxy(target.Addr().String(), 1, Wire{Segment: EthernetSegment, Buffer: 16 << 10})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	client, server := dial(t, p, target)
	require.NoError(t, server.SetWriteBuffer(16<<10))
	p.Set(Conditions{Down: Link{Bandwidth: 10_000}})
	require.NoError(t, server.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
	const much = 4 << 20
	n, err := server.Write(make([]byte, much))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Less(t, n, much)
	reads(t, client, string(make([]byte, 1000)))
}

func TestProxyReset(t *testing.T) {
	p, client, server := link(t)
	write(t, client, "x")
	reads(t, server, "x")
	p.ResetSome(0, rand.New(rand.NewPCG(1, 1)))
	write(t, client, "x")
	reads(t, server, "x")
	p.Reset()
	for _, c := range []net.Conn{client, server} {
		_, err := c.Read(make([]byte, 1))
		assert.True(t, errors.Is(err, syscall.ECONNRESET), "%v", err)
	}
}

// A reset by one side is one for the other.
func TestProxyForwardsResets(t *testing.T) {
	_, client, server := link(t)
	reset(client)
	_, err := server.Read(make([]byte, 1))
	assert.True(t, errors.Is(err, syscall.ECONNRESET), "%v", err)
}

func TestProxyHalfOpen(t *testing.T) {
	p, client, server := link(t)
	p.HalfOpen(Up)
	write(t, client, "lost")
	write(t, server, "news")
	reads(t, client, "news")
	client.Close() // of which the server hears nothing, whatever it sends
	readsNothing(t, server)
	for range 10 {
		write(t, server, "into the void")
		readsNothing(t, server)
	}
	p.Resume() // is about Silence
	readsNothing(t, server)
}

// The client hears of the end at once, the server never.
func TestProxyAbandon(t *testing.T) {
	p, client, server := link(t)
	p.Abandon()
	_, err := client.Read(make([]byte, 1))
	assert.True(t, errors.Is(err, syscall.ECONNRESET), "%v", err)
	for range 10 {
		write(t, server, "into the void")
		readsNothing(t, server)
	}
}

func TestProxyRefusesAndChangesTarget(t *testing.T) {
	p, client, server := link(t)
	p.Refuse(true)
	write(t, client, "still open")
	reads(t, server, "still open")
	if refused, err := net.Dial("tcp", p.Addr()); err == nil { // the reset may come before that returns
		defer refused.Close()
		_, err = refused.Read(make([]byte, 1))
		assert.True(t, errors.Is(err, syscall.ECONNRESET), "%v", err)
	}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { other.Close() })
	p.SetTarget(other.Addr().String())
	p.Refuse(false)
	client, server = dial(t, p, other)
	write(t, client, "elsewhere")
	reads(t, server, "elsewhere")
}

func TestProxySilence(t *testing.T) {
	p, client, server := link(t)
	p.Silence(Both)
	write(t, client, "late")
	write(t, server, "later")
	readsNothing(t, client)
	readsNothing(t, server)
	p.Resume()
	reads(t, server, "late")
	reads(t, client, "later")
}

func TestProxyWithoutServer(t *testing.T) {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	target.Close()
	p, err := NewProxy(target.Addr().String(), 1)
	require.NoError(t, err)
	defer p.Close()
	c, err := net.Dial("tcp", p.Addr())
	if err == nil { // the reset may come before that returns
		defer c.Close()
		_, err = c.Read(make([]byte, 1))
	}
	assert.True(t, errors.Is(err, syscall.ECONNRESET), "%v", err)
}
