package main

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// start serves a framework on a port of 127.0.0.1. The test client speaks to
// handlers, so it gets one that hands everything on to there.
func start(t *testing.T, web site, srv *socketio.Server) (base string, all http.Handler) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(listener) }()
	t.Cleanup(func() {
		assert.NoError(t, srv.Shutdown(context.Background()))
		assert.NoError(t, web.Shutdown(context.Background()))
		<-ended
	})
	target := &url.URL{Scheme: "http", Host: listener.Addr().String()}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	quiet := log.New(io.Discard, "", 0) // clients leave in the middle of polls
	return target.String(), &httputil.ReverseProxy{Transport: transport, ErrorLog: quiet, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
}

func TestFrameworks(t *testing.T) {
	for name, mount := range frameworks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			web, srv := mount()
			base, all := start(t, web, srv)

			r, err := http.Get(base + "/?user=eve")
			require.NoError(t, err)
			body, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			r.Body.Close()
			framework, _, _ := strings.Cut(strings.Replace(name, "polling", "net/http", 1), "-")
			assert.Equal(t, framework+" serves eve", string(body), "the framework's own route")

			transports := []socketiotest.Transport{socketiotest.Polling, socketiotest.WebSocket, socketiotest.Upgrade}
			if name == "polling" {
				transports = transports[:1]
			}
			for _, transport := range transports {
				t.Run(string(transport), func(t *testing.T) { use(t, all, transport) })
			}
			for _, method := range []string{"PUT", "DELETE"} { // the server answers, not the framework
				r, err := http.NewRequest(method, base+"/socket.io/?EIO=4&transport=polling", nil)
				require.NoError(t, err)
				answer, err := http.DefaultClient.Do(r)
				require.NoError(t, err)
				body, _ := io.ReadAll(answer.Body)
				answer.Body.Close()
				assert.Contains(t, string(body), `"code":2`, method)
			}
		})
	}
}

// use has two clients talk, with all that a transport has to carry.
func use(t *testing.T, all http.Handler, transport socketiotest.Transport) {
	connect := func(user string) *socketiotest.Client {
		return socketiotest.Connect(t, all, &socketiotest.Options{
			Transport: transport,
			Query:     url.Values{"user": {user}, "room": {"of " + user}},
			Header:    http.Header{"User-Agent": {"agent of " + user}, "Host": {user + ".test"}},
		})
	}
	ann, bob := connect("ann"), connect("bob")
	assert.Equal(t, `["ann"]`, ann.Call("whoami").String(), "what the middleware stored")
	big := strings.Repeat("x", 300_000) // it is compressed, and does not fit into any buffer
	for _, args := range [][]any{{"hello", 1.5, nil}, {[]byte{0, 1, 2}, map[string]any{"deep": []byte("binary")}}, {big}} {
		ann.Emit("echo", args...)
		ann.Expect("echo", args...)
	}
	for _, c := range []*socketiotest.Client{ann, bob} {
		assert.Zero(t, c.Call("join", "room").Len())
	}
	ann.Emit("say", "room", "hi")
	bob.Expect("said", "hi")

	// The handshake's request is still the one it was.
	for range 5 {
		connect("eve-with-a-longer-name")
	}
	for user, c := range map[string]*socketiotest.Client{"ann": ann, "bob": bob} {
		assert.JSONEq(t, `["of `+user+`","agent of `+user+`","`+user+`.test"]`, c.Call("request").String())
		assert.Equal(t, `["`+user+`"]`, c.Call("whoami").String())
	}
	ann.Disconnect()
	bob.Call("whoami")
}

// A client that insists on WebSocket where it does not get through is told so at
// once, and one that would upgrade is told not to.
func TestPollingOnly(t *testing.T) {
	web, srv := withoutWebSocket()
	base, all := start(t, web, srv)
	_, err := socketiotest.TryConnect(t, all, &socketiotest.Options{Transport: socketiotest.WebSocket})
	var refused *socketiotest.HTTPError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, http.StatusBadRequest, refused.Status)
	assert.Equal(t, 0, refused.Code)

	answer, err := http.Get(base + "/socket.io/?EIO=4&transport=polling")
	require.NoError(t, err)
	defer answer.Body.Close()
	handshake, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	assert.Contains(t, string(handshake), `"upgrades":[]`)
}

func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name := range frameworks {
		var out strings.Builder
		require.NoError(t, run(ctx, name, "127.0.0.1:0", &out), name)
		assert.Contains(t, out.String(), "Socket.IO in "+name+" on http://127.0.0.1:")
	}
	require.ErrorContains(t, run(ctx, "django", "127.0.0.1:0", io.Discard), "-help")
	require.ErrorContains(t, run(ctx, "gin", "127.0.0.1:-1", io.Discard), "-addr")
}

// Echo's compression makes long answers to polls unreadable, unless it is left out
// for them: docs/troubleshooting.md says so.
func TestEchoCompressesTwice(t *testing.T) {
	everywhere := func(srv http.Handler) http.Handler {
		e := echo.New()
		e.Use(middleware.Gzip())
		e.Any("/socket.io/*", echo.WrapHandler(srv))
		return e
	}
	for name, test := range map[string]struct {
		mount func(http.Handler) http.Handler
		opts  *socketio.Options
		works bool
	}{
		"everywhere": {everywhere, nil, false},
		"elsewhere":  {inEcho, nil, true},
		"once":       {everywhere, &socketio.Options{DisableHTTPCompression: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			srv := newServer(test.opts)
			t.Cleanup(func() { assert.NoError(t, srv.Shutdown(context.Background())) })
			web := httptest.NewServer(test.mount(srv))
			t.Cleanup(web.Close)
			sid := ""
			poll := func(method, body string) string { // as a browser does, which undoes one compression
				r, err := http.NewRequest(method, web.URL+"/socket.io/?EIO=4&transport=polling"+sid, strings.NewReader(body))
				require.NoError(t, err)
				answer, err := web.Client().Do(r)
				require.NoError(t, err)
				defer answer.Body.Close()
				text, err := io.ReadAll(answer.Body)
				require.NoError(t, err)
				return string(text)
			}
			sid = "&sid=" + regexp.MustCompile(`"sid":"([^"]+)"`).FindStringSubmatch(poll("GET", ""))[1]
			poll("POST", "40")
			assert.Contains(t, poll("GET", ""), "40{", "a short one")
			poll("POST", `42["echo","`+strings.Repeat("x", 3000)+`"]`)
			assert.Equal(t, test.works, strings.HasPrefix(poll("GET", ""), `42["echo","xxx`), "a long one")
		})
	}
}
