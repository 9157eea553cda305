package faulty

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// behind is a proxy to a handler.
func behind(t *testing.T, habits Habits, handler http.HandlerFunc) *Web {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	w, err := NewWeb(strings.TrimPrefix(server.URL, "http://"), habits)
	require.NoError(t, err)
	t.Cleanup(w.Close)
	return w
}

// echoUpgrade switches protocols and sends back what it gets, or says that it was not asked to.
func echoUpgrade(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		fmt.Fprint(w, "no upgrade")
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	_ = rw.Flush()
	_, _ = io.Copy(conn, rw)
}

// upgrade asks for an upgrade and returns the status of the answer.
func upgrade(t *testing.T, w *Web) (net.Conn, *bufio.Reader, int) {
	t.Helper()
	conn, err := net.Dial("tcp", w.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	write(t, conn, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	return conn, r, resp.StatusCode
}

func TestWebTunnel(t *testing.T) {
	w := behind(t, Habits{BufferBodies: true}, echoUpgrade)
	conn, r, status := upgrade(t, w)
	require.Equal(t, http.StatusSwitchingProtocols, status)
	write(t, conn, "hello\n")
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "hello\n", line)
	w.Close() // ends it
	_, err = r.ReadByte()
	assert.Error(t, err)
}

func TestWebCutsTunnels(t *testing.T) {
	_, r, status := upgrade(t, behind(t, Habits{CutWebSocket: 50 * time.Millisecond}, echoUpgrade))
	require.Equal(t, http.StatusSwitchingProtocols, status)
	begin := time.Now()
	_, err := r.ReadByte()
	assert.Error(t, err)
	assert.GreaterOrEqual(t, time.Since(begin), 20*time.Millisecond)
}

func TestWebStripsUpgrade(t *testing.T) {
	_, _, status := upgrade(t, behind(t, Habits{StripUpgrade: true}, echoUpgrade))
	assert.Equal(t, http.StatusOK, status)
}

// The client gets nothing before the server's answer is complete.
func TestWebBuffers(t *testing.T) {
	half, rest := make(chan struct{}), make(chan struct{})
	w := behind(t, Habits{BufferBodies: true}, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.Repeat("a", 10_000))
		_ = http.NewResponseController(w).Flush()
		close(half)
		<-rest
		fmt.Fprint(w, "b")
	})
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		resp, err := http.Get("http://" + w.Addr())
		if assert.NoError(t, err) {
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			assert.NoError(t, err)
			assert.Len(t, b, 10_001)
		}
	}()
	<-half
	select {
	case <-answered:
		t.Error("answered with half of the body")
	case <-time.After(50 * time.Millisecond):
	}
	close(rest)
	<-answered
}
