package engineio_test

import (
	"bytes"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"

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
