package msgpack_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	wire "github.com/vmihailenco/msgpack/v5"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/parsers/msgpack"
)

func Example() {
	srv := socketio.NewServer(&socketio.Options{Parser: msgpack.New()})
	srv.On("thumbnail", func(c *socketio.Context, picture struct {
		Name string `json:"name"`
		Data []byte `json:"data"`
	}) (int, error) {
		return len(picture.Data), nil
	})
	http.Handle("/socket.io/", srv)
	// and in the browser: io({ parser: msgpackParser })
}

type blob struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

func newServer() *socketio.Server {
	srv := socketio.NewServer(&socketio.Options{Parser: msgpack.New(), Logger: slog.New(slog.DiscardHandler)})
	srv.On("connect", func(c *socketio.Context, auth struct{ Token string }) error {
		if auth.Token == "wrong" {
			return &socketio.Error{Message: "no", Data: 7}
		}
		return c.Emit("welcome", auth.Token)
	})
	srv.On("blob", func(c *socketio.Context, b blob) (blob, error) {
		b.Name += "!"
		return b, c.Emit("blob", b, socketio.Broadcast())
	})
	srv.On("any", func(c *socketio.Context, args ...any) (socketio.Args, error) { return args, nil })
	srv.On("ask", func(c *socketio.Context, question string) error {
		return c.Emit("question", question, socketio.OnAck(func(c *socketio.Context, answer blob) error {
			return c.Emit("answered", answer)
		}))
	})
	srv.On("kick", func(c *socketio.Context) { c.Disconnect() })
	srv.Namespace("/chat").On("where", func(c *socketio.Context) (string, error) { return c.Namespace().Name(), nil })
	return srv
}

// packet is one as others see it.
type packet struct {
	Type int    `msgpack:"type"`
	Data any    `msgpack:"data"`
	NSP  string `msgpack:"nsp"`
	ID   *int   `msgpack:"id,omitempty"`
}

func TestServer(t *testing.T) {
	eiotest.Run(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer()
		t.Cleanup(func() { assert.NoError(t, srv.Shutdown(context.Background())) })
		c := eiotest.Connect(t, srv, &eiotest.Options{Mode: mode, Path: "/socket.io/"})
		send := func(p packet) {
			msg, err := wire.Marshal(p)
			require.NoError(t, err)
			require.NoError(t, c.SendBinary(msg))
		}
		receive := func() (p packet) {
			m, err := c.Receive(t.Context())
			require.NoError(t, err)
			require.True(t, m.Binary, "every packet is one binary message")
			require.NoError(t, wire.Unmarshal(m.Data, &p))
			return p
		}
		id := 3

		send(packet{Type: 0, NSP: "/", Data: map[string]any{"token": "t"}})
		hello := receive()
		assert.Equal(t, 0, hello.Type)
		assert.Len(t, hello.Data.(map[string]any)["sid"], 27)
		assert.Equal(t, packet{Type: 2, NSP: "/", Data: []any{"welcome", "t"}}, receive())

		send(packet{Type: 2, NSP: "/", ID: &id, Data: []any{"blob", map[string]any{"name": "n", "data": []byte{0, 255}}}})
		b := map[string]any{"name": "n!", "data": []byte{0, 255}}
		assert.Equal(t, packet{Type: 2, NSP: "/", Data: []any{"blob", b}}, receive())
		assert.Equal(t, packet{Type: 3, NSP: "/", ID: &id, Data: []any{b}}, receive())

		args := []any{[]any{[]byte("x"), nil, true}, "s", map[string]any{"f": 1.5}}
		send(packet{Type: 2, NSP: "/", ID: &id, Data: append([]any{"any"}, args...)})
		assert.Equal(t, packet{Type: 3, NSP: "/", ID: &id, Data: args}, receive())

		send(packet{Type: 2, NSP: "/", Data: []any{"ask", "why?"}})
		question := receive()
		assert.Equal(t, []any{"question", "why?"}, question.Data)
		send(packet{Type: 3, NSP: "/", ID: question.ID, Data: []any{b}})
		assert.Equal(t, packet{Type: 2, NSP: "/", Data: []any{"answered", b}}, receive())

		send(packet{Type: 0, NSP: "/chat"})
		assert.Equal(t, "/chat", receive().NSP)
		send(packet{Type: 2, NSP: "/chat", ID: &id, Data: []any{"where"}})
		assert.Equal(t, packet{Type: 3, NSP: "/chat", ID: &id, Data: []any{"/chat"}}, receive())

		send(packet{Type: 2, NSP: "/", Data: []any{"kick"}})
		assert.Equal(t, packet{Type: 1, NSP: "/"}, receive())
		send(packet{Type: 0, NSP: "/", Data: map[string]any{"token": "wrong"}})
		refusal := receive()
		assert.Equal(t, 4, refusal.Type)
		assert.EqualValues(t, map[string]any{"message": "no", "data": int8(7)}, refusal.Data)

		require.NoError(t, c.Send(`2["any"]`)) // a client that speaks the default format
		c.Wait()
		assert.ErrorIs(t, c.Err(), eiotest.ErrClosed)
	})
}
