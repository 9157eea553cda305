package socketio_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

func TestStats(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
		srv.On("echo", func(c *socketio.Context, v string) (string, error) { return v, c.Emit("echo", v) })
		srv.On("fail", func(c *socketio.Context) error { return errors.New("failed") })
		srv.On("panic", func(c *socketio.Context) { panic("panicked") })
		srv.On("number", func(c *socketio.Context, n int) {})
		srv.Namespace("/chat").On("connect", func(c *socketio.Context) error { return nil })
		srv.Namespace("/closed").On("connect", func(c *socketio.Context) error { return &socketio.Error{Message: "no"} })

		p := join(t, srv, mode, "/", "/chat")
		q := join(t, srv, mode)
		p.send("0/closed,")
		p.want(`4/closed,{"message":"no"}`)
		p.send("0/nowhere,")
		p.want(`4/nowhere,{"message":"Invalid namespace"}`)
		p.send(`2["join","a"]`, `2["join","b"]`, `21["echo","x"]`)
		p.want(`2["echo","x"]`, `31["x"]`)
		q.send(`21["join","b"]`, `2["fail"]`, `2["panic"]`, `2["number","no number"]`, `2["unknown"]`, `22["unknown"]`)
		q.want(`31[]`)
		synctestWait()
		require.NoError(t, srv.Emit("all", nil))
		require.NoError(t, srv.Emit("room", nil, socketio.To("b"), socketio.Skip(q.sid)))
		require.NoError(t, srv.Emit("nobody", nil, socketio.To("nobody")))
		p.want(`2["all"]`, `2["room"]`)
		q.want(`2["all"]`)
		p.quiet()

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

		p.c.Close()
		q.c.Close()
		synctestWait()
		st = srv.Stats()
		require.Empty(t, st.Sockets)
		require.Zero(t, st.Rooms)
	})
}

// What is volatile and dropped is counted, whether the connection is busy or the client not connected yet; a call counts
// as one event for each client.
func TestStatsOfEmits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, nil)
		srv.On("connect", func(c *socketio.Context) error { return c.Emit("early", nil, socketio.Volatile()) })
		p, q := join(t, srv, eiotest.WebSocket), join(t, srv, eiotest.WebSocket)
		require.EqualValues(t, 2, srv.Stats().VolatileDropped)
		require.Zero(t, srv.Stats().EventsOut)

		raw := &eiotest.Raw{Transport: eiotest.Serve(t, srv, nil), Path: "/socket.io/"}
		_, _, err := raw.Handshake(t.Context())
		require.NoError(t, err)
		_, err = raw.Post(t.Context(), "40")
		require.NoError(t, err)
		synctestWait()
		require.NoError(t, srv.Emit("position", 1, socketio.Volatile()))
		st := srv.Stats()
		require.EqualValues(t, 4, st.VolatileDropped, "the one who does not poll")
		require.EqualValues(t, 2, st.EventsOut)
		for _, r := range []*peer{p, q} {
			r.want(`2["position",1]`)
		}

		go func() {
			for _, r := range []*peer{p, q} {
				r.send("3" + r.wantAckEvent(`["ask"]`) + `["yes"]`)
			}
		}()
		_, err = srv.Call(t.Context(), "ask", nil, socketio.To(p.sid, q.sid))
		require.NoError(t, err)
		require.EqualValues(t, 4, srv.Stats().EventsOut)
		_, err = raw.Post(t.Context(), "1")
		require.NoError(t, err)
	})
}
