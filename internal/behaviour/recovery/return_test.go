package recovery_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// server is a server with recovery that records what its handlers and hooks see.
type server struct {
	*socketio.Server
	rec siotest.Record
	log siotest.Logs
}

func newServer(t *testing.T, opts socketio.Options) *server {
	s := new(server)
	if opts.Recovery == nil {
		opts.Recovery = new(socketio.Recovery)
	}
	opts.Logger = siotest.Logger(&s.log)
	s.Server = siotest.NewServer(t, &opts)
	s.On("connect", func(c *socketio.Context, auth map[string]any) error {
		s.rec.Add("connect %v", c.Recovered())
		if auth["refuse"] != nil {
			return &socketio.Error{Message: "no"}
		}
		return nil
	})
	s.On("disconnect", func(c *socketio.Context, why socketio.Reason) { s.rec.Add("disconnect: %v, away %v", why, c.Away()) })
	s.OnExpired(func(s2 *socketio.Socket, why socketio.Expiry) { s.rec.Add("expired: %v, away %v", why, s2.Away()) })
	return s
}

// each runs a test over every transport in a bubble.
func each(t *testing.T, opts socketio.Options, f func(t *testing.T, srv *server, c *siotest.Returner)) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, opts)
		c := siotest.NewReturner(t, srv.Server, mode).Connect()
		srv.rec.Want(t, "connect false")
		f(t, srv, c)
	})
}

// emit emits an event that must work.
func (s *server) emit(t *testing.T, event string, data any, opts ...socketio.EmitOption) {
	t.Helper()
	require.NoError(t, s.Emit(event, data, opts...))
}

// The reference's "should restore session and missed packets" and "rooms and data attributes": events to the client, its rooms and
// everyone, text and binary, in order; what the connect handler emits comes behind.
func TestMissedEventsInOrder(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		s := srv.Socket(c.SID)
		require.NoError(t, s.Join("r"))
		s.Session().Set("user", "ann")
		srv.emit(t, "e", 0)
		c.Want(`["e",0]`)
		sid := c.SID
		c.Drop()
		srv.emit(t, "e", 1, socketio.To("r"))
		srv.emit(t, "e", 2, socketio.To(sid))
		srv.emit(t, "e", []byte{4})
		require.NoError(t, s.Emit("e", socketio.Args{"a", "text"}))
		srv.emit(t, "nothing", nil)
		srv.emit(t, "e", 3, socketio.To("other"))
		srv.emit(t, "e", 3, socketio.To("r"), socketio.Except(sid))
		srv.On("connect", func(c *socketio.Context) error { return c.Emit("welcome", nil) })
		c.Connect()
		require.True(t, c.Recovered)
		require.Equal(t, sid, c.SID)
		c.Want(`["e",1]`, `["e",2]`, `["e",{"_placeholder":true,"num":0}] b:`+"\x04", `["e","a","text"]`, `["nothing"]`, `["welcome"]`)
		require.Equal(t, []string{sid, "r"}, s.Rooms())
		require.Equal(t, "ann", s.Session().Get("user"))
		srv.emit(t, "e", 5)
		c.Want(`["e",5]`)
	})
}

// socket.io#4733: a client that has received nothing yet has no offset. streams-adapter#26: it is back at once.
func TestBeforeTheFirstEventAndAtOnce(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		c.NoPongs = true
		for i := range 3 {
			c.Drop()
			srv.emit(t, "e", i)
			c.Connect()
			require.True(t, c.Recovered)
			c.Drop() // it has not looked at anything
			require.Empty(t, c.Offset)
		}
		c.Connect()
		c.Want(`["e",0]`, `["e",1]`, `["e",2]`)
	})
}

// A client that is cut in the middle of what it has missed, over and over, gets each event once.
func TestCutDuringTheReplay(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		c.Drop()
		c.NoPongs = true
		var want []string
		for i := range 1000 {
			srv.emit(t, "e", i)
			want = append(want, fmt.Sprintf(`["e",%d]`, i))
		}
		var got []string
		for range 5 {
			c.Connect()
			require.True(t, c.Recovered)
			c.Arrived()
			c.Look(150)
			got = append(got, c.Seen()...)
			c.Drop()
		}
		c.Connect()
		require.Equal(t, want, append(got, c.Received()...))
	})
}

// streams-adapter#48: it does not matter how long ago the last event was, nor how many others have had since.
func TestQuietClient(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		srv.emit(t, "e", 1)
		c.Want(`["e",1]`)
		time.Sleep(time.Hour)
		other := siotest.NewReturner(t, srv.Server, eiotest.WebSocket).Connect()
		require.NoError(t, srv.JoinRoom(other.SID, "busy"))
		for i := range 15_000 {
			srv.emit(t, "e", i, socketio.To("busy"))
			if i%1000 == 0 {
				other.Received()
			}
		}
		c.Drop()
		srv.emit(t, "e", 2, socketio.To(c.SID))
		c.Connect()
		require.True(t, c.Recovered)
		c.Want(`["e",2]`)
	})
}

// socket.io#4880: the server still believes in the old connection. It is closed, and its disconnect handler has run
// before the connect handler.
func TestHalfOpenConnection(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		for i := range 3 {
			old := c.Client()
			c.Abandon()
			srv.emit(t, "e", i)
			c.Connect()
			require.True(t, c.Recovered)
			srv.rec.Want(t, "disconnect: transport close, away true", "connect true")
			c.Want(fmt.Sprintf(`["e",%d]`, i))
			synctest.Wait()
			require.Error(t, old.Err(), "the old connection is closed")
			old.Abort()
		}
		srv.emit(t, "e", "last")
		c.Want(`["e","last"]`)
	})
}

// The disconnect handler of the old connection takes its time: the connect handler waits for it. What the client sends
// after the return comes behind both.
func TestHandlersOfBothConnectionsInOrder(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		srv.On("slow", func(c *socketio.Context) {
			time.Sleep(time.Second)
			srv.rec.Add("slow")
		})
		srv.On("disconnect", func(*socketio.Context) {
			time.Sleep(time.Second)
			srv.rec.Add("disconnect")
		})
		srv.On("after", func(*socketio.Context) { srv.rec.Add("after") })
		c.Send(`2["slow"]`)
		synctest.Wait()
		c.Drop()
		began := time.Now()
		c.Connect()
		require.Equal(t, 2*time.Second, time.Since(began).Round(time.Second))
		c.Send(`2["after"]`)
		srv.rec.Want(t, "slow", "disconnect", "connect true", "after")
	})
}
