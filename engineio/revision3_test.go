package engineio_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// Most tests of this package run with clients of both revisions, see eiotest.RunSyncAll. Here is what differs.

// runOld runs a test with each kind of client of revision 3.
func runOld(t *testing.T, f func(t *testing.T, mode eiotest.Mode)) {
	t.Helper()
	eiotest.RunSync(t, f, eiotest.OldModes...)
}

func TestRevision3Handshake(t *testing.T) {
	runOld(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		c, p := h.connect(mode)
		want := eiotest.Handshake{SID: p.ID(), Upgrades: []string{"websocket"}, PingInterval: 25000, PingTimeout: 20000}
		if mode.Current() == eiotest.WebSocket {
			want.Upgrades = []string{}
		}
		assert.Equal(t, want, c.Handshake())
		assert.Regexp(t, `^[A-Za-z0-9_-]{27}$`, p.ID())
		assert.Equal(t, 3, p.Revision())
		assert.Equal(t, 4, mustConnect(h, mode.Current()).Revision())
		assert.Equal(t, 1, h.srv.Stats().Revision3)
		c.Close()
		p.wantClosed(reasonOfClose(mode))
		assert.Zero(t, h.srv.Stats().Revision3)
	})
}

// Like the reference server, ours takes for revision 3 what does not say that it is 4.
func TestRevision3IsWhatIsNot4(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		for query, want := range map[string]string{
			"EIO=3": `:0{"sid":"`, "": `:0{"sid":"`, "EIO=2": `:0{"sid":"`, "EIO=abc": `:0{"sid":"`, "EIO=3&b64=1": `:0{"sid":"`,
			"EIO=3&j=12": `___eio[12]("`, "j=0": `___eio[0]("`, "EIO=4": `0{"sid":"`,
		} {
			resp := h.get(query)
			assert.Equal(t, http.StatusOK, resp.Status, query)
			at := strings.Index(resp.Body, want)
			assert.True(t, at == 0 || at > 0 && want[0] == ':' && at <= 3, "%s: %s", query, resp.Body)
			assert.Equal(t, want == `0{"sid":"`, strings.Contains(resp.Body, "maxPayload"), query)
		}
	})
}

// get sends a poll of no session.
func (h *host) get(query string) *eiotest.Response {
	raw := eiotest.Raw{Transport: h.tr}
	resp, err := raw.Do(h.t.Context(), http.MethodGet, "http://server.test/engine.io/?transport=polling&"+query, nil, nil)
	require.NoError(h.t, err)
	return resp
}

// The refusal without the option is the reference server's, and its header and the log name the option.
func TestRevision3IsRefusedByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHostWith(t, engineio.Options{}, nil)
		for _, query := range []string{"EIO=3", "", "EIO=3&b64=1", "EIO=3&j=0"} {
			resp := h.get(query)
			assert.Equal(t, http.StatusBadRequest, resp.Status, query)
			assert.Equal(t, `{"code":5,"message":"Unsupported protocol version"}`, resp.Body, query)
			assert.Contains(t, resp.Header.Get(engineio.RefusalHeader), "set Options.AllowEIO3", query)
		}
		require.Len(t, h.warnings(), 1)
		assert.Contains(t, h.warnings()[0], "Options.AllowEIO3")
		assert.EqualValues(t, 4, h.srv.Stats().Refused["version"])
	})
}

// A callback is a number, and only a session that began with one has scripts for answers.
func TestJSONPIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		for _, j := range []string{"", "a", "0](alert(1)", "-1", "1.5", "99999999999"} {
			resp := h.get("EIO=3&j=" + url.QueryEscape(j))
			assert.Equal(t, http.StatusBadRequest, resp.Status, j)
			assert.NotContains(t, resp.Body, "___eio")
		}
		assert.Equal(t, http.StatusBadRequest, h.get("EIO=4&j=0").Status)
		assert.Equal(t, http.StatusOK, h.get("EIO=3&j=0").Status)
		h.peer()
		c, p := h.connectWith(eiotest.Options{Mode: eiotest.OldPolling, NoAutoPong: true})
		raw := c.Raw()
		raw.Query = url.Values{"EIO": {"3"}, "j": {"0"}}
		resp, err := raw.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, http.StatusBadRequest, resp.Status)
		p.isOpen(c)
	})
}

