package lifecycle_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// The disconnect handler of a socket ends before the connect handler of the next one in the namespace begins, whatever
// other namespaces come and go meanwhile.
func TestConnectFollowsDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Namespaces: []string{"*"}, Limits: socketio.Limits{MaxNamespaces: 3}})
		var rec siotest.Record
		a := srv.Namespace("/a")
		a.On("connect", func(c *socketio.Context) { rec.Add("connect") })
		a.On("disconnect", func(c *socketio.Context) {
			time.Sleep(time.Second)
			rec.Add("disconnect")
		})
		p := siotest.Join(t, srv, eiotest.WebSocket, "/a")
		p.Send("1/a,")
		for i := range 20 {
			ns := fmt.Sprintf("/%d", i)
			p.Connect(ns)
			p.Send("1" + ns + ",")
		}
		p.Connect("/a")
		rec.Want(t, "connect", "disconnect", "connect")
	})
}

// A connect handler that fails because its client has left is no failure for OnError.
func TestConnectHandlerOfAClientThatLeft(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		begun := make(chan bool)
		srv.On("connect", func(c *socketio.Context) error {
			close(begun)
			<-c.Context().Done()
			return c.Join("room")
		})
		srv.OnError(func(c *socketio.Context, err error) any {
			rec.Add("OnError %v", errors.Is(err, socketio.ErrClosed))
			return err
		})
		p := siotest.Dial(t, srv, mode)
		p.Send("0")
		<-begun
		p.Client.Close()
		time.Sleep(time.Second)
		rec.Want(t)
		require.Zero(t, srv.Stats().HandlerErrors)
	})
}

// Who has left is in no count, list or selection, although the disconnect handler still runs.
func TestLeftButNotGone(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		release := make(chan bool)
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context) error { return c.Join("room") })
		srv.On("disconnect", func(c *socketio.Context) {
			rec.Add("%v", len(c.Rooms()))
			<-release
		})
		p, q := siotest.Join(t, srv, mode), siotest.Join(t, srv, mode)
		p.Send("1")
		rec.Want(t, "2")
		root := srv.Namespace("/")
		require.Equal(t, []string{q.SID}, siotest.Members(t, srv, "room"))
		require.Empty(t, siotest.Members(t, srv, p.SID))
		require.Equal(t, 1, root.Count())
		require.Len(t, slices.Collect(root.Sockets()), 1)
		require.Equal(t, map[string]int{"/": 1}, srv.Stats().Sockets)
		n, err := root.CountRoom("room")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		n, err = root.CountRoom(p.SID)
		require.NoError(t, err)
		require.Zero(t, n)

		got := make(chan []socketio.Reply)
		go func() {
			replies, err := root.Call(t.Context(), "ask", nil, socketio.To("room", p.SID))
			require.NoError(t, err)
			got <- replies
		}()
		q.Send("3" + q.WantAckEvent(`["ask"]`) + "[]")
		require.Len(t, <-got, 1)
		require.NoError(t, srv.Emit("hello", nil, socketio.To("room", p.SID)))
		q.Want(`2["hello"]`)
		p.Quiet()
		close(release)
	})
}
