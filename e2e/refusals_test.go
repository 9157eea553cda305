package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
)

const handshakeHeader = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// refusalRow is a request that both servers refuse alike. In its query $sid stands for a polling session, $ws for one over WebSocket.
type refusalRow struct {
	request string // method and query
	header  string // lines
	body    string
	ours    string // our server's answer where it differs, and why
}

var refusalTable = []refusalRow{
	{request: "GET EIO=4"},
	{request: "GET EIO=4&transport=abc"},
	{request: "GET EIO=4&transport=constructor"},
	{request: "GET EIO=4&transport=webtransport"},
	{request: "POST EIO=4&sid=$sid", body: "4x"},
	{request: "GET EIO=4&transport=polling&sid=abc"},
	{request: "GET EIO=4&transport=polling&sid=__proto__"},
	{request: "GET EIO=4&transport=polling&sid=%zz"},
	{request: "POST EIO=4&transport=polling&sid=abc", body: "4x"},
	{request: "PUT EIO=4&transport=polling&sid=abc"},
	{request: "HEAD EIO=4&transport=polling&sid=abc"},
	{request: "GET EIO=4&transport=websocket&sid=abc"},
	{request: "POST EIO=4&transport=polling", body: "4x"},
	{request: "PUT EIO=4&transport=polling"},
	{request: "DELETE EIO=4&transport=polling"},
	{request: "HEAD EIO=4&transport=polling"},
	{request: "POST EIO=4&transport=websocket"},
	{request: "GET transport=polling"},
	{request: "GET EIO=3&transport=polling"},
	{request: "GET EIO=abc&transport=polling"},
	{request: "GET EIO=4&transport=websocket"},
	{request: "GET EIO=4&transport=websocket&sid=$sid"},
	{request: "GET EIO=4&transport=polling&sid=$ws"},
	{request: "POST EIO=4&transport=polling&sid=$ws", body: "4x"},
	{request: "GET EIO=4&transport=polling", header: "Origin: https://evil.test\r\n"},
	{request: "GET EIO=4&transport=polling&sid=abc", header: "Origin: https://page.test\r\n"},
	{request: "POST EIO=4&transport=polling&sid=$sid", body: "4" + strings.Repeat("x", 100)},
	{request: "POST EIO=4&transport=polling&sid=$sid", header: "Content-Type: application/octet-stream\r\n", body: "4x"},
	{request: "PUT EIO=4&transport=polling&sid=$sid", body: "4x", ours: "405, as nobody's client shall make a load balancer believe that the server is ill"},
	{request: "DELETE EIO=4&transport=polling&sid=$sid", ours: "405"},
	{request: "HEAD EIO=4&transport=polling&sid=$sid", ours: "405"},

	// Handshakes.
	{request: "GET EIO=4", header: handshakeHeader},
	{request: "GET EIO=4&transport=abc", header: handshakeHeader},
	{request: "GET EIO=4&transport=websocket&sid=abc", header: handshakeHeader},
	{request: "POST EIO=4&transport=websocket", header: handshakeHeader},
	{request: "POST EIO=4&transport=websocket&sid=$sid", header: handshakeHeader},
	{request: "GET EIO=4&transport=websocket", header: "Origin: https://evil.test\r\n" + handshakeHeader},
	{request: "GET EIO=4&transport=websocket", header: strings.Replace(handshakeHeader, "Connection: Upgrade\r\n", "", 1)},
	{request: "GET EIO=4&transport=websocket", header: strings.Replace(handshakeHeader, "websocket", "h2c", 1)},
	{request: "GET EIO=4&transport=websocket", header: strings.Replace(handshakeHeader, "dGhl", "dG", 1)},
	{request: "GET EIO=4&transport=websocket", header: strings.Replace(handshakeHeader, ": 13", ": 7", 1)},
	{request: "GET EIO=4&transport=websocket", header: handshakeHeader + "Sec-WebSocket-Protocol: a,,b\r\n"},
	{request: "GET EIO=4&transport=websocket&sid=$sid", header: strings.Replace(handshakeHeader, "dGhl", "dG", 1)},
	{request: "GET EIO=3&transport=websocket", header: handshakeHeader, ours: "400, before the handshake: there it comes as a broken frame"},
}

