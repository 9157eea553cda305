package engineio_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// Packets that mean nothing are read slowly above a rate; what is behind them comes, and the client stays.
func TestControlRate(t *testing.T) {
	for _, packet := range []string{"3", "6"} {
		t.Run(packet, func(t *testing.T) {
			eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
				h := newHost(t, &engineio.Options{Limits: engineio.Limits{ControlRate: 100}}, nil)
				c, p := h.connect(mode)
				begin := time.Now()
				for range 900 {
					require.NoError(t, c.SendPacket(packet))
				}
				require.NoError(t, c.Send("first"))
				p.want("text first")
				assert.Zero(t, h.srv.Stats().LimitHits["ControlRate"])
				for range 1100 {
					require.NoError(t, c.SendPacket(packet))
				}
				require.NoError(t, c.Send("second"))
				p.want("text second")
				took := time.Since(begin)
				assert.GreaterOrEqual(t, took, 8*time.Second)
				assert.Less(t, took, 30*time.Second)
				assert.Positive(t, h.srv.Stats().LimitHits["ControlRate"])
				assert.Contains(t, h.logged(), "Options.Limits.ControlRate")
				time.Sleep(time.Minute)
				p.isOpen(c)
			})
		})
	}
}

// A POST of megabytes of such packets would be kept in memory for minutes, while its client is slowed down: it is refused.
func TestTooManyControlPacketsInAPost(t *testing.T) {
	for mode, repeat := range map[eiotest.Mode]func(n int) string{
		eiotest.Polling:    func(n int) string { return strings.Repeat("6\x1e", n) + "4x" },
		eiotest.OldPolling: func(n int) string { return strings.Repeat("1:6", n/2) + strings.Repeat("0:", n-n/2) + "2:4x" },
		eiotest.OldBase64:  func(n int) string { return strings.Repeat("1:2", n) + "2:4x" },
		eiotest.OldJSONP:   func(n int) string { return "d=" + strings.Repeat("1:5", n) + "2:4x" },
	} {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, nil, nil)
				c, p := h.connectWith(eiotest.Options{Mode: mode, NoAutoPong: true})
				raw := c.Raw()
				resp, err := raw.Post(t.Context(), repeat(2000))
				wantOK(t, resp, err, "ok")
				p.want("text x")
				resp, err = raw.Post(t.Context(), repeat(2001))
				require.NoError(t, err)
				assert.Equal(t, http.StatusBadRequest, resp.Status)
				assert.Contains(t, resp.Header.Get(engineio.RefusalHeader), "more than 2,000 packets that are no messages")
				p.wantClosed(engineio.ReasonParseError)
			})
		})
	}
}

// So are control frames, also where the WebSocket library reads them.
func TestControlRateOfFrames(t *testing.T) {
	for name, extension := range map[string]string{"plain": "", "permessage-deflate": "Sec-WebSocket-Extensions: permessage-deflate\r\n"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testControlRateOfFrames(t, extension) })
		})
	}
}

func testControlRateOfFrames(t *testing.T, extension string) {
	h := newHost(t, &engineio.Options{Limits: engineio.Limits{ControlRate: 100}, PerMessageDeflate: true}, nil)
	conn, answers := rawRequest(t, h.tr, "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: server.test\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"+extension+"\r\n")
	p := h.peer()
	go func() { _, _ = io.Copy(io.Discard, answers) }() // the pongs; ends with conn
	begin := time.Now()
	frames := strings.Repeat("\x8a\x80\x00\x00\x00\x00", 1000) + strings.Repeat("\x89\x80\x00\x00\x00\x00", 1000)
	_, err := conn.Write([]byte(frames + "\x81\x82\x00\x00\x00\x004x"))
	require.NoError(t, err)
	p.want("text x")
	assert.GreaterOrEqual(t, time.Since(begin), 8*time.Second)
	assert.Positive(t, h.srv.Stats().LimitHits["ControlRate"])
	p.Close(engineio.ReasonServerDisconnect, nil)
	_ = conn.Close()
}
