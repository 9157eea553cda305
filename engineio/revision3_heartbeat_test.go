package engineio_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// The client sends the heartbeats, and is answered at once.
func TestRevision3Heartbeat(t *testing.T) {
	runOld(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, &heartbeat, nil)
		c, p := h.connect(mode)
		for range 20 {
			time.Sleep(7 * time.Second)
			p.isOpen(c)
		}
		require.NoError(t, c.Send("alive"))
		p.want("text alive")
	})
}

// The answer to a PING has its data, as the protocol has it, whatever that is.
func TestRevision3PingWithData(t *testing.T) {
	for _, contentType := range []string{"", "application/octet-stream"} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, &engineio.Options{AppendASCII: func(dst, text []byte) []byte { return append(dst, "ASCII"...) }}, nil)
			for query, b64 := range map[string]bool{"": false, "1": true} {
				raw := eiotest.Raw{Transport: h.tr, Query: url.Values{"EIO": {"3"}, "b64": {query}}}
				_, err := raw.Get(t.Context())
				require.NoError(t, err)
				raw.SID = h.peer().ID()
				for _, tt := range []struct{ ping, pong, framed string }{
					{"1:2", "1:3", ""}, {"6:2probe", "6:3probe", ""}, {"2:2€", "2:3€", "\x00\x04\xff3€"},
				} {
					body := tt.ping
					if contentType != "" {
						packet := tt.ping[2:]
						body = "\x00" + string(rune(len(packet))) + "\xff" + packet
					}
					resp, err := raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), strings.NewReader(body), http.Header{"Content-Type": {contentType}})
					require.NoError(t, err)
					require.Equal(t, "ok", resp.Body)
					resp, err = raw.Get(t.Context())
					require.NoError(t, err)
					want := tt.pong
					if tt.framed != "" && !b64 {
						want = tt.framed
					}
					assert.Equal(t, want, resp.Body)
				}
			}
			played := eiotest.Play(t, h.srv, []eiotest.Step{{Data: []byte(request("GET", "EIO=3&transport=websocket", wsHeaders, "") + frame(0x81, "2data"))}})
			assert.Contains(t, string(played.Received[0]), "\x81\x053data")
			played.Close()
		})
	}
}

// Nothing but a PING keeps a client alive: it is given the ping interval and the ping timeout together.
func TestRevision3PingTimeout(t *testing.T) {
	runOld(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, &heartbeat, nil)
		last := time.Now()
		c, p := h.connectWith(eiotest.Options{Mode: mode, NoAutoPong: true})
		for range 5 { // at the last moment
			time.Sleep(time.Until(last.Add(14*time.Second - time.Millisecond)))
			last = time.Now()
			require.NoError(t, c.SendPacket("2"))
			synctest.Wait()
			p.isOpen(c)
		}
		for range 13 {
			time.Sleep(time.Second)
			require.NoError(t, c.Send("alive"))
		}
		assert.ErrorContains(t, p.wantClosed(engineio.ReasonPingTimeout), "no PING")
		assert.Equal(t, 14*time.Second, time.Since(last))
	})
}

// A client that sends PINGs in POSTs and does not poll has gone, too: it is given the same time, from when it got its last
// answer. One that polls again in time stays.
func TestRevision3PingsWithoutPolls(t *testing.T) {
	for query, ping := range map[string]string{"EIO=3": "1:2", "EIO=3&b64=1": "1:2", "EIO=3&j=0": "d=1:2"} {
		t.Run(query, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, &heartbeat, nil)
				values, err := url.ParseQuery(query)
				require.NoError(t, err)
				raw := eiotest.Raw{Transport: h.tr, Query: values}
				post := func() *eiotest.Response {
					resp, err := raw.Post(t.Context(), ping)
					require.NoError(t, err)
					return resp
				}
				_, err = raw.Get(t.Context())
				require.NoError(t, err)
				p := h.peer()
				raw.SID = p.ID()
				begin := time.Now()
				for range 4 { // at the last moment, and answered at once with the PONGs
					for range 2 {
						time.Sleep(5 * time.Second)
						require.Equal(t, "ok", post().Body)
					}
					time.Sleep(time.Until(begin.Add(14 * time.Second)))
					resp, err := raw.Get(t.Context())
					require.NoError(t, err)
					require.Equal(t, http.StatusOK, resp.Status)
					begin = time.Now()
				}
				for post().Status == http.StatusOK {
					require.Less(t, time.Since(begin), time.Minute, "it lives")
					time.Sleep(time.Second / 3)
				}
				assert.ErrorContains(t, p.wantClosed(engineio.ReasonPingTimeout), "no poll")
				assert.InDelta(t, 14, time.Since(begin).Seconds(), 0.5)
			})
		})
	}
}

// A client that has one network connection cannot poll while its POST is under way, or held back. The time does not count.
func TestRevision3LongPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &heartbeat, nil)
		raw := eiotest.Raw{Transport: h.tr, Query: url.Values{"EIO": {"3"}}}
		_, err := raw.Get(t.Context())
		require.NoError(t, err)
		p := h.peer()
		raw.SID = p.ID()
		begin := time.Now()
		time.Sleep(3 * time.Second)
		body, upload := io.Pipe()
		go func() {
			for _, piece := range []string{"6:4h", "el", "lo", "1:2"} {
				_, _ = io.WriteString(upload, piece)
				time.Sleep(3 * time.Second)
			}
			_ = upload.Close()
		}()
		resp, err := raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), body, nil)
		require.NoError(t, err)
		require.Equal(t, "ok", resp.Body)
		require.Greater(t, time.Since(begin), heartbeat.PingInterval+heartbeat.PingTimeout)
		p.want("text hello")
		time.Sleep(5 * time.Second)
		p.text("answer")
		resp, err = raw.Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.Status)
		require.Contains(t, resp.Body, "answer")
	})
}

// PINGs are control packets: a client that sends many of them is not read from for a while.
func TestRevision3ControlRate(t *testing.T) {
	runOld(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, &engineio.Options{Limits: engineio.Limits{ControlRate: 100}}, nil)
		c, p := h.connect(mode)
		begin := time.Now()
		for range 2000 {
			require.NoError(t, c.SendPacket("2"))
		}
		require.NoError(t, c.Send("x"))
		p.want("text x")
		assert.GreaterOrEqual(t, time.Since(begin), 8*time.Second)
		assert.Positive(t, h.srv.Stats().LimitHits["ControlRate"])
		time.Sleep(time.Minute)
		p.isOpen(c)
	})
}
