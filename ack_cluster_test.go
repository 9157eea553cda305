package socketio_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// Clients of other servers: answers and leaving, once each; a late one if it is
// known who was asked.
func TestClusterOnAckWithError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 2, &socketio.Options{Cluster: socketio.ClusterOptions{AckTimeout: time.Minute}})
		var rec siotest.Record
		a, b, c := siotest.Join(t, f.Servers[0], eiotest.WebSocket), siotest.Join(t, f.Servers[1], eiotest.WebSocket), siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		names := map[string]string{a.SID: "a", b.SID: "b", c.SID: "c"}
		hears := hear(&rec, names)
		tap := siotest.NewTap(f)
		require.NoError(t, f.Servers[0].Emit("q", nil, hears, socketio.AckTimeout(10*time.Second)))
		tap.Published()
		id := b.WantAckEvent(`["q"]`)
		b.Send("3" + id + `["yes"]`)
		rec.Want(t, `b answer "yes"`)
		for _, m := range tap.Published() { // the broker delivers it again
			again, err := json.Marshal(m)
			require.NoError(t, err)
			tap.Publish(string(again))
		}
		rec.Want(t)
		c.WantAckEvent(`["q"]`)
		c.Send("1")
		rec.Want(t, `c closed ""`)
		a.WantAckEvent(`["q"]`)
		time.Sleep(10 * time.Second)
		rec.Want(t, `a late ""`)
		require.Zero(t, f.Servers[0].RemoteQuestions())

		// One client: it is known who does not answer.
		require.NoError(t, f.Servers[0].Emit("one", nil, socketio.To(b.SID), hears))
		id = b.WantAckEvent(`["one"]`)
		time.Sleep(time.Minute)
		rec.Want(t, `b late ""`)
		b.Send("3" + id + `["too late"]`)
		rec.Want(t)
		require.NoError(t, f.Servers[0].Emit("two", nil, socketio.To(b.SID), hears))
		b.Send("3" + b.WantAckEvent(`["two"]`) + `["2"]`)
		rec.Want(t, `b answer "2"`)
		require.Zero(t, f.Servers[0].RemoteQuestions(), "nobody else can answer")

		// Owing too many answers is told, too, and no departure.
		full := f.Add(&socketio.Options{Limits: socketio.Limits{MaxPendingAcks: 1}})
		d := siotest.Join(t, full, eiotest.WebSocket)
		names[d.SID] = "d"
		require.NoError(t, full.Emit("fill", nil, socketio.To(d.SID), socketio.OnAck(func(*socketio.Context) {})))
		require.NoError(t, f.Servers[0].Emit("full", nil, socketio.To(d.SID), hears))
		rec.Want(t, `d limit MaxPendingAcks ""`)

		// The broker is away.
		f.Service.Stop()
		require.NoError(t, f.Servers[0].Emit("lost", nil))
		synctest.Wait()
		require.NoError(t, f.Servers[0].Emit("three", nil, socketio.To(b.SID), hears))
		synctest.Wait()
		lines := rec.Take()
		require.Len(t, lines, 1)
		require.True(t, strings.HasPrefix(lines[0], "b socketio: the broker is unavailable"), lines[0])
	})
}

// The answer of somebody in a room of Flask's says the room: nothing is emitted there.
func TestClusterAckThatNamesARoom(t *testing.T) {
	siotest.InFleet(t, 1, func(t *testing.T, f *siotest.Fleet) {
		srv := f.Servers[0]
		bystander := siotest.Join(t, srv, eiotest.WebSocket)
		const likeAnID = "Xo3jvSGgyrFNhsWNAAAB" // a session id of python-socketio could be this
		require.NoError(t, srv.JoinRoom(bystander.SID, "lobby"))
		require.NoError(t, srv.JoinRoom(bystander.SID, likeAnID))
		tap := siotest.NewTap(f)
		var rec siotest.Record
		answers := func(room string) {
			require.NoError(t, srv.Emit("q", nil, socketio.To(room), socketio.Skip(bystander.SID), socketio.OnAck(func(c *socketio.Context) {
				_, called := c.Call(t.Context(), "q", nil, socketio.Local())
				rec.Add("%q %v %v %v", c.ID(), c.Emit("thanks", nil), c.Join("x") != nil, called != nil)
			})))
			m := tap.Published()[0]
			back := m["callback"].([]any)
			tap.Publish(fmt.Sprintf(`{"method":"callback","host_id":%q,"sid":%q,"namespace":"/","id":%v,"args":[]}`, m["host_id"], room, back[2]))
			synctest.Wait()
		}
		for _, room := range []string{"lobby", likeAnID} {
			answers(room)
			lines := rec.Take()
			require.Len(t, lines, 1)
			require.Contains(t, lines[0], `"" socketio: no socket with this sid in the namespace`)
			require.Contains(t, lines[0], "true true")
		}
		bystander.Quiet()
	})
}
