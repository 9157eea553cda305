package engineio

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio/internal/wstest"
)

// parkServer is a server over TCP that echoes. It makes a client wait after the message "wait", for what room has.
type parkServer struct {
	*Server
	addr  string
	conns chan *Conn
	room  chan (<-chan struct{})
	ended chan Reason
}

func newParkServer(t *testing.T) *parkServer {
	if runtime.GOOS != "linux" {
		t.Skip("an idle connection has a goroutine on this system")
	}
	s := &parkServer{conns: make(chan *Conn, 1), room: make(chan (<-chan struct{}), 1), ended: make(chan Reason, 100)}
	srv, err := NewServer(&Options{OnConnect: func(c *Conn) (Receiver, error) {
		s.conns <- c
		return ReceiverFuncs{
			OnMessage: func(p []byte, _ bool) <-chan struct{} {
				if string(p) == "wait" {
					return <-s.room
				}
				_ = c.SendText(string(p))
				return nil
			},
			OnClosed: func(reason Reason, _ error) { s.ended <- reason },
		}, nil
	}})
	require.NoError(t, err)
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)
	s.Server, s.addr = srv, web.Listener.Addr().String()
	return s
}

// parkedClient is a client that is idle.
type parkedClient struct {
	t      *testing.T
	srv    *parkServer
	conn   *Conn
	client net.Conn
	in     *bufio.Reader
}

// parkClient returns a client of a server of its own.
func parkClient(t *testing.T) *parkedClient { return newParkServer(t).connect(t) }

func (s *parkServer) connect(t *testing.T) *parkedClient {
	r := &parkedClient{t: t, srv: s}
	var err error
	r.client, err = net.Dial("tcp", s.addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.client.Close() })
	require.NoError(t, r.client.SetDeadline(time.Now().Add(time.Minute)))
	r.in = bufio.NewReader(r.client)
	_, err = io.WriteString(r.client, "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(r.in, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	assert.True(t, strings.HasPrefix(r.read(), "0{"))
	r.conn = <-s.conns
	r.echo("first") // the CONNECT packet, for example
	r.awaitPark()
	return r
}

// read returns the next message.
func (r *parkedClient) read() string {
	r.t.Helper()
	head := make([]byte, 2)
	_, err := io.ReadFull(r.in, head)
	require.NoError(r.t, err)
	size := int(head[1])
	if size == 126 {
		_, err = io.ReadFull(r.in, head)
		require.NoError(r.t, err)
		size = int(head[0])<<8 | int(head[1])
	}
	text := make([]byte, size)
	_, err = io.ReadFull(r.in, text)
	require.NoError(r.t, err)
	return string(text)
}

func (r *parkedClient) send(packet string) {
	r.t.Helper()
	_, err := r.client.Write(wstest.ClientFrame(0x81, packet))
	require.NoError(r.t, err)
}

func (r *parkedClient) echo(text string) {
	r.t.Helper()
	r.send("4" + text)
	require.Equal(r.t, "4"+text, r.read())
}

func (r *parkedClient) awaitPark() {
	r.t.Helper()
	require.Eventually(r.t, r.conn.ws.Parked, 20*time.Second, time.Millisecond)
}

// pong answers a ping, and waits until the server has read that.
func (r *parkedClient) pong() {
	r.t.Helper()
	r.conn.Ping()
	require.Equal(r.t, "2", r.read())
	r.send("3")
	require.Eventually(r.t, func() bool {
		r.conn.mu.Lock()
		defer r.conn.mu.Unlock()
		return r.conn.pings == 0
	}, 20*time.Second, 100*time.Microsecond)
}

// end waits for the end, of which nothing is left.
func (r *parkedClient) end(reason Reason) {
	r.t.Helper()
	require.Equal(r.t, reason, <-r.srv.ended)
	require.NoError(r.t, r.srv.Shutdown(r.t.Context()))
}

// An idle connection has no goroutine until something comes. It is parked again after a pong and, if it was not idle, after
// two pongs between which nothing came.
func TestPark(t *testing.T) {
	r := parkClient(t)
	for range 3 {
		r.pong()
		r.awaitPark()
	}
	for i := range 3 {
		r.echo(fmt.Sprint(i))
		r.echo("again")
		require.False(t, r.conn.ws.Parked(), "it has just sent something")
		r.pong()
		r.pong()
		r.awaitPark()
	}
	require.NoError(t, r.client.Close())
	r.end(ReasonTransportClose)
}

// A parked connection whose client sends something for which the Receiver has no room is read from again when it has.
func TestParkAndBackPressure(t *testing.T) {
	r := parkClient(t)
	for range 3 {
		room := make(chan struct{})
		r.srv.room <- room
		r.send("4wait")
		r.send("4after")
		require.Eventually(t, func() bool {
			r.conn.mu.Lock()
			defer r.conn.mu.Unlock()
			return r.conn.pause != nil && r.conn.pause.waiting > 0
		}, 20*time.Second, time.Millisecond)
		require.False(t, r.conn.ws.Parked())
		close(room)
		require.Equal(t, "4after", r.read())
		r.pong()
		r.pong()
		r.awaitPark()
	}
	room := make(chan struct{})
	r.srv.room <- room
	r.send("4wait")
	r.conn.Close(ReasonServerDisconnect, nil) // before, while or after it waits
	r.awaitEnd()
	r.end(ReasonServerDisconnect)
}

// Many idle clients of several servers have no goroutines. All may send something at the same time. The goroutines of a
// server end with its last connection.
func TestParkMany(t *testing.T) {
	servers := []*parkServer{newParkServer(t), newParkServer(t)}
	before := runtime.NumGoroutine()
	var all []*parkedClient
	for range 50 {
		for _, s := range servers {
			all = append(all, s.connect(t))
		}
	}
	for range 3 {
		require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+len(all)/2 }, 20*time.Second, 10*time.Millisecond)
		for _, r := range all {
			r.send("4hello")
		}
		for _, r := range all {
			require.Equal(t, "4hello", r.read())
			r.pong()
			r.pong()
		}
		for _, r := range all {
			r.awaitPark()
		}
	}
	for _, s := range servers {
		require.NoError(t, s.Close())
		require.NoError(t, s.Shutdown(t.Context())) // waits for all goroutines
		for range len(all) / len(servers) {
			require.Equal(t, ReasonServerShutdown, <-s.ended)
		}
	}
}

