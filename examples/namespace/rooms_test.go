package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

const every = 10 * time.Second

// demo runs a test in a bubble, with two clients that have been greeted.
func demo(t *testing.T, test func(t *testing.T, ann, bob *socketiotest.Client)) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t.Context(), every)
		ann := socketiotest.Connect(t, srv, nil)
		ann.Expect("my_response", response{Data: "Connected"})
		bob := socketiotest.Connect(t, srv, nil)
		bob.Expect("my_response", response{Data: "Connected"})
		test(t, ann, bob)
		ann.ExpectNothing()
		bob.ExpectNothing()
	})
}

func TestEcho(t *testing.T) {
	demo(t, func(t *testing.T, ann, bob *socketiotest.Client) {
		ann.Emit("my_event", message{Data: "a"})
		ann.Emit("my_event", message{Data: []any{1, true}})
		ann.Expect("my_response", response{"a", 1})
		ann.Expect("my_response", response{[]any{1, true}, 2})
	})
}

func TestBroadcast(t *testing.T) {
	demo(t, func(t *testing.T, ann, bob *socketiotest.Client) {
		ann.Emit("my_broadcast_event", message{Data: "to all"})
		ann.Expect("my_response", response{"to all", 1})
		bob.Expect("my_response", response{"to all", 1})
	})
}

func TestRooms(t *testing.T) {
	demo(t, func(t *testing.T, ann, bob *socketiotest.Client) {
		ann.Emit("join", message{Room: "den"})
		ann.Expect("my_response", response{"In rooms: " + ann.ID() + ", den", 1})
		bob.Emit("my_room_event", message{Room: "den", Data: "in?"})
		ann.Expect("my_response", response{"in?", 1})

		bob.Emit("join", message{Room: "den"})
		bob.Expect("my_response", response{"In rooms: " + bob.ID() + ", den", 2})
		ann.Emit("leave", message{Room: "den"})
		ann.Expect("my_response", response{"In rooms: " + ann.ID(), 2})

		bob.Emit("close_room", message{Room: "den"})
		bob.Expect("my_response", response{"Room den is closing.", 3})
		bob.Emit("my_room_event", message{Room: "den", Data: "nobody hears this"})
	})
}

func TestDisconnectRequest(t *testing.T) {
	demo(t, func(t *testing.T, ann, bob *socketiotest.Client) {
		ann.Emit("disconnect_request")
		ann.Expect("my_response", response{"Disconnected!", 1})
		assert.Equal(t, "io server disconnect", ann.WaitDisconnect())
		assert.True(t, bob.Connected())
	})
}

func TestPing(t *testing.T) {
	demo(t, func(t *testing.T, ann, _ *socketiotest.Client) {
		ann.Emit("my_ping")
		ann.Expect("my_pong")
	})
}

func TestServerGeneratedEvents(t *testing.T) {
	demo(t, func(t *testing.T, ann, bob *socketiotest.Client) {
		start := time.Now()
		for count := 1; count < 3; count++ {
			ann.Expect("my_response", response{"Server generated event", count})
			bob.Expect("my_response", response{"Server generated event", count})
		}
		assert.Equal(t, 2*every, time.Since(start))
	})
}

// Only events have handlers: the other method is out of reach.
func TestUnknownEvents(t *testing.T) {
	demo(t, func(t *testing.T, ann, _ *socketiotest.Client) {
		ann.Emit("background")
		ann.Emit("my event")
	})
}

func TestPage(t *testing.T) {
	srv := newServer(t.Context(), every)
	web := httptest.NewServer(newHandler(srv))
	defer web.Close()
	defer func() { assert.NoError(t, srv.Shutdown(context.Background())) }()
	get := func(path string) (*http.Response, string) {
		resp, err := web.Client().Get(web.URL + path)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp, string(body)
	}
	web.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	resp, page := get("/")
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Contains(t, resp.Header.Get("Content-Type"), "text/html")
	for _, path := range []string{"/static/page.css", "/static/page.js"} {
		assert.Contains(t, page, path)
		resp, _ := get(path)
		assert.Equal(t, http.StatusOK, resp.StatusCode, path)
	}
	resp, _ = get("/client/" + clientFile)
	if findClient() == "" {
		assert.Equal(t, clientCDN, resp.Header.Get("Location"))
	} else {
		assert.Equal(t, http.StatusOK, resp.StatusCode)
	}
	resp, _ = get("/nothing")
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)
	_, refusal := get("/socket.io/?EIO=3&transport=polling") // leaves no connection behind
	assert.Contains(t, refusal, `"code":5`)
}

func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, run(ctx, "127.0.0.1:0"))
	require.Error(t, run(t.Context(), "127.0.0.1:-1"))
}
