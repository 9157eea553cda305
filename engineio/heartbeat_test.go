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

var heartbeat = engineio.Options{PingInterval: 10 * time.Second, PingTimeout: 4 * time.Second}

// A client that answers stays, for as long as it likes.
func TestHeartbeat(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, &heartbeat, nil)
		c, p := h.connect(mode)
		time.Sleep(time.Hour)
		p.isOpen(c)
	})
}

// The first ping comes after the interval, the next one an interval after the answer, and the end a timeout after a ping
// that is not answered.
func TestHeartbeatOverPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &heartbeat, nil)
		raw, p := h.raw()
		begin := time.Now()
		wantOK(t, next(t, get(t, raw)), nil, "2")
		assert.Equal(t, 10*time.Second, time.Since(begin))

		time.Sleep(3 * time.Second)
		resp, err := raw.Post(t.Context(), "3")
		wantOK(t, resp, err, "ok")
		wantOK(t, next(t, get(t, raw)), nil, "2")
		assert.Equal(t, 23*time.Second, time.Since(begin))

		poll := get(t, raw)
		assert.Error(t, p.wantClosed(engineio.ReasonPingTimeout))
		assert.Equal(t, 27*time.Second, time.Since(begin))
		wantOK(t, next(t, poll), nil, "1")
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
	})
}

func TestHeartbeatOverWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &heartbeat, nil)
		raw := eiotest.Raw{Transport: h.tr}
		ws, _, err := raw.DialWS(t.Context(), nil)
		require.NoError(t, err)
		defer ws.CloseNow()
		p := h.peer()
		begin := time.Now()
		read := func(want string, after time.Duration) {
			t.Helper()
			_, b, err := ws.Read(t.Context())
			require.NoError(t, err)
			assert.Equal(t, want, string(b))
			assert.Equal(t, after, time.Since(begin))
		}
		_, _, err = ws.Read(t.Context()) // open
		require.NoError(t, err)
		read("2", 10*time.Second)
		time.Sleep(3 * time.Second)
		require.NoError(t, ws.Write(t.Context(), websocket.MessageText, []byte("3")))
		read("2", 23*time.Second)
		_, _, err = ws.Read(t.Context())
		assert.Equal(t, websocket.StatusNoStatusRcvd, websocket.CloseStatus(err), "%v", err)
		assert.Equal(t, 27*time.Second, time.Since(begin))
		assert.Error(t, p.wantClosed(engineio.ReasonPingTimeout))
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
	})
}

// A client that reads and writes but does not answer pings is closed; other packets are no answer.
func TestPingTimeout(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, &heartbeat, nil)
		begin := time.Now()
		c, p := h.connectWith(eiotest.Options{Mode: mode, NoAutoPong: true})
		stop := time.AfterFunc(5*time.Second, func() { _ = c.SendPacket("3") }) // too early: it answers nothing
		defer stop.Stop()
		for range 13 {
			time.Sleep(time.Second)
			require.NoError(t, c.Send("alive"))
		}
		p.wantClosed(engineio.ReasonPingTimeout)
		assert.Equal(t, 14*time.Second, time.Since(begin))
		kind := eiotest.CloseWebSocket
		if mode.Current() == eiotest.Polling {
			kind = eiotest.ClosePacket
		}
		wantEnd(t, c, kind)
	})
}

// A polling client that sends no request at all goes away, too.
func TestPingTimeoutWithoutAnyRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &heartbeat, nil)
		raw, p := h.raw()
		begin := time.Now()
		p.wantClosed(engineio.ReasonPingTimeout)
		assert.Equal(t, 14*time.Second, time.Since(begin))
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
		resp, err := raw.Get(t.Context())
		wantRefused(t, resp, err, 400, "1", "Session ID unknown")
	})
}

// An answer at the last moment counts, one after the timeout does not.
func TestPongAtTheLastMoment(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, &heartbeat, nil)
		last := time.Now()
		c, p := h.connectWith(eiotest.Options{Mode: mode, NoAutoPong: true})
		for range 10 {
			time.Sleep(time.Until(last.Add(14*time.Second - time.Millisecond)))
			last = time.Now()
			require.NoError(t, c.SendPacket("3"))
			synctest.Wait()
			p.isOpen(c)
		}
		time.Sleep(14*time.Second + time.Millisecond)
		_ = c.SendPacket("3")
		p.wantClosed(engineio.ReasonPingTimeout)
	})
}

// The heartbeat goes on across an upgrade: a ping that is due meanwhile, or was sent before and is answered after it.
func TestHeartbeatAcrossUpgrade(t *testing.T) {
	t.Run("answered after", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, &heartbeat, nil)
			c, p := h.connectWith(eiotest.Options{NoAutoPong: true})
			time.Sleep(10*time.Second + time.Millisecond) // the ping came by a poll
			require.NoError(t, c.Upgrade(t.Context()))
			require.NoError(t, c.SendPacket("3"))
			time.Sleep(9 * time.Second)
			p.isOpen(c)
			time.Sleep(5*time.Second + time.Millisecond)
			next(t, p.ended)
			p.wantClosed(engineio.ReasonPingTimeout)
		})
	})
	t.Run("due meanwhile", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, &heartbeat, nil)
			raw, p := h.raw()
			time.Sleep(9 * time.Second)
			ws, _, err := raw.DialWS(t.Context(), nil)
			require.NoError(t, err)
			defer ws.CloseNow()
			write := func(s string) {
				t.Helper()
				require.NoError(t, ws.Write(t.Context(), websocket.MessageText, []byte(s)))
			}
			read := func(want string) {
				t.Helper()
				_, b, err := ws.Read(t.Context())
				require.NoError(t, err)
				require.Equal(t, want, string(b))
			}
			write("2probe")
			read("3probe")
			time.Sleep(3 * time.Second)
			write("5")
			read("2")
			write("3")
			time.Sleep(time.Second)
			p.text("x")
			read("4x")
		})
	})
	t.Run("for long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, &heartbeat, nil)
			c, p := h.connect(eiotest.Polling)
			time.Sleep(time.Hour)
			require.NoError(t, c.Upgrade(t.Context()))
			time.Sleep(time.Hour)
			p.isOpen(c)
		})
	})
}

// Much to do is no reason to miss a beat.
func TestHeartbeatUnderLoad(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, &heartbeat, nil)
		h.echo = true
		c, _ := h.connect(mode)
		for range 100 {
			for range 20 {
				require.NoError(t, c.Send("some message"))
			}
			for range 20 {
				wantMessages(t, c, "text some message")
			}
			time.Sleep(time.Second)
		}
	})
}
