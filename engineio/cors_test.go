package engineio_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// One rule for polling, preflights and WebSocket.
func TestOrigins(t *testing.T) {
	forwarded := http.Header{"X-Forwarded-Host": {"public.test"}, "X-Forwarded-Proto": {"https"}}
	ofFriends := func(r *http.Request, origin string) bool {
		return strings.HasSuffix(origin, ".friend.test") && r.URL.Query().Has("EIO")
	}
	for name, tt := range map[string]struct {
		opts    engineio.Options
		url     string // of the server; "http://server.test" if empty
		origin  string
		header  http.Header
		refused bool

		anonymous bool // connects without cookies
	}{
		"none":                        {},
		"own":                         {origin: "http://server.test"},
		"own, behind TLS":             {origin: "https://server.test"},
		"own with a port":             {url: "http://server.test:8080", origin: "http://server.test:8080"},
		"own with the default port":   {url: "http://server.test:80", origin: "http://server.test"},
		"own in capitals":             {origin: "http://Server.Test"},
		"another port":                {url: "http://server.test:8080", origin: "http://server.test:3000", refused: true},
		"another host":                {origin: "http://evil.test", refused: true},
		"a subdomain of one's own":    {origin: "http://www.server.test", refused: true},
		"one's own as a prefix":       {origin: "http://server.test.evil.test", refused: true},
		"one's own as a suffix":       {origin: "http://evilserver.test", refused: true},
		"one's own as user":           {origin: "http://server.test@evil.test", refused: true},
		"null":                        {origin: "null", refused: true},
		"garbage":                     {origin: "%%%", refused: true},
		"listed":                      {opts: engineio.Options{AllowedOrigins: []string{"https://a.test", "http://b.test:3000"}}, origin: "http://b.test:3000"},
		"listed in capitals":          {opts: engineio.Options{AllowedOrigins: []string{"https://A.test"}}, origin: "https://a.test"},
		"own beside a list":           {opts: engineio.Options{AllowedOrigins: []string{"https://a.test"}}, origin: "http://server.test"},
		"not listed":                  {opts: engineio.Options{AllowedOrigins: []string{"https://a.test"}}, origin: "https://b.test", refused: true},
		"listed with another scheme":  {opts: engineio.Options{AllowedOrigins: []string{"https://a.test"}}, origin: "http://a.test", refused: true},
		"listed with another port":    {opts: engineio.Options{AllowedOrigins: []string{"https://a.test"}}, origin: "https://a.test:8443", refused: true},
		"any":                         {opts: engineio.Options{AllowedOrigins: []string{"*"}}, origin: "https://evil.test", anonymous: true},
		"any, null":                   {opts: engineio.Options{AllowedOrigins: []string{"*"}}, origin: "null", anonymous: true},
		"any, with credentials":       {opts: engineio.Options{AllowedOrigins: []string{"*"}, CredentialsForAnyOrigin: true}, origin: "https://evil.test"},
		"any, the own":                {opts: engineio.Options{AllowedOrigins: []string{"*"}}, origin: "http://server.test"},
		"any, listed":                 {opts: engineio.Options{AllowedOrigins: []string{"*", "https://a.test"}}, origin: "https://a.test"},
		"null by name":                {opts: engineio.Options{AllowedOrigins: []string{"null"}}, origin: "null", anonymous: true},
		"null, with credentials":      {opts: engineio.Options{AllowedOrigins: []string{"null"}, CredentialsForAnyOrigin: true}, origin: "null"},
		"null is not any":             {opts: engineio.Options{AllowedOrigins: []string{"null"}}, origin: "https://a.test", refused: true},
		"file by name":                {opts: engineio.Options{AllowedOrigins: []string{"file://"}}, origin: "file://"},
		"an app":                      {opts: engineio.Options{AllowedOrigins: []string{"capacitor://localhost"}}, origin: "capacitor://localhost"},
		"listed as ws":                {opts: engineio.Options{AllowedOrigins: []string{" WSS://a.test "}}, origin: "https://a.test"},
		"listed, sent as wss":         {opts: engineio.Options{AllowedOrigins: []string{"https://a.test:443"}}, origin: "wss://a.test"},
		"own as ws":                   {origin: "ws://server.test"},
		"own as wss on its port":      {origin: "wss://server.test:443"},
		"own of https behind wss":     {opts: engineio.Options{TrustForwarded: true}, header: http.Header{"X-Forwarded-Proto": {"wss"}}, origin: "https://server.test"},
		"own of http behind WS":       {opts: engineio.Options{TrustForwarded: true}, header: http.Header{"X-Forwarded-Proto": {" WS , https"}}, origin: "http://server.test"},
		"http behind wss":             {opts: engineio.Options{TrustForwarded: true}, header: http.Header{"X-Forwarded-Proto": {"wss"}}, origin: "http://server.test", refused: true},
		"subdomain":                   {opts: engineio.Options{AllowedOrigins: []string{"https://*.a.test"}}, origin: "https://x.a.test"},
		"subdomain of a subdomain":    {opts: engineio.Options{AllowedOrigins: []string{"https://*.a.test"}}, origin: "https://y.x.a.test"},
		"subdomain, the domain":       {opts: engineio.Options{AllowedOrigins: []string{"https://*.a.test"}}, origin: "https://a.test", refused: true},
		"subdomain, a prefix":         {opts: engineio.Options{AllowedOrigins: []string{"https://*.a.test"}}, origin: "https://evila.test", refused: true},
		"subdomain, a suffix":         {opts: engineio.Options{AllowedOrigins: []string{"https://*.a.test"}}, origin: "https://x.a.test.evil.test", refused: true},
		"subdomain, another scheme":   {opts: engineio.Options{AllowedOrigins: []string{"https://*.a.test"}}, origin: "http://x.a.test", refused: true},
		"subdomain, in a path":        {opts: engineio.Options{AllowedOrigins: []string{"https://*.a.test"}}, origin: "https://evil.test/.a.test", refused: true},
		"function":                    {opts: engineio.Options{AllowOrigin: ofFriends}, origin: "https://x.friend.test"},
		"function says no":            {opts: engineio.Options{AllowOrigin: ofFriends}, origin: "https://x.foe.test", refused: true},
		"function beside a list":      {opts: engineio.Options{AllowOrigin: ofFriends, AllowedOrigins: []string{"https://a.test"}}, origin: "https://a.test"},
		"function beside one's own":   {opts: engineio.Options{AllowOrigin: ofFriends}, origin: "http://server.test"},
		"forwarded, not trusted":      {header: forwarded, origin: "https://public.test", refused: true},
		"forwarded, trusted":          {opts: engineio.Options{TrustForwarded: true}, header: forwarded, origin: "https://public.test"},
		"forwarded, another scheme":   {opts: engineio.Options{TrustForwarded: true}, header: forwarded, origin: "http://public.test", refused: true},
		"forwarded, the inner host":   {opts: engineio.Options{TrustForwarded: true}, header: forwarded, origin: "https://server.test", refused: true},
		"trusted, nothing forwarded":  {opts: engineio.Options{TrustForwarded: true}, origin: "http://server.test"},
		"forwarded by several":        {opts: engineio.Options{TrustForwarded: true}, header: http.Header{"X-Forwarded-Host": {"public.test, inner.test"}}, origin: "https://public.test"},
		"forwarded by several, inner": {opts: engineio.Options{TrustForwarded: true}, header: http.Header{"X-Forwarded-Host": {"public.test, inner.test"}}, origin: "https://inner.test", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, &tt.opts, nil)
				raw := eiotest.Raw{Transport: h.tr, URL: tt.url, Header: tt.header.Clone()}
				if raw.Header == nil {
					raw.Header = http.Header{}
				}
				if tt.origin != "" {
					raw.Header.Set("Origin", tt.origin)
				}
				check := func(resp *eiotest.Response, err error, status int) {
					t.Helper()
					var refused *eiotest.RefusedError
					if errors.As(err, &refused) {
						resp, err = refused.Response, nil
					}
					if tt.refused {
						wantRefused(t, resp, err, http.StatusForbidden, "4", "Origin ")
						assert.Contains(t, resp.Header.Get(engineio.RefusalHeader), "Options.AllowedOrigins")
						if strings.Contains(resp.Header.Get(engineio.RefusalHeader), "add it to Options.AllowedOrigins") {
							o := engineio.Options{OnConnect: func(*engineio.Conn) (engineio.Receiver, error) { return nil, nil }, AllowedOrigins: []string{tt.origin}}
							_, err := engineio.NewServer(&o)
							assert.NoError(t, err, "the advice does not work")
						}
						for k := range resp.Header {
							assert.NotContains(t, k, "Access-Control")
						}
						assert.Contains(t, h.logged(), "Options.AllowedOrigins")
						return
					}
					require.NoError(t, err)
					assert.Equal(t, status, resp.Status, resp.Body)
					origin, credentials := tt.origin, "true"
					switch {
					case tt.anonymous && !slices.Contains(tt.opts.AllowedOrigins, "*"):
						credentials = ""
					case tt.anonymous:
						origin, credentials = "*", ""
					case tt.origin == "":
						credentials = ""
					}
					assert.Equal(t, origin, resp.Header.Get("Access-Control-Allow-Origin"))
					assert.Equal(t, credentials, resp.Header.Get("Access-Control-Allow-Credentials"))
					assert.Contains(t, resp.Header.Values("Vary"), "Origin")
				}
				resp, err := raw.Get(t.Context())
				check(resp, err, http.StatusOK)
				ws, resp, err := raw.DialWS(t.Context(), nil)
				check(resp, err, http.StatusSwitchingProtocols)
				if ws != nil {
					defer ws.CloseNow()
				}
				if tt.origin != "" {
					resp, err = raw.Do(t.Context(), http.MethodOptions, raw.Address("polling"), nil, nil)
					check(resp, err, http.StatusNoContent)
				}
				want := 2
				if tt.refused {
					want = 0
				}
				assert.Len(t, h.peers, want)
			})
		})
	}
}

