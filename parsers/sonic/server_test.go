package sonic_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/parsers/sonic"
)

func Example() {
	srv := socketio.NewServer(&socketio.Options{JSON: sonic.New()})
	srv.On("order", func(c *socketio.Context, order struct {
		Items []string `json:"items"`
	}) (int, error) {
		return len(order.Items), nil
	})
	http.Handle("/socket.io/", srv)
}

type note struct {
	Text string         `json:"text"`
	N    int            `json:"n"`
	Data []byte         `json:"data,omitempty"`
	More map[string]any `json:"more,omitempty"`
}

func TestServer(t *testing.T) {
	eiotest.Run(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{JSON: sonic.New()})
		srv.On("note", func(_ *socketio.Context, n note) (note, error) { n.N++; return n, nil })
		srv.On("any", func(_ *socketio.Context, args ...any) (socketio.Args, error) { return args, nil })
		c := siotest.Join(t, srv, mode)
		c.Send(`21["note",{"text":"<café>","n":1,"more":{"b":[1,null],"a":"x"}}]`)
		assert.Equal(t, `31[{"text":"<café>","n":2,"more":{"a":"x","b":[1,null]}}]`, c.Next())
		c.Send(`22["any",{"a":1.5},"s",[true]]`)
		assert.Equal(t, `32[{"a":1.5},"s",[true]]`, c.Next())
	})
}
