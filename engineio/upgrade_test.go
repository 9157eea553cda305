package engineio_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// prober is a WebSocket of an upgrade, step by step.
type prober struct {
	t *testing.T
	*websocket.Conn
}

// dialProbe opens a WebSocket on a session and sends packets.
func dialProbe(t *testing.T, raw *eiotest.Raw, send ...string) *prober {
	t.Helper()
	ws, _, err := raw.DialWS(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = ws.CloseNow() })
	pr := &prober{t, ws}
	pr.send(send...)
	return pr
}

func (pr *prober) send(packets ...string) {
	pr.t.Helper()
	for _, s := range packets {
		require.NoError(pr.t, pr.Write(pr.t.Context(), websocket.MessageText, []byte(s)))
	}
}

func (pr *prober) want(packets ...string) {
	pr.t.Helper()
	for _, s := range packets {
		ctx, cancel := context.WithTimeout(pr.t.Context(), patience)
		_, b, err := pr.Read(ctx)
		cancel()
		require.NoError(pr.t, err)
		require.Equal(pr.t, s, string(b))
	}
}

// wantClose reads a close frame.
func (pr *prober) wantClose() {
	pr.t.Helper()
	ctx, cancel := context.WithTimeout(pr.t.Context(), patience)
	defer cancel()
	_, b, err := pr.Read(ctx)
	require.Error(pr.t, err, "got %q", b)
	require.NotErrorIs(pr.t, err, context.DeadlineExceeded)
	assert.NotEqual(pr.t, websocket.StatusCode(-1), websocket.CloseStatus(err), "a close frame: %v", err)
}

// packets reads until the server closes the WebSocket with a close frame.
func (pr *prober) packets() <-chan string {
	packets := make(chan string, 10)
	go func() {
		defer close(packets)
		for {
			_, b, err := pr.Read(pr.t.Context())
			if err != nil {
				assert.NotEqual(pr.t, websocket.StatusCode(-1), websocket.CloseStatus(err), "a close frame: %v", err)
				return
			}
			packets <- string(b)
		}
	}()
	return packets
}

func TestUpgradeStepByStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		poll := get(t, raw)
		synctest.Wait()
		ws := dialProbe(t, raw)
		synctest.Wait()
		assert.Empty(t, poll, "nothing has been probed yet")
		ws.send("2probe")
		ws.want("3probe")
		wantOK(t, next(t, poll), nil, "6")
		assert.Equal(t, engineio.Polling, p.Transport())
		p.text("queued for the new transport")
		ws.send("5")
		ws.want("4queued for the new transport")
		assert.Equal(t, engineio.WebSocket, p.Transport())
		ws.send("4hello")
		p.want("text hello")
		assert.Equal(t, 1, h.srv.Len())

		// The old transport is over.
		resp, err := raw.Get(t.Context())
		wantRefused(t, resp, err, 400, "3", "this session uses another transport")
		resp, err = raw.Post(t.Context(), "4x")
		wantRefused(t, resp, err, 400, "3", "this session uses another transport")
		p.wantNone()
		ws.send("4still there")
		p.want("text still there")
		require.NoError(t, ws.Close(websocket.StatusNormalClosure, ""))
		assert.NoError(t, p.wantClosed(engineio.ReasonTransportClose))
	})
}

// Every poll that comes while the probe is answered and the upgrade packet has not come gets a NOOP soon: a client that
// polls again would hang until the next ping otherwise.
func TestEveryPollGetsANoopDuringTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		poll := get(t, raw)
		synctest.Wait()
		ws := dialProbe(t, raw, "2probe")
		ws.want("3probe")
		wantOK(t, next(t, poll), nil, "6")
		for range 20 {
			begin := time.Now()
			resp, err := raw.Get(t.Context())
			wantOK(t, resp, err, "6")
			assert.LessOrEqual(t, time.Since(begin), 100*time.Millisecond)
		}
		// One that has data gets the data.
		p.text("data")
		resp, err := raw.Get(t.Context())
		wantOK(t, resp, err, "4data")
		// A POST is processed.
		resp, err = raw.Post(t.Context(), "4post")
		wantOK(t, resp, err, "ok")
		p.want("text post")
		// A poll that waits when the upgrade packet comes, which is against the protocol, is refused and not left hanging.
		poll = get(t, raw)
		synctest.Wait()
		begin := time.Now()
		ws.send("5")
		wantRefused(t, next(t, poll), nil, 400, "3", "this session uses another transport")
		assert.Zero(t, time.Since(begin))
		p.text("after")
		ws.want("4after")
	})
}

// Polls that find nothing to do while a client stalls do not spin.
func TestStalledUpgradeDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, _ := h.raw()
		ws := dialProbe(t, raw, "2probe")
		ws.want("3probe")
		begin := time.Now()
		n := 0
		for ; time.Since(begin) < 5*time.Second; n++ {
			resp, err := raw.Get(t.Context())
			wantOK(t, resp, err, "6")
		}
		assert.LessOrEqual(t, n, 200)
	})
}