func TestPreflight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{AllowedOrigins: []string{"https://page.test"}}, nil)
		raw := eiotest.Raw{Transport: h.tr}
		resp, err := raw.Do(t.Context(), http.MethodOptions, raw.Address("polling"), nil, http.Header{
			"Origin": {"https://page.test"}, "Access-Control-Request-Method": {"POST"},
			"Access-Control-Request-Headers": {"content-type, x-token"},
		})
		require.NoError(t, err)
		assert.Equal(t, http.StatusNoContent, resp.Status)
		assert.Empty(t, resp.Body)
		assert.Equal(t, "https://page.test", resp.Header.Get("Access-Control-Allow-Origin"))
		assert.Equal(t, "true", resp.Header.Get("Access-Control-Allow-Credentials"))
		assert.Equal(t, "content-type, x-token", resp.Header.Get("Access-Control-Allow-Headers"))
		assert.NotEmpty(t, resp.Header.Get("Access-Control-Max-Age"))
		assert.Equal(t, "GET,HEAD,PUT,PATCH,POST,DELETE", resp.Header.Get("Access-Control-Allow-Methods"))
		assert.Subset(t, resp.Header.Values("Vary"), []string{"Origin", "Access-Control-Request-Headers"})
		assert.Zero(t, h.srv.Len())

		resp, err = raw.Do(t.Context(), http.MethodOptions, raw.Address("polling"), nil, nil)
		wantRefused(t, resp, err, http.StatusBadRequest, "2", "begins with GET")
	})
}

func TestDisableCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{AllowedOrigins: []string{"*"}, DisableCredentials: true}, nil)
		raw := eiotest.Raw{Transport: h.tr, Header: http.Header{"Origin": {"https://page.test"}}}
		for _, method := range []string{http.MethodGet, http.MethodOptions, http.MethodDelete} {
			resp, err := raw.Do(t.Context(), method, raw.Address("polling"), nil, nil)
			require.NoError(t, err)
			assert.NotEmpty(t, resp.Header.Get("Access-Control-Allow-Origin"))
			assert.Empty(t, resp.Header.Values("Access-Control-Allow-Credentials"))
		}
	})
}

// The headers are on every answer of a session, and the rule holds for each request of it.
func TestOriginOfLaterRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{AllowedOrigins: []string{"https://page.test"}}, nil)
		raw, p := h.raw()
		page := http.Header{"Origin": {"https://page.test"}}
		evil := http.Header{"Origin": {"https://evil.test"}}
		p.text("x")
		resp, err := raw.Do(t.Context(), http.MethodGet, raw.Address("polling"), nil, evil)
		wantRefused(t, resp, err, http.StatusForbidden, "4", "Origin ")
		resp, err = raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), strings.NewReader("4evil"), evil)
		wantRefused(t, resp, err, http.StatusForbidden, "4", "Origin ")
		p.wantNone()
		resp, err = raw.Do(t.Context(), http.MethodGet, raw.Address("polling"), nil, page)
		wantOK(t, resp, err, "4x")
		assert.Equal(t, "https://page.test", resp.Header.Get("Access-Control-Allow-Origin"))
		resp, err = raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), strings.NewReader("4y"), page)
		wantOK(t, resp, err, "ok")
		assert.Equal(t, "https://page.test", resp.Header.Get("Access-Control-Allow-Origin"))
		p.want("text y")
		raw.Header = evil
		_, _, err = raw.DialWS(t.Context(), nil)
		wantRefused(t, nil, err, http.StatusForbidden, "4", "Origin ")
	})
}

