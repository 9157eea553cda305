package engineio_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// Behind TLS there is no way past the connection's own Read and Write: the same traffic, in order, both ways.
func TestNetworkTLS(t *testing.T) {
	h := newHost(t, nil, nil)
	h.echo = true
	web := httptest.NewUnstartedServer(h.srv)
	web.EnableHTTP2 = false // browsers open WebSockets over HTTP/1.1
	web.StartTLS()
	t.Cleanup(web.Close)
	raw := &eiotest.Raw{Transport: web.Client().Transport.(*http.Transport), URL: web.URL}
	_, _, err := raw.Handshake(t.Context())
	require.NoError(t, err)
	p := h.peer()
	assert.NotNil(t, p.Request().TLS)
	poll := get(t, raw)
	ws := dialProbe(t, raw, "2probe")
	ws.want("3probe")
	wantOK(t, next(t, poll), nil, "6")
	ws.send("5")
	big := strings.Repeat("x", 40_000) // in all less than the send queue may hold
	for i := range 20 {
		ws.send(fmt.Sprint("4", i, big))
	}
	for i := range 20 {
		ws.want(fmt.Sprint("4", i, big))
	}
	require.NoError(t, ws.Close(websocket.StatusNormalClosure, ""))
	assert.NoError(t, p.wantClosed(engineio.ReasonTransportClose))
}

// Polling works over HTTP/2, too.
func TestNetworkHTTP2(t *testing.T) {
	h := newHost(t, nil, nil)
	h.echo = true
	web := httptest.NewUnstartedServer(h.srv)
	web.EnableHTTP2 = true
	web.StartTLS()
	t.Cleanup(web.Close)
	client := web.Client()
	t.Cleanup(client.CloseIdleConnections)
	raw := &eiotest.Raw{Transport: client.Transport.(*http.Transport), URL: web.URL}
	_, _, err := raw.Handshake(t.Context())
	require.NoError(t, err)
	p := h.peer()
	assert.Equal(t, 2, p.Request().ProtoMajor)
	resp, err := raw.Post(t.Context(), "4hello")
	wantOK(t, resp, err, "ok")
	resp, err = raw.Get(t.Context())
	wantOK(t, resp, err, "4hello")
	leave(t, raw)
	p.wantClosed(engineio.ReasonClientDisconnect)
}