// To a WebSocket the parameter is one of the application's.
func TestJSONPIndexOfWebSocket(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		h.echo = true
		c, _ := h.connectWith(eiotest.Options{Mode: mode, Query: url.Values{"j": {"job"}}})
		require.NoError(t, c.SendBinary([]byte{1, 2}))
		wantMessages(t, c, "binary \x01\x02")
	}, eiotest.OldWebSocket, eiotest.OldBase64WebSocket, eiotest.WebSocket)
}

// MaxPayload is the limit of the payload in a form, whatever the form takes, also on the way through another server.
func TestJSONPMaxPayload(t *testing.T) {
	length := func(text string) int { return len(utf16.Encode([]rune(text))) }
	payload := func(text string) int { return len(fmt.Sprintf("%d:%s", length(text), text)) }
	post := func(t *testing.T, raw *eiotest.Raw, text string) *eiotest.Response {
		escaped := strings.ReplaceAll(strings.ReplaceAll(fmt.Sprintf("%d:%s", length(text), text), `\n`, "\\\n"), "\n", `\n`)
		resp, err := raw.Post(t.Context(), "d="+url.QueryEscape(escaped))
		require.NoError(t, err)
		return resp
	}
	for name, part := range map[string]string{"text": "é", "line feeds": `\n`, "quotes": `""`} { // two bytes each
		for _, servers := range []int{1, 2} {
			t.Run(fmt.Sprint(name, servers), func(t *testing.T) {
				inRing(t, servers, &engineio.Options{AllowEIO3: true, Limits: engineio.Limits{MaxPayload: 10_000}}, func(t *testing.T, r *ring) {
					query := url.Values{"EIO": {"3"}, "j": {"0"}}
					raw := &eiotest.Raw{Transport: r.hosts[0].tr, Query: query}
					_, err := raw.Get(t.Context())
					require.NoError(t, err)
					p := r.hosts[0].peer()
					raw.SID, raw.Transport = p.ID(), r.hosts[servers-1].tr
					text := "4" + strings.Repeat(part, 4500)
					for payload(text) < 10_000 {
						text += "x"
					}
					require.Equal(t, 10_000, payload(text))
					assert.Equal(t, "ok", post(t, raw, text).Body)
					p.want("text " + text[1:])
					assert.Equal(t, http.StatusRequestEntityTooLarge, post(t, raw, text+"x").Status)
					assert.ErrorContains(t, p.wantClosed(engineio.ReasonTransportError), "larger than 10000 bytes")
					assert.EqualValues(t, 1, r.hosts[0].srv.Stats().LimitHits["MaxPayload"])
				})
			})
		}
	}
}

// What a script answers can be nothing but a script, and is judged by the page that it is for.
func TestJSONPAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw := eiotest.Raw{Transport: h.tr}
		get := func(site, referer string) *eiotest.Response {
			header := http.Header{"Cookie": {"user=ann"}}
			if site != "" {
				header.Set("Sec-Fetch-Site", site)
			}
			if referer != "" {
				header.Set("Referer", referer)
			}
			resp, err := raw.Do(t.Context(), http.MethodGet, "http://server.test/engine.io/?transport=polling&EIO=3&j=0", nil, header)
			require.NoError(t, err)
			return resp
		}
		resp := get("same-origin", "http://server.test/")
		assert.Equal(t, http.StatusOK, resp.Status)
		assert.Equal(t, "text/javascript; charset=UTF-8", resp.Header.Get("Content-Type"))
		assert.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
		assert.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
		assert.Equal(t, "user=ann", h.peer().Request().Header.Get("Cookie"))

		assert.Equal(t, http.StatusForbidden, get("cross-site", "https://evil.test/").Status)
		assert.Equal(t, http.StatusForbidden, get("cross-site", "").Status)
		assert.Equal(t, http.StatusForbidden, get("", "https://evil.test/").Status)
		assert.Empty(t, h.peers)

		assert.Equal(t, http.StatusOK, get("", "").Status)
		assert.Empty(t, h.peer().Request().Header.Get("Cookie"))
	})
}

