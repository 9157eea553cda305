package e2e

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
)

// running is a server with a port of its own.
type running struct {
	t    *testing.T
	addr string
	srv  *socketio.Server
	web  *http.Server
}

// serve starts the server that the scripts talk to. addr is "127.0.0.1:0", or the address
// of a server that was stopped. wraps wrap its handler.
func serve(t *testing.T, addr string, wraps ...func(http.Handler) http.Handler) *running {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	srv := newServer()
	handler := http.Handler(srv)
	for _, wrap := range wraps {
		handler = wrap(handler)
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", handler)
	r := &running{t, listener.Addr().String(), srv, &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}}
	go func() { _ = r.web.Serve(listener) }()
	t.Cleanup(r.stop)
	return r
}

func (r *running) url() string { return "http://" + r.addr }

// stop ends the server as a program does on Ctrl-C. Stopping twice is fine.
func (r *running) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	assert.NoError(r.t, r.srv.Shutdown(ctx))
	assert.NoError(r.t, r.web.Shutdown(ctx))
}

// lateUpgrade holds back WebSocket handshakes until 20 requests with messages
// have been served, so that a client is busy when it upgrades.
func lateUpgrade(next http.Handler) http.Handler {
	busy := make(chan struct{})
	var posts atomic.Int32
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			select {
			case <-busy:
			case <-r.Context().Done():
			}
		}
		next.ServeHTTP(w, r)
		if r.Method == http.MethodPost && posts.Add(1) == 20 {
			close(busy)
		}
	})
}

type say struct {
	Text      string
	To        *[]string
	Broadcast bool
	SkipSelf  bool
	Skip      []string
	Except    []string
}

type blob struct {
	Name  string            `json:"name"`
	Data  []byte            `json:"data"`
	Parts []blob            `json:"parts"`
	More  map[string][]byte `json:"more"`
}

// newServer returns a server with handlers for everything that the scripts try.
func newServer() *socketio.Server {
	srv := socketio.NewServer(&socketio.Options{Logger: slog.New(slog.DiscardHandler)})

	srv.On("connect", func(c *socketio.Context) error { return c.Emit("welcome", c.ID()) })
	srv.On("disconnect", func(c *socketio.Context, reason socketio.Reason) error {
		return srv.Emit("left", socketio.Args{c.ID(), reason, sortedRooms(c)})
	})

	basics(srv)
	questions(srv)
	rooms(srv)
	floods(srv)
	namespaces(srv)
	return srv
}

func basics(srv *socketio.Server) {
	srv.On("transport", func(c *socketio.Context) (string, error) { return c.Transport(), nil })
	srv.On("echo", func(c *socketio.Context, args ...any) error {
		note(c, args)
		return c.Emit("echo", socketio.Args(args))
	})
	srv.On("return", func(_ *socketio.Context, args ...any) (socketio.Args, error) { return args, nil })
	srv.On("add", func(_ *socketio.Context, a, b int) (int, error) { return a + b, nil })
	srv.On("nothing", func(*socketio.Context) {})
	srv.On("fail", func(*socketio.Context) error {
		return &socketio.Error{Message: "no", Data: map[string]int{"code": 7}}
	})
	srv.On("blob", func(_ *socketio.Context, b blob) (blob, error) { return b, nil })
	srv.On("kick", func(c *socketio.Context) error {
		err := c.Emit("last words", nil)
		c.Disconnect()
		return err
	})
	srv.On("*", func(c *socketio.Context, event string, args ...any) error {
		return c.Emit("caught", slices.Insert(socketio.Args(args), 0, any(event)))
	})
}

// note counts the numbers that a client has echoed in the right order.
func note(c *socketio.Context, args []any) {
	if len(args) != 1 {
		return
	}
	if n, ok := args[0].(float64); ok {
		c.Session().Update("in order", func(old any) any {
			if next, _ := old.(int); next == int(n) {
				return next + 1
			}
			return -1 // once out of order, it stays so
		})
	}
}

