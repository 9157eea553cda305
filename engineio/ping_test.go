package engineio_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// Ping has the client confirm at once what was sent before, and nothing that was sent after.
func TestPing(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		h, peer := newConfirmsHost(t, &heartbeat)
		c := dial(t, h, eiotest.Options{Mode: mode, NoAutoPong: true})
		p := peer()
		for n := range uint64(300) {
			p.number(n + 1)
		}
		p.Ping()
		p.Ping()
		p.number(301)
		p.Ping()
		p.wantConfirmed()
		require.NoError(t, c.SendPacket("3"))
		p.wantConfirmed(300)
		require.NoError(t, c.SendPacket("3"))
		p.wantConfirmed() // it was one ping
		p.Ping()
		require.NoError(t, c.SendPacket("3"))
		p.wantConfirmed(301)
		p.Ping()
		require.NoError(t, c.SendPacket("3"))
		p.wantConfirmed(301) // a call for each Ping
		p.Close(engineio.ReasonServerDisconnect, nil)
		p.Ping()
		n, err := p.SendNumbered(engineio.TextFrames("x"))
		assert.ErrorIs(t, err, engineio.ErrClosed)
		assert.Zero(t, n)
		_ = c.SendPacket("3")
		p.wantConfirmed()
	})
}

// A connection without numbers may be pinged, too.
func TestPingWithoutNumbers(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		h, peer := newConfirmsHost(t, &heartbeat)
		c := dial(t, h, eiotest.Options{Mode: mode, NoAutoPong: true})
		p := peer()
		time.Sleep(10*time.Second + time.Millisecond) // a ping is on its way
		p.Ping()
		p.number(1)
		require.NoError(t, c.SendPacket("3"))
		p.wantConfirmed(0)
		p.Ping()
		require.NoError(t, c.SendPacket("3"))
		p.wantConfirmed(1)
	})
}

// Pings between those of the heartbeat do not change when these come, nor how the client is judged: neither if they
// are answered, nor if they are not.
func TestPingLeavesTheHeartbeatAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, peer := newConfirmsHost(t, &heartbeat)
		raw := eiotest.Raw{Transport: h.tr}
		ws, _, err := raw.DialWS(t.Context(), nil)
		require.NoError(t, err)
		defer ws.CloseNow()
		p := peer()
		begin := time.Now()
		read := func(want string, after time.Duration) {
			t.Helper()
			_, b, err := ws.Read(t.Context())
			require.NoError(t, err)
			assert.Equal(t, want, string(b))
			assert.Equal(t, after, time.Since(begin))
		}
		pong := func() {
			t.Helper()
			require.NoError(t, ws.Write(t.Context(), websocket.MessageText, []byte("3")))
			synctest.Wait()
		}
		_, _, err = ws.Read(t.Context()) // open
		require.NoError(t, err)
		time.Sleep(4 * time.Second)
		p.Ping()
		read("2", 4*time.Second)
		time.Sleep(time.Second)
		pong()
		read("2", 10*time.Second)
		pong()
		time.Sleep(9 * time.Second)
		p.Ping()
		read("2", 19*time.Second)
		read("2", 20*time.Second) // the heartbeat does not wait for the answer
		time.Sleep(3 * time.Second)
		pong() // it answers the first of two
		pong()
		p.wantConfirmed(0, 0)
		read("2", 33*time.Second)
		pong()
		time.Sleep(5 * time.Second)
		p.Ping()
		read("2", 38*time.Second)
		read("2", 43*time.Second)
		_, _, err = ws.Read(t.Context())
		assert.Equal(t, websocket.StatusNoStatusRcvd, websocket.CloseStatus(err), "%v", err)
		assert.Equal(t, 47*time.Second, time.Since(begin), "4 seconds after the ping of the heartbeat")
		assert.Error(t, p.wantClosed(engineio.ReasonPingTimeout))
		p.wantConfirmed()
	})
}

// A polling client gets the ping by its poll, behind what it confirms.
func TestPingOverPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, peer := newConfirmsHost(t, &heartbeat)
		raw := &eiotest.Raw{Transport: h.tr}
		_, _, err := raw.Handshake(t.Context())
		require.NoError(t, err)
		p := peer()
		begin := time.Now()
		p.number(1)
		p.Ping()
		p.number(2)
		wantOK(t, next(t, get(t, raw)), nil, "4message 1\x1e2\x1e4message 2")
		time.Sleep(5 * time.Second)
		resp, err := raw.Post(t.Context(), "3")
		wantOK(t, resp, err, "ok")
		p.wantConfirmed(1)
		wantOK(t, next(t, get(t, raw)), nil, "2")
		assert.Equal(t, 10*time.Second, time.Since(begin))
		resp, err = raw.Post(t.Context(), "3\x1e3")
		wantOK(t, resp, err, "ok")
		p.wantConfirmed(2)
		p.Close(engineio.ReasonServerDisconnect, nil)
		wantOK(t, next(t, get(t, raw)), nil, "1")
	})
}

// Messages and a ping that were sent before an upgrade are confirmed after it.
func TestPingAcrossUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, peer := newConfirmsHost(t, &heartbeat)
		c := dial(t, h, eiotest.Options{NoAutoPong: true})
		p := peer()
		p.number(1)
		p.Ping()
		synctest.Wait() // the client has both by a poll
		p.number(2)
		require.NoError(t, c.Upgrade(t.Context()))
		p.number(3)
		require.NoError(t, c.SendPacket("3"))
		p.wantConfirmed(1)
		p.Ping()
		require.NoError(t, c.SendPacket("3"))
		p.wantConfirmed(3)
		wantMessages(t, c, "text message 1", "text message 2", "text message 3")
	})
}

// While the server does not read, the heartbeat sends one ping after the other. Each answer confirms what was sent
// before the ping that it answers, no more, and Ping sends none.
func TestPingsOfAPausedConnection(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		h, nextPeer := newConfirmsHost(t, &heartbeat)
		gate := make(chan struct{})
		inner := h.onNew
		h.onNew = func(p *peer) (engineio.Receiver, error) {
			r, err := inner(p)
			return pausing{r.(*confirms), gate}, err
		}
		c := dial(t, h, eiotest.Options{Mode: mode, NoAutoPong: true})
		p := nextPeer()
		require.NoError(t, c.Send("pause"))
		synctest.Wait()
		p.number(1)
		p.Ping()
		synctest.Wait()
		time.Sleep(10*time.Second + time.Millisecond)
		p.number(2)
		p.Ping()
		time.Sleep(20 * time.Second) // three pings are on their way now
		p.number(3)
		for range 3 {
			require.NoError(t, c.SendPacket("3"))
		}
		p.wantConfirmed()
		close(gate)
		p.wantConfirmed(1)
		time.Sleep(10 * time.Second)
		require.NoError(t, c.SendPacket("3"))
		p.wantConfirmed(3)
		assert.Zero(t, h.srv.Stats().LimitHits["ControlRate"])
	})
}

// pausing holds its client back until the gate is open.
type pausing struct {
	*confirms
	gate chan struct{}
}

func (p pausing) Message([]byte, bool) <-chan struct{} { return p.gate }
