package socketio_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// A session does not go to another server while its client is connected, as it may be again in the moment
// between the end of its connection and that: then that connection is ended, too. It does not go either if the
// client has come back since the other server asked for it.
func TestDepartAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Recovery: &socketio.Recovery{}})
		srv.On("connect", func(c *socketio.Context) error { return c.Join("r") })
		c := siotest.NewReturner(t, srv, eiotest.WebSocket).Connect()
		s := srv.Socket(c.SID)
		nothing := func() {}
		gone, joined := s.Depart(nothing)
		require.False(t, gone)
		require.True(t, joined)
		require.NoError(t, srv.Emit("e", 1, socketio.To("r")))
		c.Want(`["e",1]`)
		c.Drop()
		c.Connect()
		require.True(t, c.Recovered)
		c.Drop()
		gone, joined = s.Depart(func() {
			c.Connect()
			require.True(t, c.Recovered)
			c.Drop()
		})
		require.False(t, gone)
		require.False(t, joined)
		gone, joined = s.Depart(nothing)
		require.True(t, gone)
		require.False(t, joined)
		synctest.Wait()
		require.Nil(t, srv.Socket(c.SID))
	})
}

// A session has moved to another server and has come back. When the server hears only now that the other one has
// taken the record of the socket before, that does not concern the present one: its client finds it, and it expires in time.
func TestRecordTakenBeforeTheReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 2, &socketio.Options{Recovery: &socketio.Recovery{Window: time.Minute}})
		var expired []socketio.Expiry
		for _, srv := range f.Servers {
			srv.On("connect", func(c *socketio.Context) error { return nil })
			srv.OnExpired(func(_ *socketio.Socket, why socketio.Expiry) { expired = append(expired, why) })
		}
		a, b := f.Servers[0], f.Servers[1]
		c := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		before := a.Socket(c.SID)
		c.Drop()
		c.To(b).Connect()
		require.True(t, c.Recovered)
		c.Drop()
		c.To(a).Connect()
		require.True(t, c.Recovered)
		before.TakenElsewhere()
		synctest.Wait()
		require.True(t, a.Socket(c.SID).Connected())
		c.Drop()
		before.TakenElsewhere()
		synctest.Wait()
		require.NoError(t, a.Emit("e", 1))
		c.Connect()
		require.True(t, c.Recovered)
		c.Want(`["e",1]`)
		c.Drop()
		before.TakenElsewhere()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Equal(t, []socketio.Expiry{socketio.ExpiredWindow}, expired)
	})
}

// A late answer to a question of the server from which a session has come is none to a question of this server.
func TestLateAnswerAfterTheMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 2, &socketio.Options{Recovery: &socketio.Recovery{}})
		for _, srv := range f.Servers {
			srv.On("connect", func(c *socketio.Context) error { return nil })
		}
		a, b := f.Servers[0], f.Servers[1]
		c := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		const asked = 5
		for range asked {
			_, err := a.Socket(c.SID).Call(shortContext(t), "old", nil)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		c.Received()
		c.Drop()
		c.To(b).Connect()
		require.True(t, c.Recovered)
		answered := make(chan error, 1)
		go func() {
			_, err := b.Socket(c.SID).Call(shortContext(t), "new", nil)
			answered <- err
		}()
		synctest.Wait()
		for id := range asked + 1 { // the ids of the first server
			c.Send(fmt.Sprintf(`3%d["late"]`, id))
		}
		require.ErrorIs(t, <-answered, context.DeadlineExceeded)
	})
}

func shortContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	t.Cleanup(cancel)
	return ctx
}
