package engineio_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// What breaks the protocol over WebSocket ends the connection, whether the client can read binary data or not.
func TestRevision3BadFrames(t *testing.T) {
	for name, tt := range map[string]struct {
		data   string
		binary bool
		want   engineio.Reason
		detail string
	}{
		"empty text":        {"", false, engineio.ReasonParseError, "empty packet"},
		"empty binary data": {"", true, engineio.ReasonParseError, "without the type of a message"},
		"no message":        {"\x02\x01", true, engineio.ReasonParseError, "without the type of a message"},
		"text as binary":    {"4hello", true, engineio.ReasonParseError, "without the type of a message"},
		"nothing behind b":  {"b", false, engineio.ReasonParseError, "without the type of a message"},
		"base64 of a PING":  {"b2AQI=", false, engineio.ReasonParseError, "without the type of a message"},
		"bad base64":        {"b4!!", false, engineio.ReasonParseError, "not base64"},
		"half of base64":    {"b4AQI", false, engineio.ReasonParseError, "not base64"},
		"unknown type":      {"7", false, engineio.ReasonParseError, "unknown packet type"},
		"PONG":              {"3", false, engineio.ReasonTransportError, "sent a PONG"},
		"a long PING":       {"2" + strings.Repeat("x", 126), false, engineio.ReasonParseError, "more than 125 bytes"},
	} {
		for _, b64 := range []string{"", "1"} {
			t.Run(name+b64, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHost(t, nil, nil)
					raw := eiotest.Raw{Transport: h.tr, Query: url.Values{"EIO": {"3"}, "b64": {b64}}}
					ws, _, err := raw.DialWS(t.Context(), nil)
					require.NoError(t, err)
					defer ws.CloseNow()
					p := h.peer()
					kind := websocket.MessageText
					if tt.binary {
						kind = websocket.MessageBinary
					}
					require.NoError(t, ws.Write(t.Context(), kind, []byte(tt.data)))
					assert.ErrorContains(t, p.wantClosed(tt.want), tt.detail)
				})
			})
		}
	}
}

// Requests of a session that polls with scripts name a callback, all of them, whatever else they have. Other requests are
// refused, and the session goes on.
func TestJSONPRequestsOfASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw := eiotest.Raw{Transport: h.tr, Query: url.Values{"EIO": {"3"}, "j": {"0"}}}
		_, err := raw.Get(t.Context())
		require.NoError(t, err)
		p := h.peer()
		raw.SID = p.ID()
		send := func(method, j, contentType, body string) *eiotest.Response {
			raw.Query = url.Values{"EIO": {"3"}}
			if j != "" {
				raw.Query.Set("j", j)
			}
			resp, err := raw.Do(t.Context(), method, raw.Address("polling"), strings.NewReader(body), http.Header{"Content-Type": {contentType}})
			require.NoError(t, err)
			return resp
		}
		const form = "application/x-www-form-urlencoded"
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			for _, j := range []string{"", "x", "-1", "1.5", "0](alert(1)", "99999999999", "٣", " 1"} {
				resp := send(method, j, form, "d=2:4a")
				assert.Equal(t, http.StatusBadRequest, resp.Status, "%s %q", method, j)
				assert.NotContains(t, resp.Body, "___eio")
			}
		}
		require.NoError(t, p.Context().Err())
		assert.Equal(t, "ok", send(http.MethodPost, "9999999999", form, "d=2:4a").Body)
		p.want("text a")
		// The body is a form, whatever it says it is; binary messages stand in it as base64.
		assert.Equal(t, "ok", send(http.MethodPost, "1", "application/octet-stream", "d="+url.QueryEscape("6:b4AQI=2:4b")).Body)
		p.want("binary \x01\x02", "text b")
		resp := send(http.MethodPost, "1", "application/octet-stream", "\x01\x03\xff\x04\x01\x02")
		assert.Equal(t, http.StatusBadRequest, resp.Status)
		assert.ErrorContains(t, p.wantClosed(engineio.ReasonParseError), "a form without the field d")
	})
}
