package siotest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
)

// NewServer returns a server that is shut down when the test ends. It must have forgotten
// everything then. Its log is silent unless opts has a Logger.
func NewServer(t testing.TB, opts *socketio.Options) *socketio.Server {
	t.Helper()
	var o socketio.Options
	if opts != nil {
		o = *opts
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	srv := socketio.NewServer(&o)
	given := new(sids)
	sidsGiven.Store(srv, given)
	t.Cleanup(func() {
		defer sidsGiven.Delete(srv)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil { // nil: all handlers have returned
			t.Errorf("Shutdown: %v", err)
		}
		WantForgotten(t, srv)
	})
	return srv
}

// BeginShutdown shuts a server down in the background. The channel has what Shutdown returned.
func BeginShutdown(ctx context.Context, srv *socketio.Server) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- srv.Shutdown(ctx) }()
	return ended
}

// WantForgotten expects that a server, whose clients have all gone, remembers none
// of them: no connection, socket or room, and no session id that a Peer was given.
// In the tests of the root package it looks into the server's index, too.
func WantForgotten(t testing.TB, srv *socketio.Server) {
	t.Helper()
	st := srv.Stats()
	assert.Zero(t, st.Polling+st.WebSocket, "connections")
	assert.Empty(t, st.Sockets, "sockets by namespace")
	assert.Zero(t, st.Rooms, "rooms")
	if given, ok := sidsGiven.Load(srv); ok {
		for _, id := range given.(*sids).all() {
			if srv.Namespace(id.namespace).Socket(id.sid) != nil {
				t.Errorf("the session id %s of %s is still known", id.sid, id.namespace)
			}
		}
	}
	// The root's export_test.go adds the method, in the root's tests only.
	if in, ok := any(srv).(interface {
		Sizes() (sids, rooms, running int)
	}); ok {
		if sids, rooms, running := in.Sizes(); sids+rooms+running != 0 {
			t.Errorf("%d sids, %d rooms and %d sockets remain", sids, rooms, running)
		}
	}
}

// sidsGiven has the session ids that each server of NewServer gave to Peers, as *sids.
var sidsGiven sync.Map

type sids struct {
	mu    sync.Mutex
	given []sid
}

type sid struct{ namespace, sid string }

// note notes a session id that a server gave, if NewServer made it.
func note(srv http.Handler, namespace, id string) {
	if s, ok := srv.(*socketio.Server); ok {
		if given, ok := sidsGiven.Load(s); ok {
			given := given.(*sids)
			given.mu.Lock()
			defer given.mu.Unlock()
			given.given = append(given.given, sid{namespace, id})
		}
	}
}

func (s *sids) all() []sid {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given
}

// SIDs returns the session ids of everyone in a namespace.
func SIDs(n interface {
	Sockets(...socketio.QueryOption) iter.Seq[*socketio.Socket]
}) (sids []string) {
	for s := range n.Sockets() {
		sids = append(sids, s.ID())
	}
	return sids
}

// Members returns the session ids in a room.
func Members(t require.TestingT, n interface {
	Members(room string, opts ...socketio.QueryOption) ([]string, error)
}, room string) []string {
	sids, err := n.Members(room)
	require.NoError(t, err)
	return sids
}

// Logs collects what a server logs.
type Logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *Logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *Logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Logger returns a logger that writes to l, from level info.
func Logger(l *Logs) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// WantLimit checks an error of a limit in Options.
func WantLimit(t testing.TB, err error, limit string, most int) {
	t.Helper()
	var e *socketio.LimitError
	require.ErrorAs(t, err, &e)
	require.Equal(t, socketio.LimitError{Limit: limit, Max: most}, *e)
	require.Contains(t, err.Error(), "socketio: "+fmt.Sprint(most))
	require.Contains(t, err.Error(), "Options.Limits."+limit)
}
