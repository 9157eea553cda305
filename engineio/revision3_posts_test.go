package engineio_test

import (
	"bytes"
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

// What breaks the protocol over polling is refused, and ends the session.
func TestRevision3BadPosts(t *testing.T) {
	const binary, form = "application/octet-stream", "application/x-www-form-urlencoded"
	for name, tt := range map[string]struct {
		mode              eiotest.Mode
		contentType, body string
		want              engineio.Reason
		detail            string
	}{
		"empty":             {eiotest.OldPolling, "", "", engineio.ReasonParseError, "an empty payload"},
		"no length":         {eiotest.OldPolling, "", "4hello", engineio.ReasonParseError, "a packet without a length"},
		"too short":         {eiotest.OldPolling, "", "9:4hello", engineio.ReasonParseError, "shorter than its length"},
		"too long":          {eiotest.OldPolling, "", "2:4hello", engineio.ReasonParseError, "a packet without a length"},
		"bytes, not units":  {eiotest.OldPolling, "", "5:4ä€", engineio.ReasonParseError, "shorter than its length"},
		"no UTF-8":          {eiotest.OldPolling, "", "2:4\xff", engineio.ReasonParseError, "not UTF-8"},
		"unknown type":      {eiotest.OldPolling, "", "1:7", engineio.ReasonParseError, "unknown packet type"},
		"PONG":              {eiotest.OldPolling, "", "1:3", engineio.ReasonTransportError, "sent a PONG"},
		"a long PING":       {eiotest.OldPolling, "", "127:2" + strings.Repeat("x", 126), engineio.ReasonParseError, "more than 125 bytes"},
		"bad base64":        {eiotest.OldPolling, "", "4:b4!!", engineio.ReasonParseError, "not base64"},
		"base64 of a PING":  {eiotest.OldPolling, "", "6:b2AQI=", engineio.ReasonParseError, "without the type of a message"},
		"text as binary":    {eiotest.OldPolling, binary, "2:4a", engineio.ReasonParseError, "header"},
		"framed, no UTF-8":  {eiotest.OldPolling, binary, "\x00\x02\xff4\xff", engineio.ReasonParseError, "not UTF-8"},
		"framed, too short": {eiotest.OldPolling, binary, "\x01\x09\xff\x04", engineio.ReasonParseError, "shorter than its length"},
		"framed PING":       {eiotest.OldPolling, binary, "\x01\x01\xff\x02", engineio.ReasonParseError, "without the type of a message"},
		"framed empty text": {eiotest.OldPolling, binary, "\x00\x00\xff", engineio.ReasonParseError, "empty packet"},
		"revision 4":        {eiotest.OldPolling, "", "4a\x1e4b", engineio.ReasonParseError, "a packet without a length"},
		"no form":           {eiotest.OldJSONP, form, "2:4a", engineio.ReasonParseError, "without the field d"},
		"bad escape":        {eiotest.OldJSONP, form, "d=%zz", engineio.ReasonParseError, "cannot be unescaped"},
		"form, no UTF-8":    {eiotest.OldJSONP, form, "d=2:4%ff", engineio.ReasonParseError, "not UTF-8"},
		"CLOSE":             {eiotest.OldJSONP, form, "d=1:1", engineio.ReasonClientDisconnect, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, nil, nil)
				c, p := h.connectWith(eiotest.Options{Mode: tt.mode, NoAutoPong: true})
				raw := c.Raw()
				resp, err := raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), bytes.NewReader([]byte(tt.body)), http.Header{"Content-Type": {tt.contentType}})
				require.NoError(t, err)
				p.wantClosed(tt.want)
				if tt.detail == "" {
					assert.Equal(t, http.StatusOK, resp.Status)
					return
				}
				assert.Equal(t, http.StatusBadRequest, resp.Status)
				assert.Contains(t, resp.Header.Get(engineio.RefusalHeader), tt.detail)
			})
		})
	}
}

