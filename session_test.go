package socketio_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// Flask-SocketIO 1.14: the namespaces of one connection share a session, other connections have their own.
func TestSession(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		seed := map[string]any{"shared": "map"}
		calls := 0
		srv := siotest.NewServer(t, &socketio.Options{Session: func(r *http.Request) map[string]any {
			calls++
			seed["user"] = r.Header.Get("X-User")
			return seed
		}})
		count := func(c *socketio.Context) (int, string) {
			user, _ := socketio.SessionValue[string](c.Session(), "user")
			return c.Session().Add("count", 1), user
		}
		srv.On("count", count)
		srv.Namespace("/x").On("count", count)
		p := siotest.DialWith(t, srv, eiotest.Options{Mode: mode, Header: http.Header{"X-User": {"ann"}}})
		p.Connect("/")
		p.Connect("/x")
		q := siotest.DialWith(t, srv, eiotest.Options{Mode: mode, Header: http.Header{"X-User": {"bob"}}})
		q.Connect("/")
		p.Send(`21["count"]`)
		p.Want(`31[1,"ann"]`)
		p.Send(`2/x,1["count"]`)
		p.Want(`3/x,1[2,"ann"]`)
		q.Send(`21["count"]`)
		q.Want(`31[1,"bob"]`)
		p.Send(`1`)
		p.Connect("/") // the session is the connection's
		p.Send(`21["count"]`)
		p.Want(`31[3,"ann"]`)
		require.Equal(t, 2, calls)
		require.Len(t, seed, 2)
	})
}

// A panic of the function that seeds sessions refuses the connection, and only that.
func TestSessionSeedPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := true
		srv := siotest.NewServer(t, &socketio.Options{Session: func(r *http.Request) map[string]any {
			if fail {
				panic("no store")
			}
			return nil
		}})
		_, err := eiotest.Dial(t.Context(), srv, &eiotest.Options{Path: "/socket.io/"})
		var refused *eiotest.RefusedError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, http.StatusInternalServerError, refused.Response.Status)
		require.NotContains(t, refused.Response.Body, "no store")
		fail = false
		siotest.Join(t, srv, eiotest.Polling)
	})
}
