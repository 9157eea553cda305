package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// ledger counts the connect handlers that accepted and the disconnect handlers, by session id.
type ledger struct {
	mu sync.Mutex
	n  map[string]int // accepted: 1; and left: 0
	// accepted and left are how many there were in all.
	accepted, left int
	wrong          []string
}

func (l *ledger) connected(sid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted++
	l.n[sid]++
}

func (l *ledger) disconnected(sid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left++
	if l.n[sid]--; l.n[sid] != 0 {
		l.wrong = append(l.wrong, sid)
	}
	delete(l.n, sid)
}

// Everything that can happen to sockets happens to many at once, over all transports, while the server shuts down in the
// end: each accepted connect has one disconnect, and nothing is left.
func TestStormOfLives(t *testing.T) {
	const clients, steps = 24, 200
	srv := siotest.NewServer(t, &socketio.Options{Namespaces: []string{"*"}, Limits: socketio.Limits{MaxNamespaces: 20}, DrainWindow: -1})
	l := &ledger{n: make(map[string]int)}
	every := srv.Namespace("*")
	every.On("connect", func(c *socketio.Context, auth struct{ Do string }) error {
		switch auth.Do {
		case "refuse":
			return errors.New("no")
		case "slow":
			select {
			case <-c.Context().Done():
			case <-time.After(time.Duration(rand.IntN(3)) * time.Millisecond):
			}
		case "close":
			c.CloseConnection()
		case "leave":
			c.Disconnect()
		}
		_ = c.Join(fmt.Sprint("room", rand.IntN(4)))
		return nil
	})
	// A hook knows who was accepted in the end.
	srv.AddHooks(socketio.Hooks{
		SocketConnected: func(s *socketio.Socket) { l.connected(s.ID()) },
	})
	every.On("disconnect", func(c *socketio.Context) { l.disconnected(c.ID()) })
	every.On("join", func(c *socketio.Context) error { return c.Join(fmt.Sprint("room", rand.IntN(4))) })
	every.On("leave", func(c *socketio.Context) { c.Leave(fmt.Sprint("room", rand.IntN(4))) })
	every.On("part", func(c *socketio.Context) { c.Disconnect() })
	every.On("closeroom", func(c *socketio.Context) { _ = c.Namespace().CloseRoom(fmt.Sprint("room", rand.IntN(4))) })
	every.On("call", func(c *socketio.Context) {
		ctx, cancel := context.WithTimeout(c.Context(), 5*time.Millisecond)
		defer cancel()
		_, _ = c.Namespace().Call(ctx, "ask", nil, socketio.To(fmt.Sprint("room", rand.IntN(4))))
	})
	every.On("all", func(c *socketio.Context) { _ = c.Emit("all", nil, socketio.Broadcast()) })

	tr := eiotest.Serve(t, srv, nil)
	namespace := func() string {
		if rand.IntN(3) > 0 {
			return fmt.Sprintf("/few%d,", rand.IntN(3))
		}
		return fmt.Sprintf("/many%d,", rand.IntN(2000))
	}
	// step returns a packet of a client that has asked for some namespaces.
	step := func(asked map[string]bool) string {
		ns := namespace()
		if n := rand.IntN(4); n == 0 || !asked[ns] {
			auth := []string{"", "", "", `{"do":"slow"}`, `{"do":"refuse"}`, `{"do":"leave"}`, `{"do":"close"}`}[rand.IntN(7)]
			if auth == `{"do":"close"}` && rand.IntN(3) > 0 {
				auth = ""
			}
			asked[ns] = true
			return "0" + ns + auth
		}
		switch rand.IntN(6) {
		case 0:
			return "1" + ns
		case 1:
			return "3" + ns + fmt.Sprint(rand.IntN(50)) + "[]"
		}
		return "2" + ns + fmt.Sprintf(`["%s"]`, []string{"join", "join", "leave", "part", "closeroom", "call", "all", "all", "all", "all"}[rand.IntN(10)])
	}
	var all sync.WaitGroup
	var done atomic.Int64
	var stopping atomic.Bool
	enough := make(chan struct{})
	for i := range clients {
		all.Go(func() {
			for n := i; !stopping.Load(); n++ {
				c, err := eiotest.Dial(context.Background(), nil, &eiotest.Options{Transport: tr, Path: "/socket.io/", Mode: eiotest.Modes[n%3]})
				if err != nil {
					if !stopping.Load() {
						t.Errorf("dial: %v", err)
					}
					return
				}
				asked := make(map[string]bool)
				for c.Err() == nil && rand.IntN(60) > 0 {
					_ = c.Send(step(asked))
					if done.Add(1) == clients*steps {
						close(enough)
					}
				}
				if rand.IntN(2) == 0 {
					c.Abort()
				} else {
					c.Close()
				}
			}
		})
	}
	<-enough
	stopping.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(t, srv.Shutdown(ctx))
	all.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Positive(t, l.accepted)
	require.Equal(t, l.accepted, l.left, "each accepted connect has one disconnect")
	require.Empty(t, l.n)
	require.Empty(t, l.wrong, "left twice, or never accepted")
	require.Zero(t, srv.Undecided())
	t.Logf("%d sockets came and went", l.accepted)
}