// TestRefusalsBesideTheReference sends bad requests to the reference server and to ours: status, body and headers are the same.
func TestRefusalsBesideTheReference(t *testing.T) {
	enable(t)
	t.Parallel()
	script := startScript(t, "refusals")
	reference := "127.0.0.1:" + script.next("the port")
	ours := newEngine(t)
	for _, row := range refusalTable {
		name := row.request
		if strings.Contains(row.header, "Upgrade: ") {
			name += " upgrade"
		}
		t.Run(name, func(t *testing.T) {
			want, got := row.send(t, reference), row.send(t, ours)
			assert.NotEmpty(t, got.header.Get(engineio.RefusalHeader), "what to do about it")
			assert.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
			if row.ours != "" {
				assert.NotEqual(t, want.status, got.status, "it is the same by now")
				assert.Equal(t, row.ours[:3], got.status)
				return
			}
			assert.Equal(t, want.status, got.status)
			assert.Equal(t, want.body, got.body)
			compared := []string{"Content-Type"}
			if strings.Contains(row.header, "page.test") {
				compared = append(compared, "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials")
			}
			for _, key := range compared {
				assert.Equal(t, want.header.Get(key), got.header.Get(key), key)
			}
			if want.header.Get("Connection") == "close" && strings.Contains(row.header, "Upgrade") {
				assert.True(t, got.close, "the connection ends")
			}
		})
	}
	require.NoError(t, script.stdin.Close())
	script.wait()
}

// TestPreflightBesideTheReference compares the answers to preflight requests, which a browser sends before the real one.
func TestPreflightBesideTheReference(t *testing.T) {
	enable(t)
	t.Parallel()
	script := startScript(t, "refusals")
	row := refusalRow{request: "OPTIONS EIO=4&transport=polling",
		header: "Origin: https://page.test\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: content-type, x-token\r\n"}
	want, got := row.send(t, "127.0.0.1:"+script.next("the port")), row.send(t, newEngine(t))
	assert.Equal(t, want.status, got.status)
	assert.Equal(t, want.body, got.body)
	for key, values := range want.header {
		if strings.HasPrefix(key, "Access-Control-") {
			assert.Equal(t, values, got.header[key], key)
		}
	}
	all := strings.Join(got.header["Vary"], ", ")
	for _, v := range strings.Split(strings.Join(want.header["Vary"], ", "), ", ") {
		assert.Contains(t, all, v)
	}
	require.NoError(t, script.stdin.Close())
	script.wait()
}

// newEngine starts our server with the options that refusals.mjs has.
func newEngine(t *testing.T) (addr string) {
	t.Helper()
	srv, err := engineio.NewServer(&engineio.Options{
		Limits: engineio.Limits{MaxPayload: 100}, AllowedOrigins: []string{"https://page.test"},
		OnConnect: func(*engineio.Conn) (engineio.Receiver, error) { return engineio.ReceiverFuncs{}, nil },
	})
	require.NoError(t, err)
	web := httptest.NewServer(srv)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		cancel()
		_ = srv.Shutdown(ctx)
		web.Close()
	})
	return web.Listener.Addr().String()
}

type rawAnswer struct {
	status, body string
	header       http.Header
	close        bool
}

// send does the handshake that a request needs, and sends the request over a connection of its own.
func (row refusalRow) send(t *testing.T, addr string) rawAnswer {
	t.Helper()
	method, query, _ := strings.Cut(row.request, " ")
	switch {
	case strings.Contains(query, "$sid"):
		answer := exchange(t, addr, "GET", "EIO=4&transport=polling", "", "")
		query = strings.ReplaceAll(query, "$sid", openSID(t, answer.body))
	case strings.Contains(query, "$ws"):
		conn := dialTCP(t, addr)
		_, err := io.WriteString(conn, "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: server.test\r\n"+handshakeHeader+"\r\n")
		require.NoError(t, err)
		r := bufio.NewReader(conn)
		resp, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		require.Equal(t, 101, resp.StatusCode)
		head := make([]byte, 2)
		_, err = io.ReadFull(r, head)
		require.NoError(t, err)
		require.LessOrEqual(t, head[1], byte(125))
		packet := make([]byte, head[1])
		_, err = io.ReadFull(r, packet)
		require.NoError(t, err)
		query = strings.ReplaceAll(query, "$ws", openSID(t, string(packet)))
	}
	return exchange(t, addr, method, query, row.header, row.body)
}

func openSID(t *testing.T, packet string) string {
	t.Helper()
	var open struct{ SID string }
	require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(packet, "0")), &open), packet)
	return open.SID
}

func dialTCP(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	return conn
}

func exchange(t *testing.T, addr, method, query, header, body string) rawAnswer {
	t.Helper()
	conn := dialTCP(t, addr)
	var length string
	if body != "" {
		length = "Content-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	_, err := io.WriteString(conn, method+" /engine.io/?"+query+" HTTP/1.1\r\nHost: server.test\r\n"+header+length+"\r\n"+body)
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return rawAnswer{strconv.Itoa(resp.StatusCode), string(text), resp.Header, resp.Close}
}