// A page of any origin connects without the user's cookies, and the operator hears of those that it had.
func TestAnyOriginHasNoCookies(t *testing.T) {
	for name, tt := range map[string]struct {
		opts   engineio.Options
		origin string
		want   string
	}{
		"any":                   {engineio.Options{AllowedOrigins: []string{"*"}}, "https://page.test", ""},
		"null":                  {engineio.Options{AllowedOrigins: []string{"null"}}, "null", ""},
		"any, with credentials": {engineio.Options{AllowedOrigins: []string{"*"}, CredentialsForAnyOrigin: true}, "https://page.test", "user=ann"},
		"own":                   {engineio.Options{AllowedOrigins: []string{"*"}}, "http://server.test", "user=ann"},
		"listed":                {engineio.Options{AllowedOrigins: []string{"https://page.test"}}, "https://page.test", "user=ann"},
		"no browser":            {engineio.Options{AllowedOrigins: []string{"*"}}, "", "user=ann"},
	} {
		t.Run(name, func(t *testing.T) {
			eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
				h := newHost(t, &tt.opts, nil)
				header := http.Header{"Cookie": {"user=ann"}, "Authorization": {"Bearer x"}}
				if tt.origin != "" {
					header.Set("Origin", tt.origin)
				}
				want, advice := tt.want, "Options.CredentialsForAnyOrigin"
				if mode == eiotest.OldJSONP && tt.origin == "" { // nothing says whose script it is
					want, advice = "", "JSONP"
				}
				for range 3 {
					_, p := h.connectWith(eiotest.Options{Mode: mode, Header: header})
					assert.Equal(t, want, p.Request().Header.Get("Cookie"))
					assert.Equal(t, "Bearer x", p.Request().Header.Get("Authorization"), "which a page has to know")
				}
				if want != "" {
					assert.Empty(t, h.warnings())
					return
				}
				require.Len(t, h.warnings(), 1)
				assert.Contains(t, h.warnings()[0], advice)
			})
		})
	}
}

// What another site's page requests as an image, script or link has no Origin. It begins no session.
func TestCrossSiteRequestsWithoutOrigin(t *testing.T) {
	for site, status := range map[string]int{"cross-site": 403, "Cross-Site": 403, "same-site": 200, "same-origin": 200, "none": 200, "": 200} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, &engineio.Options{AllowedOrigins: []string{"*"}}, nil)
			raw := eiotest.Raw{Transport: h.tr, Header: http.Header{"Sec-Fetch-Site": {site}, "Sec-Fetch-Mode": {"no-cors"}}}
			resp, err := raw.Get(t.Context())
			if status == 200 {
				require.NoError(t, err)
				assert.Equal(t, 200, resp.Status, site)
				return
			}
			wantRefused(t, resp, err, status, "4", "without an Origin header")
			assert.Zero(t, h.srv.Len())
			assert.EqualValues(t, 1, h.srv.Stats().Refused["origin"])
			raw.Header.Set("Origin", "https://page.test") // a fetch of that page
			resp, err = raw.Get(t.Context())
			require.NoError(t, err)
			assert.Equal(t, 200, resp.Status)
		})
	}
}

func TestCredentialsContradict(t *testing.T) {
	_, err := engineio.NewServer(&engineio.Options{
		OnConnect:               func(*engineio.Conn) (engineio.Receiver, error) { return nil, nil },
		CredentialsForAnyOrigin: true, DisableCredentials: true,
	})
	assert.ErrorContains(t, err, "Options.CredentialsForAnyOrigin and Options.DisableCredentials")
}

// net/http refuses a request whose Origin has a character that no header may have. If one gets through, as in a
// program with another parser, the origin is not the server's own, nor a listed one. (JS 007)
func TestIllegalCharactersInOrigin(t *testing.T) {
	for _, char := range []string{"\x00", "\x01", "\x7f"} { // not the end of a line, which is white space around a value
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, &engineio.Options{AllowedOrigins: []string{"https://page.test"}}, nil)
			for _, origin := range []string{"http://server.test", "https://page.test"} {
				_, answer := rawRequest(t, h.tr, "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: server.test\r\nOrigin: "+origin+char+"\r\n\r\n")
				resp, err := http.ReadResponse(answer, nil)
				require.NoError(t, err)
				assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
				r := httptest.NewRequest(http.MethodGet, "http://server.test/engine.io/?EIO=4&transport=polling", nil)
				r.Header["Origin"] = []string{origin + char}
				w := httptest.NewRecorder()
				h.srv.ServeHTTP(w, r)
				assert.Equal(t, http.StatusForbidden, w.Code)
				assert.Empty(t, w.Header()["Access-Control-Allow-Origin"])
			}
			assert.Zero(t, h.srv.Len())
		})
	}
}
