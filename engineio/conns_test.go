package engineio_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// Connections can be looked up and ranged over from the moment they are accepted until they are closed.
func TestConnsAndLookup(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		h.onNew = func(p *peer) (engineio.Receiver, error) {
			_, ok := h.srv.Conn(p.ID())
			assert.False(t, ok, "a connection that is being decided")
			return p, nil
		}
		assert.Empty(t, slices.Collect(h.srv.Conns()))
		var all []*engineio.Conn
		for range 3 {
			_, p := h.connect(mode)
			all = append(all, p.Conn)
		}
		synctest.Wait()
		assert.ElementsMatch(t, all, slices.Collect(h.srv.Conns()))
		for _, c := range all {
			found, ok := h.srv.Conn(c.ID())
			assert.True(t, ok)
			assert.Same(t, c, found)
		}
		_, ok := h.srv.Conn("nobody")
		assert.False(t, ok)

		visited := 0
		for c := range h.srv.Conns() { // those that end during the loop are left out
			visited++
			for _, o := range all {
				if o != c {
					o.Close(engineio.ReasonServerDisconnect, nil)
				}
			}
		}
		assert.Equal(t, 1, visited)
		left := slices.Collect(h.srv.Conns())
		require.Len(t, left, 1)
		left[0].Close(engineio.ReasonServerDisconnect, nil)
		_, ok = h.srv.Conn(left[0].ID())
		assert.False(t, ok, "a connection that is closed")
	})
}

func TestClientIP(t *testing.T) {
	forwarded := http.Header{"X-Forwarded-For": {"203.0.113.9, 198.51.100.7"}}
	for name, tt := range map[string]struct {
		opts engineio.Options
		want string
	}{
		"network connection": {want: "192.0.2.1"},
		"proxy":              {opts: engineio.Options{TrustForwarded: true}, want: "198.51.100.7"},
		"option":             {opts: engineio.Options{ClientIP: func(r *http.Request) string { return r.URL.Query().Get("from") }}, want: "user 7"},
		"option that panics": {opts: engineio.Options{ClientIP: func(*http.Request) string { panic("ouch") }}},
	} {
		t.Run(name, func(t *testing.T) {
			eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
				h := newHost(t, &tt.opts, nil)
				c, p := h.connectWith(eiotest.Options{Mode: mode, Header: forwarded, Query: url.Values{"from": {"user 7"}}})
				assert.Equal(t, tt.want, p.ClientIP())
				p.isOpen(c)
			})
		})
	}
}

func TestSendTextAndBinary(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		c, p := newHost(t, nil, nil).connect(mode)
		data := []byte{1, 2}
		require.NoError(t, p.SendText("a"))
		require.NoError(t, p.SendText(""))
		require.NoError(t, p.SendBinary(data))
		require.NoError(t, p.SendBinary(nil))
		data[0] = 9
		require.NoError(t, p.Send(engineio.TextFrames([]byte(nil), data)))
		require.NoError(t, p.Send(engineio.BinaryFrames(data, data[:1])))
		wantMessages(t, c, "text a", "text ", "binary \x01\x02", "binary ", "text ", "binary \x09\x02", "binary \x09\x02", "binary \x09")
		p.Close(engineio.ReasonServerDisconnect, nil)
		assert.ErrorIs(t, p.SendText("x"), engineio.ErrClosed)
		assert.ErrorIs(t, p.SendBinary(nil), engineio.ErrClosed)
	})
}

// wrapped is what middleware makes of a Receiver: it changes one method.
type wrapped struct {
	engineio.Receiver
	messages int
}

func (w *wrapped) Message(data []byte, binary bool) <-chan struct{} {
	w.messages++
	return w.Receiver.Message(data, binary)
}

// A Receiver that is wrapped still gets every call.
func TestReceiverIsWrapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		var calls []string
		var conn *engineio.Conn
		w := &wrapped{}
		h.onNew = func(p *peer) (engineio.Receiver, error) {
			conn = p.Conn
			w.Receiver = engineio.ReceiverFuncs{
				OnMessage:  func(data []byte, _ bool) <-chan struct{} { calls = append(calls, string(data)); return nil },
				OnUpgraded: func() { calls = append(calls, "upgraded") },
				OnDrain: func() bool {
					calls = append(calls, "drain")
					conn.Close(engineio.ReasonServerShutdown, nil)
					return true
				},
				OnClosed: func(reason engineio.Reason, _ error) { calls = append(calls, string(reason)) },
			}
			return w, nil
		}
		c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Transport: h.tr, Mode: eiotest.Upgrade})
		require.NoError(t, err)
		require.NoError(t, c.Send("hello"))
		synctest.Wait()
		require.NoError(t, h.srv.Shutdown(t.Context()))
		next(t, c.Closed())
		c.Wait()
		assert.Equal(t, []string{"upgraded", "hello", "drain", "server shutdown"}, calls)
		assert.Equal(t, 1, w.messages)
	})
}

// A ReceiverFuncs without functions takes everything and holds nothing up.
func TestReceiverWithoutFunctions(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		h.onNew = func(*peer) (engineio.Receiver, error) { return engineio.ReceiverFuncs{}, nil }
		c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Transport: h.tr, Mode: mode})
		require.NoError(t, err)
		require.NoError(t, c.Send("hello"))
		synctest.Wait()
		require.NoError(t, h.srv.Shutdown(t.Context()))
		next(t, c.Closed())
		c.Wait()
	})
}

func TestServerClose(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		c, p := h.connect(mode)
		p.text("lost, perhaps")
		require.NoError(t, h.srv.Close())
		p.wantClosed(engineio.ReasonServerShutdown)
		next(t, c.Closed())
		_, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Transport: h.tr, Mode: mode})
		wantRefused(t, nil, err, http.StatusServiceUnavailable, "4", "shutting down")
		require.NoError(t, h.srv.Close(), "once more")
	})
}

func TestRefusalCodes(t *testing.T) {
	for code := engineio.CodeUnknownTransport; code <= engineio.CodeUnsupportedVersion; code++ {
		assert.Equal(t, codeMessages[string('0'+rune(code))], code.String())
	}
	assert.Empty(t, engineio.RefusalCode(6).String())
	assert.Empty(t, engineio.RefusalCode(-1).String())
}
