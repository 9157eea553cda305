package security_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/parser"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// Who knows a connection's id can send in the client's name, and who knows a
// session id can be in its room: logs have the beginning only. Auth payloads and
// cookies are not logged.
func TestLogHoldsNoSecrets(t *testing.T) {
	var mu sync.Mutex
	var text bytes.Buffer
	srv := socketio.NewServer(&socketio.Options{
		Logger: slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return text.Write(p)
		}), &slog.HandlerOptions{Level: slog.LevelDebug})),
		Limits: socketio.Limits{Packet: parser.Limits{Depth: 3}},
	})
	var secrets []string
	srv.On("connect", func(c *socketio.Context) {
		mu.Lock()
		defer mu.Unlock()
		secrets = append(secrets, c.ID(), c.Connection().ID())
	})
	srv.On("fail", func(*socketio.Context) error { return assert.AnError })
	srv.On("panic", func(*socketio.Context) { panic("no") })
	srv.Namespace("/no").On("connect", func(*socketio.Context) error { return assert.AnError })
	srv.On("bye", func(*socketio.Context) {})
	for _, transport := range []socketiotest.Transport{socketiotest.Polling, socketiotest.WebSocket, socketiotest.Upgrade} {
		cl := socketiotest.Connect(t, srv, &socketiotest.Options{
			Transport: transport,
			Auth:      map[string]string{"token": "s3cret"},
			Header:    map[string][]string{"Cookie": {"session=s3cret"}},
		})
		cl.Emit("fail")
		cl.Emit("panic")
		cl.Emit("unknown")
		_, err := cl.TryJoin("/no", map[string]string{"token": "s3cret"})
		require.Error(t, err)
		cl.Call("bye")
		cl.Emit("deep", [][][][]int{{{}}})
		cl.WaitDisconnect()
	}
	require.NoError(t, srv.Shutdown(context.Background()))
	for _, message := range []string{"connected", "disconnected", "closing connection", "handler failed", "handler panicked", "refused"} {
		assert.Contains(t, text.String(), "socketio: "+message)
	}
	require.Len(t, secrets, 6)
	for _, secret := range append(secrets, "s3cret") {
		assert.NotContains(t, text.String(), secret)
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
