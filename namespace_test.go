package socketio_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

func TestMiddleware(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		built := 0
		mw := func(name string) func(socketio.HandlerFunc) socketio.HandlerFunc {
			return func(next socketio.HandlerFunc) socketio.HandlerFunc {
				built++
				return func(c *socketio.Context) (socketio.Args, error) {
					rec.Add("%s %s", name, c.Event())
					if c.Event() == "stop" {
						return socketio.Args{"stopped by " + name}, nil
					}
					args, err := next(c)
					if errors.Is(err, socketio.ErrNoHandler) {
						return socketio.Args{"default"}, nil
					}
					return append(args, name), err
				}
			}
		}
		srv.Use(mw("first"))
		srv.On("ev", func(c *socketio.Context) string { return "handler" })
		srv.Namespace("*").Use(mw("any"))
		srv.Use(mw("second"))
		srv.Namespace("*").Use(mw("any2"))
		srv.Namespace("/x").On("ev", func(c *socketio.Context) error { return nil })
		require.Equal(t, 4, built)
		p := siotest.Dial(t, srv, eiotest.WebSocket)
		p.Connect("/") // without a handler for it
		rec.Want(t, "any connect", "any2 connect", "first connect", "second connect")
		p.Send(`21["ev"]`, `22["stop"]`)
		p.Want(`31["handler","second","first","any2","any"]`, `32["stopped by any"]`)
		rec.Take()
		p.Connect("/x")
		rec.Want(t, "any connect", "any2 connect")
		p.Send(`2/x,1["none"]`)
		p.Want(`3/x,1["default","any"]`)
		rec.Take()
		p.Send(`1`)
		rec.Want(t, "any disconnect", "any2 disconnect", "first disconnect", "second disconnect")
	})
}

// Middleware may refuse clients.
func TestMiddlewareRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		srv.Use(func(next socketio.HandlerFunc) socketio.HandlerFunc {
			return func(c *socketio.Context) (socketio.Args, error) {
				var a auth
				if err := c.Bind(&a); c.Event() == "connect" && (err != nil || a.Token != "good") {
					return nil, &socketio.Error{Message: "bad token"}
				}
				return next(c)
			}
		})
		p := siotest.Dial(t, srv, eiotest.WebSocket)
		p.Send(`0{"token":"bad"}`)
		p.Want(`4{"message":"bad token"}`)
		p.Send(`0{"token":"good"}`)
		p.Connected("/")
	})
}