// Messages both ways before, during and after the upgrade: none lost, none twice, all in order.
func TestNothingIsLostInAnUpgrade(t *testing.T) {
	const n = 200
	test := func(t *testing.T, pace time.Duration) {
		h := newHost(t, nil, nil)
		c, p := h.connect(eiotest.Polling)
		sent := make(chan error, 2)
		go func() {
			for i := range n {
				if err := c.Send(fmt.Sprint("up ", i)); err != nil {
					sent <- err
					return
				}
				time.Sleep(pace)
			}
			sent <- nil
		}()
		go func() {
			for i := range n {
				if err := p.Send(engineio.TextFrames(fmt.Sprint("down ", i))); err != nil {
					sent <- err
					return
				}
				time.Sleep(pace)
			}
			sent <- nil
		}()
		p.want("text up 0", "text up 1", "text up 2")
		require.NoError(t, c.Upgrade(t.Context()))
		for i := 3; i < n; i++ {
			p.want(fmt.Sprint("text up ", i))
		}
		for i := range n {
			wantMessages(t, c, fmt.Sprint("text down ", i))
		}
		require.NoError(t, next(t, sent))
		require.NoError(t, next(t, sent))
		p.isOpen(c)
		p.wantNone()
		assert.Equal(t, engineio.WebSocket, p.Transport())
	}
	t.Run("real", func(t *testing.T) {
		for i := range 10 {
			t.Run(fmt.Sprint(i), func(t *testing.T) { test(t, 20*time.Microsecond) })
		}
	})
	t.Run("synctest", func(t *testing.T) {
		for _, pace := range []time.Duration{0, time.Microsecond, time.Millisecond, 7 * time.Millisecond} {
			t.Run(pace.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { test(t, pace) })
			})
		}
	})
}

// Whatever a probe does wrong ends its WebSocket, and the session goes on polling and can be upgraded later.
func TestProbeErrors(t *testing.T) {
	for name, send := range map[string][]string{
		"no probe":                {"5"},
		"a message":               {"4hello"},
		"another ping":            {"2"},
		"garbage":                 {"xyz"},
		"empty":                   {""},
		"a message after it":      {"2probe", "4hello"},
		"a second probe":          {"2probe", "2probe"},
		"nothing good after it":   {"2probe", "6more"},
		"close packet in it":      {"2probe", "1"},
		"more than the maximum":   {strings.Repeat("x", 2000)},
		"much after a good probe": {"2probe", strings.Repeat("x", 2000)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, &engineio.Options{Limits: engineio.Limits{MaxPayload: 1000}}, nil)
				c, p := h.connect(eiotest.Polling)
				begin := time.Now()
				ws := dialProbe(t, c.Raw(), send...)
				if send[0] == "2probe" {
					ws.want("3probe")
				}
				ws.wantClose()
				assert.Less(t, time.Since(begin), time.Second)
				p.isOpen(c)
				p.wantNone()
				assert.Equal(t, engineio.Polling, p.Transport())
				synctest.Wait() // the server has forgotten the probe
				require.NoError(t, c.Upgrade(t.Context()))
				p.isOpen(c)
			})
		})
	}
	t.Run("binary", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, p := newHost(t, nil, nil).connect(eiotest.Polling)
			ws := dialProbe(t, c.Raw())
			require.NoError(t, ws.Write(t.Context(), websocket.MessageBinary, []byte("2probe")))
			ws.wantClose()
			p.isOpen(c)
		})
	})
	t.Run("vanishes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, p := newHost(t, nil, nil).connect(eiotest.Polling)
			for _, send := range [][]string{nil, {"2probe"}} {
				ws := dialProbe(t, c.Raw(), send...)
				synctest.Wait()
				require.NoError(t, ws.CloseNow())
				synctest.Wait()
				p.isOpen(c)
			}
			require.NoError(t, c.Upgrade(t.Context()))
			p.isOpen(c)
		})
	})
}

// A second WebSocket with the same sid is closed; the first and the session are unharmed.
func TestSecondWebSocket(t *testing.T) {
	t.Run("while probing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, nil, nil)
			raw, p := h.raw()
			first := dialProbe(t, raw, "2probe")
			first.want("3probe")
			second := dialProbe(t, raw, "2probe")
			second.wantClose()
			first.send("5", "4hello")
			p.want("text hello")
			p.text("there")
			first.want("4there")
		})
	})
	t.Run("after the upgrade", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, nil, nil)
			c, p := h.connect(eiotest.Upgrade)
			p.isOpen(c)
			dialProbe(t, c.Raw()).wantClose()
			p.isOpen(c)
		})
	})
	t.Run("of a websocket session", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, nil, nil)
			c, p := h.connect(eiotest.WebSocket)
			dialProbe(t, c.Raw()).wantClose()
			p.isOpen(c)
		})
	})
}

// A POST of the old transport that is being read when the upgrade packet comes does not fail the session.
func TestPacketsSentWithTheUpgradePacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		for range 3 {
			p.text("buffered")
		}
		ws := dialProbe(t, raw, "2probe", "5", "4one", "4two")
		ws.want("3probe", "4buffered", "4buffered", "4buffered")
		p.want("text one", "text two")
	})
}

// Many clients at once, with real time.
func TestManyUpgradesAtOnce(t *testing.T) {
	h := newHost(t, nil, nil)
	h.echo = true
	done := make(chan error)
	const n = 30
	for i := range n {
		go func() {
			c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Transport: h.tr, Mode: eiotest.Polling})
			if err != nil {
				done <- err
				return
			}
			for j := range 20 {
				_ = c.Send(fmt.Sprint(i, ".", j))
			}
			err = c.Upgrade(t.Context())
			for j := range 20 {
				var m eiotest.Message
				if err == nil {
					m, err = c.Receive(t.Context())
				}
				if want := fmt.Sprint(i, ".", j); err == nil && string(m.Data) != want {
					err = fmt.Errorf("got %q, want %q", m.Data, want)
				}
			}
			c.Close()
			done <- err
		}()
	}
	for range n {
		assert.NoError(t, next(t, done))
	}
}