// Texts and binary messages of every size arrive, both ways, in every form.
func TestRevision3Messages(t *testing.T) {
	runOld(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		h.echo = true
		c, _ := h.connect(mode)
		texts := []string{"", "a", "\u2028\u2029</script>", "line\nfeed, \\n and \\\\n", "\"quoted\"", "a+b&d=c%25", strings.Repeat("€", 130), strings.Repeat("😀x", 40_000), "\x00\x7f\u0080"}
		for _, text := range texts {
			require.NoError(t, c.Send(text))
			require.NoError(t, c.SendBinary([]byte(text)))
			wantMessages(t, c, "text "+text, "binary "+text)
		}
		for _, text := range texts {
			require.NoError(t, c.Send(text))
		}
		for _, text := range texts {
			wantMessages(t, c, "text "+text)
		}
	})
}

// Clients of Socket.IO 1 misread texts that are not ASCII in a payload of text, but not in a framed one.
func TestFramedUnlessASCII(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		c, p := h.connectWith(eiotest.Options{Mode: eiotest.OldPolling, NoAutoPong: true})
		wantMessages(t, c)
		types := map[string]string{"a": "text/plain; charset=UTF-8", "é": "application/octet-stream"}
		for text := range types {
			synctest.Wait()
			require.NoError(t, p.SendText(text))
			wantMessages(t, c, "text "+text)
		}
		raw := eiotest.Raw{Transport: h.tr, Query: url.Values{"EIO": {"3"}}}
		_, err := raw.Get(t.Context())
		require.NoError(t, err)
		q := h.peer()
		raw.SID = q.ID()
		for text, want := range types {
			require.NoError(t, q.SendText(text))
			resp, err := raw.Get(t.Context())
			require.NoError(t, err)
			assert.Equal(t, want, resp.Header.Get("Content-Type"), text)
		}
		require.NoError(t, q.Send(engineio.TextFrames("x", []byte{1})))
		resp, err := raw.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "\x00\x02\xff4x\x01\x02\xff\x04\x01", resp.Body)
	})
}

// Clients of Socket.IO 1 in a browser cannot read large payloads of text, but framed ones of any size.
func TestFramedIfLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		for query, want := range map[string]string{"": "application/octet-stream", "1": "text/plain; charset=UTF-8"} {
			raw := eiotest.Raw{Transport: h.tr, Query: url.Values{"EIO": {"3"}, "b64": {query}}}
			_, err := raw.Get(t.Context())
			require.NoError(t, err)
			p := h.peer()
			raw.SID = p.ID()
			for range 2 {
				require.NoError(t, p.SendText(strings.Repeat("x", 15_000)))
			}
			resp, err := raw.Get(t.Context())
			require.NoError(t, err)
			assert.Equal(t, "text/plain; charset=UTF-8", resp.Header.Get("Content-Type"))
			for range 3 {
				require.NoError(t, p.SendText(strings.Repeat("x", 15_000)))
			}
			resp, err = raw.Get(t.Context())
			require.NoError(t, err)
			assert.Equal(t, want, resp.Header.Get("Content-Type"))
		}
	})
}

// A message for clients of both revisions, some of which cannot read binary data.
func TestOneMessageForBothRevisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		var clients []*eiotest.Client
		for _, mode := range append(eiotest.OldModes[:len(eiotest.OldModes):len(eiotest.OldModes)], eiotest.Modes...) {
			c, _ := h.connect(mode)
			clients = append(clients, c)
		}
		f := engineio.TextFrames("text €", []byte{1, 2, 3}, nil)
		for range 3 {
			for c := range h.srv.Conns() {
				require.NoError(t, c.Send(f))
			}
		}
		for _, c := range clients {
			for range 3 {
				wantMessages(t, c, "text text €", "binary \x01\x02\x03", "binary ")
			}
		}
	})
}
