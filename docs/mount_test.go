package docs_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// Clients that leave out the slash at the end are served, and not redirected.
func TestMounting(t *testing.T) {
	srv := socketio.NewServer(nil)
	defer srv.Close()
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	mux.Handle("/socket.io", srv)
	for name, h := range map[string]http.Handler{"mux": mux, "Handler": srv.Handler(http.NotFoundHandler())} {
		for _, path := range []string{"/socket.io/", "/socket.io"} {
			t.Run(name+" "+path, func(t *testing.T) {
				tr := eiotest.Serve(t, h, nil)
				client := &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
				resp, err := client.Get("http://server.test" + path + "?EIO=4&transport=polling")
				require.NoError(t, err)
				resp.Body.Close()
				require.Equal(t, http.StatusOK, resp.StatusCode)
				c, _, err := websocket.Dial(t.Context(), "ws://server.test"+path+"?EIO=4&transport=websocket", &websocket.DialOptions{HTTPClient: client})
				require.NoError(t, err)
				require.NoError(t, c.CloseNow())
			})
		}
	}
}

// A page of the proxy's origin connects through it, by both transports.
func TestReverseProxy(t *testing.T) {
	srv := socketio.NewServer(&socketio.Options{TrustForwarded: true})
	backend := httptest.NewServer(srv)
	t.Cleanup(func() {
		_ = srv.Close()
		backend.Close()
	})
	srv.On("hosts", func(c *socketio.Context) (string, string) {
		return c.Request().Host, c.Request().Header.Get("X-Forwarded-Host")
	})
	to, err := url.Parse(backend.URL)
	require.NoError(t, err)
	serverOf := func(*http.Request) *url.URL { return to }

	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(serverOf(r.In)) // the same one for all requests of a client
		r.Out.Host = r.In.Host
		r.SetXForwarded()
		if r.Out.Body == nil {
			r.Out.Body = io.NopCloser(strings.NewReader(""))
		}
	}}

	for _, transport := range []socketiotest.Transport{socketiotest.Polling, socketiotest.WebSocket, socketiotest.Upgrade} {
		page := &socketiotest.Options{Transport: transport, Header: http.Header{"Origin": {"http://server.test"}}}
		c := socketiotest.Connect(t, proxy, page)
		require.Equal(t, `["server.test","server.test"]`, c.Call("hosts").String())
		c.Disconnect()
	}
}
