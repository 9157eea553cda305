package siotest_test

import (
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestPeer(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("e", func(c *socketio.Context, n int) error {
			rec.Add("%d", n)
			return c.Emit("e", []byte{1})
		})
		srv.Namespace("/a").On("e", func(c *socketio.Context) error {
			return c.Emit("question", nil, socketio.OnAck(func(c *socketio.Context) { c.CloseConnection() }))
		})
		p := siotest.Join(t, srv, mode, "/", "/a")
		require.Equal(t, []string{p.SID}, siotest.SIDs(srv.Namespace("/a")))
		p.Quiet()
		p.Send(`2["e",7]`)
		rec.Want(t, "7")
		p.Want(`51-["e",{"_placeholder":true,"num":0}]`, "b:\x01")
		p.Send(`2/a,["e"]`)
		id := p.WantAckEvent(`/a,["question"]`)
		p.Try(`3/a,` + id + `[]`)
		require.Subset(t, []string{"1", "1/a,"}, []string{p.Next(), p.Next()})
		p.Closed()
		synctest.Wait()
		siotest.WantForgotten(t, srv)
	})
}

// fails counts the failures of a check, and the test goes on.
type fails struct {
	testing.TB
	n int
}

func (f *fails) Errorf(string, ...any) { f.n++ }

func TestWantForgottenFindsWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		f := &fails{TB: t}
		siotest.WantForgotten(f, srv)
		require.Zero(t, f.n)
		p := siotest.Join(t, srv, eiotest.WebSocket)
		require.NoError(t, srv.JoinRoom(p.SID, "room"))
		siotest.WantForgotten(f, srv)
		require.Equal(t, 4, f.n, "a connection, a namespace, a room and a session id")

		leaving := make(chan bool)
		srv.On("disconnect", func(*socketio.Context) { <-leaving })
		p.Client.Close()
		synctest.Wait()
		f.n = 0
		siotest.WantForgotten(f, srv)
		require.Equal(t, 1, f.n, "the session id, until the disconnect handler has returned")
		close(leaving)
	})
}

func TestFleet(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		p := siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		require.NoError(t, f.Servers[0].Emit("e", 1))
		require.NoError(t, f.Emitter(&socketio.EmitterOptions{Logger: slog.New(slog.DiscardHandler)}).Emit("e", 2))
		require.ElementsMatch(t, []string{`2["e",1]`, `2["e",2]`}, p.Received())
	})
}
