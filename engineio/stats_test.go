package engineio_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

func sum[K comparable](m map[K]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}

// Each connection is counted once when it opens, once when it ends, and by the transport that it has.
func TestStatsOfConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		polling, _ := h.connect(eiotest.Polling)
		upgraded, p := h.connect(eiotest.Upgrade)
		websocket, q := h.connect(eiotest.WebSocket)
		synctest.Wait()
		st := h.srv.Stats()
		assert.Equal(t, []int{1, 2}, []int{st.Polling, st.WebSocket})
		assert.Equal(t, []uint64{3, 0, 1, 0}, []uint64{st.Opened, sum(st.Closed), st.Upgrades, st.UpgradesFailed})

		polling.Close()
		p.Close(engineio.ReasonServerDisconnect, nil)
		q.Close("a reason of the application's own", nil)
		next(t, upgraded.Closed())
		next(t, websocket.Closed())
		time.Sleep(10 * time.Second)
		st = h.srv.Stats()
		assert.Equal(t, []int{0, 0}, []int{st.Polling, st.WebSocket})
		assert.EqualValues(t, 1, st.Closed[engineio.ReasonClientDisconnect])
		assert.EqualValues(t, 1, st.Closed[engineio.ReasonServerDisconnect])
		assert.EqualValues(t, 1, st.Closed["a reason of the application's own"])
		assert.EqualValues(t, 3, sum(st.Closed))
		assert.Zero(t, st.QueuedBytes)
		assert.Contains(t, st.Closed, engineio.ReasonSlowClient, "before the first time")
		st.Closed[engineio.ReasonSlowClient] = 7
		assert.Zero(t, h.srv.Stats().Closed[engineio.ReasonSlowClient], "the map is the caller's")
	})
}

// A connection that OnConnect closes but accepts is one that opened and ended.
func TestStatsOfConnectionClosedInOnConnect(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		h.onNew = func(p *peer) (engineio.Receiver, error) {
			p.Close(engineio.ReasonServerDisconnect, nil)
			return p, nil
		}
		c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: mode, Transport: h.tr})
		if err == nil {
			next(t, c.Closed())
		}
		time.Sleep(10 * time.Second)
		st := h.srv.Stats()
		assert.Equal(t, []uint64{1, 1, 1}, []uint64{st.Opened, st.Closed[engineio.ReasonServerDisconnect], sum(st.Closed)})
		assert.Zero(t, st.Polling+st.WebSocket)
	}, eiotest.Polling, eiotest.WebSocket)
}

func TestStatsOfTraffic(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		c, p := h.connect(mode)
		synctest.Wait()
		before := h.srv.Stats()
		require.NoError(t, c.Send("four"))
		require.NoError(t, c.SendBinary([]byte("bin")))
		p.want("text four", "binary bin")
		require.NoError(t, p.Send(engineio.TextFrames("text", []byte{1, 2, 3}, []byte{4})))
		wantMessages(t, c, "text text", "binary \x01\x02\x03", "binary \x04")
		synctest.Wait()
		st := h.srv.Stats()
		assert.EqualValues(t, 2, st.PacketsIn-before.PacketsIn)
		in := len("4four" + "bin")
		if mode.Current() == eiotest.Polling {
			in = len("4four" + "bYmlu")
			if st.BytesIn-before.BytesIn > uint64(in) {
				in++ // both came in one request, with the separator
			}
		}
		assert.EqualValues(t, in, st.BytesIn-before.BytesIn)
		assert.EqualValues(t, 3, st.PacketsOut-before.PacketsOut)
		assert.EqualValues(t, len("4text"+"\x01\x02\x03"+"\x04")+3*2, st.BytesOut-before.BytesOut)
		assert.Zero(t, st.QueuedBytes)
	})
}

// What waits is counted while it waits; what is volatile is counted when it is dropped.
func TestStatsOfQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{Limits: engineio.Limits{SendQueueLimit: 2000}}, nil)
		raw, p := h.raw()
		p.text(strings.Repeat("x", 1000))
		sent, err := p.SendVolatile(engineio.TextFrames("x"))
		assert.False(t, sent)
		require.NoError(t, err)
		st := h.srv.Stats()
		assert.EqualValues(t, 1000+1+4, st.QueuedBytes)
		assert.EqualValues(t, 1, st.VolatileDropped)
		_, err = raw.Get(t.Context())
		require.NoError(t, err)
		assert.Zero(t, h.srv.Stats().QueuedBytes)

		for err == nil {
			err = p.Send(engineio.TextFrames(strings.Repeat("x", 1000)))
		}
		p.Close(engineio.ReasonSlowClient, err)
		p.wantClosed(engineio.ReasonSlowClient)
		st = h.srv.Stats()
		assert.EqualValues(t, 1, st.Closed[engineio.ReasonSlowClient])
		assert.EqualValues(t, 1, st.LimitHits["SendQueueLimit"])
		assert.Zero(t, st.QueuedBytes)
	})
}

func TestStatsOfRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHostWith(t, engineio.Options{}, nil)
		get := func(url string, header http.Header) {
			t.Helper()
			raw := eiotest.Raw{Transport: h.tr}
			_, err := raw.Do(t.Context(), http.MethodGet, "http://server.test"+url, nil, header)
			require.NoError(t, err)
		}
		get("/elsewhere", nil)
		get("/engine.io/?EIO=4&transport=polling", http.Header{"Origin": {"https://elsewhere.test"}})
		get("/engine.io/?EIO=4&transport=carrier-pigeon", nil)
		get("/engine.io/?EIO=3&transport=polling", nil)
		get("/engine.io/?EIO=4&transport=websocket", nil)
		get("/engine.io/?EIO=4&transport=polling&j=0", nil)
		get("/engine.io/?EIO=4&transport=polling&sid=x", nil)
		raw := eiotest.Raw{Transport: h.tr}
		_, err := raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), nil, nil)
		require.NoError(t, err)
		h.onNew = func(*peer) (engineio.Receiver, error) { return nil, &engineio.Refusal{Status: 503, Message: "no"} }
		get("/engine.io/?EIO=4&transport=polling", nil)
		require.NoError(t, h.srv.Shutdown(t.Context()))
		get("/engine.io/?EIO=4&transport=polling", nil)
		assert.Equal(t, map[string]uint64{
			"path": 1, "origin": 1, "transport": 1, "version": 1, "method": 1, "malformed": 1, "no upgrade": 1, "unknown session": 1,
			"too large": 0, "connections": 0, "connections per IP": 0, "application": 1, "shutdown": 1, "peer": 0,
		}, h.srv.Stats().Refused)
	})
}

// An upgrade that is given up is counted as such, and its connection goes on as one that polls.
func TestStatsOfFailedUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, _ := h.raw()
		ws, _, err := raw.DialWS(t.Context(), nil)
		require.NoError(t, err)
		ws.CloseNow()
		synctest.Wait()
		st := h.srv.Stats()
		assert.Equal(t, []uint64{0, 1}, []uint64{st.Upgrades, st.UpgradesFailed})
		assert.Equal(t, []int{1, 0}, []int{st.Polling, st.WebSocket})
	})
}

// A receiver that ends the goroutine it is called on ends its connection, and leaks nothing.
func TestReceiverGoexit(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		ended := make(chan engineio.Reason, 1)
		h.onNew = func(*peer) (engineio.Receiver, error) { return exiting{ended: ended}, nil }
		c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: mode, Transport: h.tr})
		require.NoError(t, err)
		_ = c.Send("x")
		assert.Equal(t, engineio.ReasonServerDisconnect, next(t, ended))
		next(t, c.Closed())
		time.Sleep(10 * time.Second)
		assert.Zero(t, h.srv.Len())
	})
}

type exiting struct {
	engineio.ReceiverFuncs
	ended chan engineio.Reason
}

func (e exiting) Message([]byte, bool) <-chan struct{} {
	runtime.Goexit()
	return nil
}

func (e exiting) Closed(reason engineio.Reason, _ error) {
	e.ended <- reason
	runtime.Goexit()
}

// The log tells of refusals, of those that a setting, another client or a proxy would mend at level warn: of origins
// each time, of others once, since anybody can bring them about.
func TestRefusalsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHostWith(t, engineio.Options{}, nil)
		raw := eiotest.Raw{Transport: h.tr}
		for _, c := range []struct {
			url, origin, want    string
			first, second, third string
		}{
			{"/elsewhere", "", "but this server answers at", "WARN", "DEBUG", "DEBUG"},
			{"/engine.io/?EIO=3&transport=polling", "", "unsupported protocol version", "WARN", "DEBUG", "DEBUG"},
			{"/engine.io/?EIO=4&transport=pigeon", "", "transport unknown", "WARN", "DEBUG", "DEBUG"},
			{"/engine.io/?EIO=4&transport=websocket", "", "check that no proxy drops", "WARN", "DEBUG", "DEBUG"},
			{"/engine.io/?EIO=4&transport=polling", "https://a.test", "Options.AllowedOrigins", "WARN", "DEBUG", "DEBUG"},
			{"/engine.io/?EIO=4&transport=polling&sid=x", "", "session ID unknown", "DEBUG", "DEBUG", "DEBUG"},
			{"/engine.io/?EIO=4&transport=polling&j=1", "", "JSONP", "WARN", "DEBUG", "DEBUG"},
		} {
			for _, level := range []string{c.first, c.second, c.third} {
				header := http.Header{}
				if c.origin != "" {
					header.Set("Origin", c.origin)
				}
				before := len(h.logged())
				resp, err := raw.Do(t.Context(), http.MethodGet, "http://server.test"+c.url, nil, header)
				require.NoError(t, err)
				line := h.logged()[before:]
				assert.Equal(t, 1, strings.Count(line, "\n"), line)
				assert.Contains(t, line, "level="+level)
				assert.Contains(t, line, c.want)
				assert.Contains(t, line, fmt.Sprintf("status=%d", resp.Status))
				assert.Contains(t, line, "remote=")
			}
		}
	})
}
