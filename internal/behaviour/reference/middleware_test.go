package reference_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// A middleware that refuses a client ends the chain: no other middleware, no connect handler and no disconnect handler
// runs, and the client is in no room that the middleware put it into. Its connection stays, and it may try again. (JS 116)
func TestRefusalEndsTheChain(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.Use(func(next socketio.HandlerFunc) socketio.HandlerFunc {
			return func(c *socketio.Context) (socketio.Args, error) {
				var auth struct{ Token string }
				if c.Event() != "connect" || c.Bind(&auth) == nil && auth.Token == "good" {
					return next(c)
				}
				require.NoError(t, c.Join("room"))
				e := &socketio.Error{Message: "bad token"}
				if auth.Token != "" {
					e.Data = map[string]string{"token": auth.Token}
				}
				return nil, e
			}
		})
		srv.Use(func(next socketio.HandlerFunc) socketio.HandlerFunc {
			return func(c *socketio.Context) (socketio.Args, error) {
				rec.Add("second middleware: %s", c.Event())
				return next(c)
			}
		})
		srv.On("connect", func(*socketio.Context) { rec.Add("connect") })
		srv.On("disconnect", func(*socketio.Context) { rec.Add("disconnect") })
		p := siotest.Dial(t, srv, mode)
		p.Send(`0`)
		p.Want(`4{"message":"bad token"}`) // without "data"
		p.Send(`0{"token":"bad"}`)
		p.Want(`4{"message":"bad token","data":{"token":"bad"}}`)
		p.Quiet()
		rec.Want(t)
		require.Empty(t, siotest.SIDs(srv))
		require.Empty(t, siotest.Members(t, srv, "room"))
		require.Zero(t, srv.Stats().Rooms)

		p.Send(`0{"token":"good"}`)
		p.Connected("/")
		rec.Want(t, "second middleware: connect", "connect")
		require.Empty(t, siotest.Members(t, srv, "room"))
	})
}

// The connection ends while a middleware decides. The reference server ignores the result. Here the middleware sees
// that the client has gone, by the context: if it goes on nevertheless, the connect handler runs, and the disconnect
// handler after it; if it returns an error, neither does. (JS 118)
func TestConnectionEndsDuringMiddleware(t *testing.T) {
	for _, goesOn := range []bool{true, false} {
		eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
			srv := siotest.NewServer(t, nil)
			var rec siotest.Record
			entered := make(chan struct{})
			srv.Use(func(next socketio.HandlerFunc) socketio.HandlerFunc {
				return func(c *socketio.Context) (socketio.Args, error) {
					if c.Event() != "connect" {
						return next(c)
					}
					close(entered)
					<-c.Context().Done()
					rec.Add("gone: %t", !c.Connected())
					if goesOn {
						return next(c)
					}
					return nil, c.Context().Err()
				}
			})
			srv.On("connect", func(*socketio.Context) { rec.Add("connect") })
			srv.On("disconnect", func(*socketio.Context) { rec.Add("disconnect") })
			p := siotest.Dial(t, srv, mode)
			p.Send(`0`)
			<-entered
			p.Client.Close()
			if goesOn {
				rec.Want(t, "gone: true", "connect", "disconnect")
			} else {
				rec.Want(t, "gone: true")
			}
			require.Empty(t, siotest.SIDs(srv))
		})
	}
}