func questions(srv *socketio.Server) {
	srv.On("ask", func(c *socketio.Context, args ...any) error {
		return c.Emit("question", socketio.Args(args), socketio.OnAck(func(c *socketio.Context, answers ...any) error {
			return c.Emit("answered", socketio.Args(answers))
		}))
	})
	srv.On("call", func(c *socketio.Context, question any) (any, error) {
		return socketio.Call[any](c.Context(), c.Socket, "question", socketio.Args{question, "unused"})
	})
}

func rooms(srv *socketio.Server) {
	srv.On("join", func(c *socketio.Context, room string) error {
		if err := c.Join(room); err != nil {
			return &socketio.Error{Message: err.Error()}
		}
		return nil
	})
	srv.On("leave", func(c *socketio.Context, room string) { c.Leave(room) })
	srv.On("close", func(_ *socketio.Context, room string) error { return srv.CloseRoom(room) })
	srv.On("rooms", func(c *socketio.Context) ([]string, error) { return sortedRooms(c), nil })
	srv.On("say", func(c *socketio.Context, s say) error {
		var options []socketio.EmitOption
		if s.To != nil {
			options = append(options, socketio.To(*s.To...))
		}
		if s.Broadcast {
			options = append(options, socketio.Broadcast())
		}
		if s.SkipSelf {
			options = append(options, socketio.SkipSelf())
		}
		options = append(options, socketio.Skip(s.Skip...), socketio.Except(s.Except...))
		err := c.Emit("said", s.Text, options...)
		if errors.Is(err, socketio.ErrRoomName) {
			return &socketio.Error{Message: err.Error()}
		}
		return err
	})
}

func sortedRooms(c *socketio.Context) []string {
	rooms := c.Rooms()
	slices.Sort(rooms)
	return rooms
}

func floods(srv *socketio.Server) {
	srv.On("in order", func(c *socketio.Context) (any, error) { return c.Session().Get("in order"), nil })
	srv.On("burst", func(c *socketio.Context, n int) error {
		for i := range n {
			if err := c.Emit("echo", i); err != nil {
				return err
			}
		}
		return nil
	})
	srv.On("volatile", func(c *socketio.Context, n int) (string, error) {
		data := bytes.Repeat([]byte{1}, 50_000)
		for i := range n {
			if err := c.Emit("volatile", socketio.Args{i, data}, socketio.Volatile()); err != nil {
				return "", err
			}
		}
		return "done", nil
	})
	srv.On("size", func(_ *socketio.Context, data any) (int, error) {
		switch data := data.(type) {
		case string:
			return len(data), nil
		case []byte:
			return len(data), nil
		}
		return 0, errors.New("neither text nor binary")
	})
	srv.On("make text", func(_ *socketio.Context, n int) (string, error) { return strings.Repeat("y", n), nil })
	srv.On("make binary", func(_ *socketio.Context, n int) ([]byte, error) { return bytes.Repeat([]byte{0xcd}, n), nil })
}

func namespaces(srv *socketio.Server) {
	chat := srv.Namespace("/chat")
	chat.On("connect", func(c *socketio.Context) error { return c.Emit("welcome to chat", c.ID()) })
	chat.On("say", func(_ *socketio.Context, text string) error { return chat.Emit("said", text) })

	where := func(c *socketio.Context) (string, error) { return c.Namespace().Name(), nil }
	count := func(c *socketio.Context) (int, error) { return c.Session().Add("count", 1), nil }
	srv.On("where", where)
	srv.On("count", count)
	chat.On("where", where)
	chat.On("count", count)

	private := srv.Namespace("/auth")
	private.On("connect", func(c *socketio.Context, auth struct{ Token, Name string }) error {
		switch auth.Token {
		case "secret":
			c.Session().Set("name", auth.Name)
			return nil
		case "broken":
			return errors.New("a detail that clients must not see")
		}
		return &socketio.Error{
			Message: "not authorized",
			Data:    map[string]any{"code": 42, "hint": []string{"use", "secret"}},
		}
	})
	private.On("name", func(c *socketio.Context) (any, error) { return c.Session().Get("name"), nil })
}
