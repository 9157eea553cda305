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

func TestUnknownNamespace(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{Namespaces: []string{"/extra", "bare"}})
		srv.Namespace("*").On("x", func(c *socketio.Context) {}) // does not make others accepted
		p := siotest.Dial(t, srv, mode)
		p.Send(`0/unknown,`, `0/extra,`)
		p.Want(`4/unknown,{"message":"Invalid namespace"}`)
		p.Connected("/extra")
		p.Connect("/bare")
		p.Connect("/") // accepted without handlers
		p.Send(`0/late,`)
		p.Want(`4/late,{"message":"Invalid namespace"}`)
		srv.Namespace("late").On("x", func(c *socketio.Context) {})
		p.Connect("/late")
	})
}

func TestAnyNamespace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Namespaces: []string{"*"}, Limits: socketio.Limits{MaxNamespaces: 3}})
		srv.Namespace("*").On("who", func(c *socketio.Context) string { return c.Namespace().Name() })
		p := siotest.Dial(t, srv, eiotest.WebSocket)
		p.Connect("/a")
		p.Connect("/b")
		p.Connect("/c")
		p.Send(`2/b,1["who"]`)
		p.Want(`3/b,1["/b"]`)
		p.Send(`0/d,`)
		p.Want(`4/d,{"message":"Too many namespaces"}`)
		p.Send(`1/a,`)
		p.Connect("/d")
	})
}
