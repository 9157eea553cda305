package engineio_test

import (
	"errors"
	"net/http"
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
		"any":                         {opts: engineio.Options{AllowedOrigins: []string{"*"}}, origin: "https://evil.test"},
		"any, null":                   {opts: engineio.Options{AllowedOrigins: []string{"*"}}, origin: "null"},
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
						assert.Contains(t, resp.Body, "Options.AllowedOrigins")
						for k := range resp.Header {
							assert.NotContains(t, k, "Access-Control")
						}
						assert.Contains(t, h.logged(), "Options.AllowedOrigins")
						return
					}
					require.NoError(t, err)
					assert.Equal(t, status, resp.Status, resp.Body)
					assert.Equal(t, tt.origin, resp.Header.Get("Access-Control-Allow-Origin"))
					credentials := "true"
					if tt.origin == "" {
						credentials = ""
					}
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
		methods := resp.Header.Get("Access-Control-Allow-Methods")
		assert.Contains(t, methods, "GET")
		assert.Contains(t, methods, "POST")
		assert.Subset(t, resp.Header.Values("Vary"), []string{"Origin", "Access-Control-Request-Headers"})
		assert.Zero(t, h.srv.Len())

		resp, err = raw.Do(t.Context(), http.MethodOptions, raw.Address("polling"), nil, nil)
		wantRefused(t, resp, err, http.StatusBadRequest, "2", "Bad handshake method")
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
