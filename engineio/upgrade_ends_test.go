package engineio_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// An upgrade that is not completed in time is given up; the session goes on polling and can try again.
func TestUpgradeTimeout(t *testing.T) {
	for name, send := range map[string][]string{"before the probe": nil, "after the probe": {"2probe"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, &engineio.Options{UpgradeTimeout: 3 * time.Second}, nil)
				c, p := h.connect(eiotest.Polling)
				begin := time.Now()
				ws := dialProbe(t, c.Raw(), send...)
				if send != nil {
					time.Sleep(2 * time.Second)
					ws.want("3probe")
				}
				ws.wantClose()
				assert.Equal(t, 3*time.Second, time.Since(begin))
				p.isOpen(c)
				time.Sleep(time.Minute)
				require.NoError(t, c.Upgrade(t.Context()))
				time.Sleep(time.Minute)
				p.isOpen(c)
			})
		})
	}
}

// A client that leaves while it is upgrading takes the new WebSocket with it.
func TestClientLeavesDuringTheProbe(t *testing.T) {
	for _, leave := range []string{"1", "x"} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, nil, nil)
			raw, p := h.raw()
			ws := dialProbe(t, raw, "2probe")
			ws.want("3probe")
			_, err := raw.Post(t.Context(), leave)
			require.NoError(t, err)
			if leave == "1" {
				p.wantClosed(engineio.ReasonClientDisconnect)
			} else {
				p.wantClosed(engineio.ReasonParseError)
			}
			_, _, err = ws.Read(t.Context())
			assert.Error(t, err)
			time.Sleep(5*time.Second + time.Millisecond)
			synctest.Wait()
			assert.Zero(t, h.srv.Len())
			assert.Zero(t, h.tr.Conns()-1, "only the idle connection of the polls is left")
		})
	}
}

// The server closes a session whose client still polls: the poll gets what was queued and the end.
func TestServerClosesDuringTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		ws := dialProbe(t, raw)
		poll := get(t, raw)
		synctest.Wait()
		p.text("last")
		wantOK(t, next(t, poll), nil, "4last")
		poll = get(t, raw)
		synctest.Wait()
		p.Close(engineio.ReasonServerDisconnect, nil)
		p.wantClosed(engineio.ReasonServerDisconnect)
		wantOK(t, next(t, poll), nil, "1")
		_, _, err := ws.Read(t.Context())
		assert.Error(t, err)
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
	})
}

// The server closes a session whose client has paused polling, because the probe was answered, and whose upgrade packet is
// on its way: what was queued has no other way to it than the new transport.
func TestServerClosesWhileTheUpgradePacketIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		poll := get(t, raw)
		synctest.Wait()
		ws := dialProbe(t, raw, "2probe")
		ws.want("3probe")
		wantOK(t, next(t, poll), nil, "6")
		p.text("last")
		p.Close(engineio.ReasonServerDisconnect, nil)
		p.wantClosed(engineio.ReasonServerDisconnect)
		ws.send("5")
		ws.want("4last")
		ws.wantClose()
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
	})
}

// The ping timeout ends a session in the middle of an upgrade, too.
func TestPingTimeoutDuringTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{PingInterval: time.Second, PingTimeout: time.Second}, nil)
		raw, p := h.raw()
		begin := time.Now()
		ws := dialProbe(t, raw, "2probe")
		ws.want("3probe")
		p.wantClosed(engineio.ReasonPingTimeout)
		assert.Equal(t, 2*time.Second, time.Since(begin))
		_, _, err := ws.Read(t.Context())
		assert.Error(t, err)
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
	})
}