// A connection that is parked ends like any other: by the client, by the server, by a cut and by Shutdown.
func TestParkEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end    func(r *parkedClient)
		reason Reason
	}{
		"cut off":  {func(r *parkedClient) { _ = r.client.(*net.TCPConn).SetLinger(0); _ = r.client.Close() }, ReasonTransportClose},
		"half":     {func(r *parkedClient) { _ = r.client.(*net.TCPConn).CloseWrite() }, ReasonTransportClose},
		"client":   {func(r *parkedClient) { r.send("1"); r.awaitEnd() }, ReasonClientDisconnect},
		"frame":    {func(r *parkedClient) { _, _ = r.client.Write(wstest.ClientFrame(0x88, "")); r.awaitEnd() }, ReasonTransportClose},
		"server":   {func(r *parkedClient) { r.conn.Close(ReasonServerDisconnect, nil); r.awaitEnd() }, ReasonServerDisconnect},
		"slow":     {func(r *parkedClient) { r.conn.Close(ReasonSlowClient, nil); r.awaitEnd() }, ReasonSlowClient},
		"shutdown": {func(r *parkedClient) { go func() { _ = r.srv.Shutdown(context.Background()) }(); r.awaitEnd() }, ReasonServerShutdown},
	} {
		t.Run(name, func(t *testing.T) {
			r := parkClient(t)
			c.end(r)
			r.end(c.reason)
		})
	}
}

// awaitEnd reads until the server sends a close frame or ends the connection, and closes it.
func (r *parkedClient) awaitEnd() {
	for {
		if b, err := r.in.ReadByte(); err != nil || b == 0x88 {
			_ = r.client.Close()
			return
		}
	}
}

// The end may come at any moment of the parking.
func TestParkRace(t *testing.T) {
	for i := range 50 {
		r := parkClient(t)
		r.pong()
		if i%2 == 0 {
			r.conn.Close(ReasonSlowClient, nil)
			r.awaitEnd()
			r.end(ReasonSlowClient)
			continue
		}
		r.conn.Close(ReasonServerDisconnect, nil)
		_ = r.client.(*net.TCPConn).CloseWrite()
		r.end(ReasonServerDisconnect)
	}
}
