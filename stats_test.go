package socketio_test

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

func TestStats(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
		srv.On("echo", func(c *socketio.Context, v string) (string, error) { return v, c.Emit("echo", v) })
		srv.On("fail", func(c *socketio.Context) error { return errors.New("failed") })
		srv.On("panic", func(c *socketio.Context) { panic("panicked") })
		srv.On("number", func(c *socketio.Context, n int) {})
		srv.Namespace("/chat").On("connect", func(c *socketio.Context) error { return nil })
		srv.Namespace("/closed").On("connect", func(c *socketio.Context) error { return &socketio.Error{Message: "no"} })

		p := siotest.Join(t, srv, mode, "/", "/chat")
		q := siotest.Join(t, srv, mode)
		p.Send("0/closed,")
		p.Want(`4/closed,{"message":"no"}`)
		p.Send("0/nowhere,")
		p.Want(`4/nowhere,{"message":"Invalid namespace"}`)
		p.Send(`2["join","a"]`, `2["join","b"]`, `21["echo","x"]`)
		p.Want(`2["echo","x"]`, `31["x"]`)
		q.Send(`21["join","b"]`, `2["fail"]`, `2["panic"]`, `2["number","no number"]`, `2["unknown"]`, `22["unknown"]`)
		q.Want(`31[]`)
		synctest.Wait()
		require.NoError(t, srv.Emit("all", nil))
		require.NoError(t, srv.Emit("room", nil, socketio.To("b"), socketio.Skip(q.SID)))
		require.NoError(t, srv.Emit("nobody", nil, socketio.To("nobody")))
		p.Want(`2["all"]`, `2["room"]`)
		q.Want(`2["all"]`)
		p.Quiet()

		st := srv.Stats()
		require.Equal(t, map[string]int{"/": 2, "/chat": 1}, st.Sockets)
		require.Equal(t, 2, st.Rooms)
		require.EqualValues(t, 9, st.EventsIn)
		require.EqualValues(t, 4, st.EventsOut)
		require.EqualValues(t, 2, st.ConnectErrors)
		require.EqualValues(t, 3, st.HandlerErrors, "an error, an argument that does not fit, an unknown event with an acknowledgement")
		require.EqualValues(t, 1, st.Panics)
		require.Equal(t, 2, st.Polling+st.WebSocket)
		require.EqualValues(t, 2, st.Opened)
		require.Zero(t, st.QueuedBytes)
		for _, limit := range []string{"MaxRooms", "SendQueueLimit", "Packet.Depth"} {
			require.Contains(t, st.LimitHits, limit)
		}
		text, err := json.Marshal(st)
		require.NoError(t, err)
		require.Contains(t, string(text), `"Opened":2`, "the fields of both layers are side by side")

		p.Client.Close()
		q.Client.Close()
		synctest.Wait()
		st = srv.Stats()
		require.Empty(t, st.Sockets)
		require.Zero(t, st.Rooms)
	})
}

// What is volatile and dropped is counted, whether the connection is busy or the client not connected yet; a call counts
// as one event for each client.
func TestStatsOfEmits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		srv.On("connect", func(c *socketio.Context) error { return c.Emit("early", nil, socketio.Volatile()) })
		p, q := siotest.Join(t, srv, eiotest.WebSocket), siotest.Join(t, srv, eiotest.WebSocket)
		require.EqualValues(t, 2, srv.Stats().VolatileDropped)
		require.Zero(t, srv.Stats().EventsOut)

		raw := &eiotest.Raw{Transport: eiotest.Serve(t, srv, nil), Path: "/socket.io/"}
		_, _, err := raw.Handshake(t.Context())
		require.NoError(t, err)
		_, err = raw.Post(t.Context(), "40")
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, srv.Emit("position", 1, socketio.Volatile()))
		st := srv.Stats()
		require.EqualValues(t, 4, st.VolatileDropped, "the one who does not poll")
		require.EqualValues(t, 2, st.EventsOut)
		for _, r := range []*siotest.Peer{p, q} {
			r.Want(`2["position",1]`)
		}

		go func() {
			for _, r := range []*siotest.Peer{p, q} {
				r.Send("3" + r.WantAckEvent(`["ask"]`) + `["yes"]`)
			}
		}()
		_, err = srv.Call(t.Context(), "ask", nil, socketio.To(p.SID, q.SID))
		require.NoError(t, err)
		require.EqualValues(t, 4, srv.Stats().EventsOut)
		_, err = raw.Post(t.Context(), "1")
		require.NoError(t, err)
	})
}