// What some clients send when they have nothing to say does no harm.
func TestRevision3HarmlessPosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		c, p := h.connect(eiotest.OldPolling)
		raw := c.Raw()
		for _, body := range []string{"0:", "0:0:2:4a", "1:6", "1:5"} {
			resp, err := raw.Post(t.Context(), body)
			require.NoError(t, err)
			assert.Equal(t, "ok", resp.Body, body)
		}
		p.want("text a")
		p.wantNone()
		p.isOpen(c)
	})
}

// Empty packets count as control packets, many in one POST and one in each of many.
func TestEmptyPacketsAreCounted(t *testing.T) {
	for name, tt := range map[string]struct {
		posts int
		body  string
	}{"one POST": {1, strings.Repeat("0:", 2000)}, "many POSTs": {2000, "0:"}} {
		t.Run(name, func(t *testing.T) {
			eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
				h := newHost(t, &engineio.Options{Limits: engineio.Limits{ControlRate: 100}}, nil)
				c, p := h.connect(mode)
				raw, begin := c.Raw(), time.Now()
				body := tt.body
				if mode == eiotest.OldJSONP {
					body = "d=" + body
				}
				for range tt.posts {
					resp, err := raw.Post(t.Context(), body)
					require.NoError(t, err)
					require.Equal(t, "ok", resp.Body)
				}
				assert.GreaterOrEqual(t, time.Since(begin), 8*time.Second)
				assert.Positive(t, h.srv.Stats().LimitHits["ControlRate"])
				assert.GreaterOrEqual(t, h.srv.Stats().BytesIn, uint64(tt.posts*len(body)))
				p.isOpen(c)
			}, eiotest.OldPolling, eiotest.OldBase64, eiotest.OldJSONP)
		})
	}
}

// What comes in a PING goes back in the PONG, and is as little as in a PING of WebSocket: a control packet does not have the
// server queue megabytes. (Over polling see "a long PING" in TestRevision3BadPosts.)
func TestPingWithTooMuchData(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		c, p := h.connect(mode)
		require.NoError(t, c.SendPacket("2"+strings.Repeat("x", 125)))
		synctest.Wait()
		p.isOpen(c)
		_ = c.SendPacket("2" + strings.Repeat("x", 126))
		assert.ErrorContains(t, p.wantClosed(engineio.ReasonParseError), "a PING with more than 125 bytes of data")
	}, eiotest.OldWebSocket, eiotest.OldUpgrade)
}

// reasonOfClose is why a connection ends whose client leaves as a client should.
func reasonOfClose(mode eiotest.Mode) engineio.Reason {
	if mode.Current() == eiotest.Polling {
		return engineio.ReasonClientDisconnect
	}
	return engineio.ReasonTransportClose
}

// The handshake decides for the whole session, whatever revision a later request names.
func TestRevisionOfTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		for _, tt := range []struct{ begins, goesOn, post, other, answer string }{
			{"3", "4", "2:4a", "4a", "2:4x"}, {"4", "3", "4a", "9:4a", "4x"},
		} {
			raw := eiotest.Raw{Transport: h.tr, Query: url.Values{"EIO": {tt.begins}}}
			_, err := raw.Get(t.Context())
			require.NoError(t, err)
			p := h.peer()
			raw.SID, raw.Query = p.ID(), url.Values{"EIO": {tt.goesOn}}
			resp, err := raw.Post(t.Context(), tt.post)
			require.NoError(t, err)
			assert.Equal(t, "ok", resp.Body)
			p.want("text a")
			require.NoError(t, p.SendText("x"))
			resp, err = raw.Get(t.Context())
			require.NoError(t, err)
			assert.Equal(t, tt.answer, resp.Body)
			resp, err = raw.Post(t.Context(), tt.other)
			require.NoError(t, err)
			assert.Equal(t, http.StatusBadRequest, resp.Status)
			p.wantClosed(engineio.ReasonParseError)
		}
	})
}
