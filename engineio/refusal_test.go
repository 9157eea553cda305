package engineio_test

import (
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

// wsHeader are the headers of a WebSocket handshake.
func wsHeader(change func(http.Header)) http.Header {
	h := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	if change != nil {
		change(h)
	}
	return h
}

// Every refusal is a status at once, with the reference server's code, a message that says what to do, and the headers
// that let a page of an allowed origin read it.
func TestRefusals(t *testing.T) {
	const get, post = http.MethodGet, http.MethodPost
	for name, tt := range map[string]struct {
		opts     engineio.Options
		method   string
		query    string // $sid is that of a polling session, $ws of one over WebSocket
		header   http.Header
		body     string
		status   int
		code     string // "" for an empty body; the body, if it is longer
		message  string // in RefusalHeader
		unharmed bool   // the session goes on
	}{
		"no transport":       {method: get, query: "EIO=4", status: 400, code: "0", message: "transport unknown"},
		"unknown transport":  {method: get, query: "EIO=4&transport=webtransport", status: 400, code: "0", message: "transport unknown"},
		"constructor":        {method: get, query: "EIO=4&transport=constructor", status: 400, code: "0", message: "transport unknown"},
		"transport in caps":  {method: get, query: "EIO=4&transport=Polling", status: 400, code: "0", message: "transport unknown"},
		"POST, no transport": {method: post, query: "EIO=4&sid=$sid", body: "4x", status: 400, code: "0", message: "transport unknown", unharmed: true},
		"disabled polling": {opts: engineio.Options{Transports: []string{"websocket"}}, method: get,
			query: "EIO=4&transport=polling", status: 400, code: "0", message: "transport unknown"},
		"disabled websocket": {opts: engineio.Options{Transports: []string{"polling"}}, method: get, header: wsHeader(nil),
			query: "EIO=4&transport=websocket", status: 400, code: "0", message: "transport unknown"},

		"unknown sid":            {method: get, query: "EIO=4&transport=polling&sid=abc", status: 400, code: "1", message: "Session ID unknown"},
		"__proto__":              {method: get, query: "EIO=4&transport=polling&sid=__proto__", status: 400, code: "1", message: "Session ID unknown"},
		"unknown sid, POST":      {method: post, query: "EIO=4&transport=polling&sid=abc", body: "4x", status: 400, code: "1", message: "Session ID unknown"},
		"unknown sid, websocket": {method: get, query: "EIO=4&transport=websocket&sid=abc", header: wsHeader(nil), status: 400, code: "1", message: "Session ID unknown"},

		"handshake by POST":   {method: post, query: "EIO=4&transport=polling", body: "4x", status: 400, code: "2", message: "a session begins with GET"},
		"handshake by PUT":    {method: http.MethodPut, query: "EIO=4&transport=polling", status: 400, code: "2", message: "a session begins with GET"},
		"handshake by DELETE": {method: http.MethodDelete, query: "EIO=4&transport=polling", status: 400, code: "2", message: "a session begins with GET"},

		"no EIO":           {method: get, query: "transport=polling", status: 400, code: "5", message: "Unsupported protocol version"},
		"EIO empty":        {method: get, query: "EIO=&transport=polling", status: 400, code: "5", message: "Unsupported protocol version"},
		"EIO 3":            {method: get, query: "EIO=3&transport=polling", status: 400, code: "5", message: "Unsupported protocol version"},
		"EIO 5":            {method: get, query: "EIO=5&transport=polling", status: 400, code: "5", message: "Unsupported protocol version"},
		"EIO 4.0":          {method: get, query: "EIO=4.0&transport=polling", status: 400, code: "5", message: "Unsupported protocol version"},
		"EIO 3, websocket": {method: get, query: "EIO=3&transport=websocket", header: wsHeader(nil), status: 400, code: "5", message: "Unsupported protocol version"},

		"websocket without Upgrade": {method: get, query: "EIO=4&transport=websocket", status: 400, code: "3", message: "transport=websocket needs a WebSocket handshake"},
		"websocket without Upgrade, on a session": {method: get, query: "EIO=4&transport=websocket&sid=$sid", status: 400, code: "3",
			message: "transport=websocket needs", unharmed: true},
		"POST of websocket on a session": {method: post, query: "EIO=4&transport=websocket&sid=$sid", body: "4x", status: 400, code: "3",
			message: "transport=websocket needs", unharmed: true},
		"foreign Upgrade": {method: get, query: "EIO=4&transport=websocket", status: 400, code: "Invalid Upgrade header", message: "RFC 6455",
			header: wsHeader(func(h http.Header) { h.Set("Upgrade", "h2c") })},
		"no Connection": {method: get, query: "EIO=4&transport=websocket", status: 400, code: "3", message: "Upgrade and Connection headers",
			header: wsHeader(func(h http.Header) { h.Del("Connection") })},
		"no key": {method: get, query: "EIO=4&transport=websocket", status: 400, code: "Missing or invalid Sec-WebSocket-Key header", message: "RFC 6455",
			header: wsHeader(func(h http.Header) { h.Del("Sec-Websocket-Key") })},
		"short key": {method: get, query: "EIO=4&transport=websocket", status: 400, code: "Missing or invalid Sec-WebSocket-Key header", message: "RFC 6455",
			header: wsHeader(func(h http.Header) { h.Set("Sec-Websocket-Key", "abc") })},
		"wrong version": {method: get, query: "EIO=4&transport=websocket", status: 400, code: "Missing or invalid Sec-WebSocket-Version header", message: "RFC 6455",
			header: wsHeader(func(h http.Header) { h.Set("Sec-Websocket-Version", "8") })},
		"no key, upgrade": {method: get, query: "EIO=4&transport=websocket&sid=$sid", status: 400, code: "Missing or invalid Sec-WebSocket-Key header", message: "RFC 6455", unharmed: true,
			header: wsHeader(func(h http.Header) { h.Del("Sec-Websocket-Key") })},
		"broken subprotocols": {method: get, query: "EIO=4&transport=websocket", status: 400, code: "Invalid Sec-WebSocket-Protocol header", message: "RFC 6455",
			header: wsHeader(func(h http.Header) { h.Set("Sec-Websocket-Protocol", "a,,b") })},
		"upgrade by POST": {method: post, query: "EIO=4&transport=websocket&sid=$sid", status: 405, code: "Invalid HTTP method", message: "RFC 6455",
			header: wsHeader(nil), unharmed: true},
		"unknown transport, websocket": {method: get, query: "EIO=4&transport=x", header: wsHeader(nil), status: 400, code: "0", message: "transport unknown: \"x\""},
		"unknown sid, no Upgrade":      {method: get, query: "EIO=4&transport=websocket&sid=abc", status: 400, code: "1", message: "Session ID unknown"},
		"unknown sid, PUT":             {method: http.MethodPut, query: "EIO=4&transport=polling&sid=abc", status: 400, code: "1", message: "Session ID unknown"},
		"POST of websocket":            {method: post, query: "EIO=4&transport=websocket", status: 400, code: "2", message: "a session begins with GET"},
		"handshake by HEAD":            {method: http.MethodHead, query: "EIO=4&transport=polling", status: 400, code: "HEAD", message: "a session begins with GET"},
		"session, HEAD":                {method: http.MethodHead, query: "EIO=4&transport=polling&sid=$sid", status: 405, code: "", message: "a session takes GET and POST", unharmed: true},
		"websocket by POST":            {method: post, query: "EIO=4&transport=websocket", status: 400, code: "2", message: "a session begins with GET", header: wsHeader(nil)},
		"upgrades disabled": {opts: engineio.Options{DisableUpgrades: true}, method: get, query: "EIO=4&transport=websocket&sid=$sid",
			header: wsHeader(nil), status: 400, code: "3", message: "upgrades are turned off", unharmed: true},

		"poll of a websocket session":    {method: get, query: "EIO=4&transport=polling&sid=$ws", status: 400, code: "3", message: "this session uses another transport", unharmed: true},
		"POST to a websocket session":    {method: post, query: "EIO=4&transport=polling&sid=$ws", body: "4x", status: 400, code: "3", message: "this session uses another transport", unharmed: true},
		"other methods on a session":     {method: http.MethodPut, query: "EIO=4&transport=polling&sid=$sid", body: "4x", status: 405, code: "", message: "a session takes GET and POST", unharmed: true},
		"other methods, still other":     {method: http.MethodDelete, query: "EIO=4&transport=polling&sid=$sid", status: 405, code: "", message: "a session takes GET and POST", unharmed: true},
		"JSONP":                          {method: get, query: "EIO=4&transport=polling&j=0", status: 400, code: "3", message: "JSONP"},
		"JSONP on a session":             {method: get, query: "EIO=4&transport=polling&sid=$sid&j=0", status: 400, code: "3", message: "JSONP", unharmed: true},
		"binary content type in a POST":  {method: post, query: "EIO=4&transport=polling&sid=$sid", header: http.Header{"Content-Type": {"application/octet-stream"}}, body: "4x", status: 400, code: "", message: "the POST has binary data"},
		"packet of unknown type":         {method: post, query: "EIO=4&transport=polling&sid=$sid", body: "xyz", status: 400, code: "3", message: "unknown packet type"},
		"empty POST":                     {method: post, query: "EIO=4&transport=polling&sid=$sid", status: 400, code: "3", message: "empty packet"},
		"ping from the client":           {method: post, query: "EIO=4&transport=polling&sid=$sid", body: "2", status: 400, code: "3", message: "the client sent a PING"},
		"base64 that is none":            {method: post, query: "EIO=4&transport=polling&sid=$sid", body: "b@@@", status: 400, code: "3", message: "binary message is not base64"},
		"separator at the end":           {method: post, query: "EIO=4&transport=polling&sid=$sid", body: "4x\x1e", status: 400, code: "3", message: "empty packet"},
		"too large, with Content-Length": {opts: engineio.Options{Limits: engineio.Limits{MaxPayload: 10}}, method: post, query: "EIO=4&transport=polling&sid=$sid", body: "4" + strings.Repeat("x", 10), status: 413, code: "", message: "message larger than 10 bytes (Options.Limits.MaxPayload)"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const origin = "https://page.test"
				tt.opts.AllowedOrigins = []string{origin}
				h := newHostWith(t, tt.opts, nil)
				var c *eiotest.Client
				var p *peer
				switch query := &tt.query; {
				case strings.Contains(*query, "$sid"):
					c, p = h.connect(eiotest.Polling)
					*query = strings.ReplaceAll(*query, "$sid", p.ID())
				case strings.Contains(*query, "$ws"):
					c, p = h.connect(eiotest.Upgrade)
					*query = strings.ReplaceAll(*query, "$ws", p.ID())
				}
				synctest.Wait() // an upgrade has arrived
				raw := eiotest.Raw{Transport: h.tr, Header: http.Header{"Origin": {origin}}}
				address := "http://server.test/engine.io/?" + tt.query
				var resp *eiotest.Response
				var err error
				if tt.body == "" {
					resp, err = raw.Do(t.Context(), tt.method, address, nil, tt.header)
				} else {
					resp, err = raw.Do(t.Context(), tt.method, address, strings.NewReader(tt.body), tt.header)
				}
				wantRefused(t, resp, err, tt.status, tt.code, tt.message)
				if tt.code == "" {
					assert.Empty(t, resp.Body)
					assert.Empty(t, resp.Header.Get("Content-Type"))
				}
				assert.Equal(t, origin, resp.Header.Get("Access-Control-Allow-Origin"))
				assert.Equal(t, "true", resp.Header.Get("Access-Control-Allow-Credentials"))
				assert.Contains(t, resp.Header.Values("Vary"), "Origin")
				for _, k := range []string{"Upgrade", "Sec-Websocket-Accept", "Set-Cookie"} {
					assert.Empty(t, resp.Header.Values(k), k)
				}
				synctest.Wait()
				switch {
				case tt.unharmed:
					p.isOpen(c)
				case p != nil:
					next(t, p.ended)
				default:
					assert.Zero(t, h.srv.Len())
				}
			})
		})
	}
}

// A request that cannot become a connection does not reach the application.
func TestOnConnectIsNotCalledForRefusedRequests(t *testing.T) {
	for name, query := range map[string]string{
		"no transport": "EIO=4", "unknown sid": "EIO=4&transport=polling&sid=abc", "EIO 3": "EIO=3&transport=polling",
		"no Upgrade": "EIO=4&transport=websocket",
	} {
		t.Run(name, func(t *testing.T) { refusedBeforeOnConnect(t, query, nil) })
	}
	for name, change := range map[string]func(http.Header){
		"no Connection": func(h http.Header) { h.Del("Connection") },
		"no key":        func(h http.Header) { h.Del("Sec-Websocket-Key") },
		"short key":     func(h http.Header) { h.Set("Sec-Websocket-Key", "abc") },
		"wrong version": func(h http.Header) { h.Set("Sec-Websocket-Version", "8") },
	} {
		t.Run(name, func(t *testing.T) { refusedBeforeOnConnect(t, "EIO=4&transport=websocket", wsHeader(change)) })
	}
}

func refusedBeforeOnConnect(t *testing.T, query string, header http.Header) {
	synctest.Test(t, func(t *testing.T) {
		h := newHostWith(t, engineio.Options{}, nil)
		raw := eiotest.Raw{Transport: h.tr}
		resp, err := raw.Do(t.Context(), http.MethodGet, "http://server.test/engine.io/?"+query, nil, header)
		require.NoError(t, err)
		assert.Equal(t, http.StatusBadRequest, resp.Status)
		assert.Empty(t, h.peers, "OnConnect was called")
	})
}

func TestRefusalAllow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, _ := h.raw()
		resp, err := raw.Do(t.Context(), http.MethodPatch, raw.Address("polling"), nil, nil)
		require.NoError(t, err)
		assert.Equal(t, "GET, POST, OPTIONS", resp.Header.Get("Allow"))
	})
}

// An empty sid is none: a handshake.
func TestEmptySID(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		raw := eiotest.Raw{Transport: h.tr, Query: url.Values{"sid": {""}}}
		resp, err := raw.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, resp.Status)
		assert.Contains(t, resp.Body, h.peer().ID())
	}, eiotest.Polling)
}

// A sentence that quotes what the client sent is short, and printable.
func TestRefusalHeaderIsClean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw := eiotest.Raw{Transport: h.tr, URL: "http://server.test"}
		for _, origin := range []string{"http://" + strings.Repeat("a", 5000), "h\u00e9://\u2713", "\"; x"} {
			raw.Header = http.Header{"Origin": {origin}}
			resp, err := raw.Get(t.Context())
			wantRefused(t, resp, err, 403, "4", "Origin ")
			got := resp.Header.Get(engineio.RefusalHeader)
			assert.LessOrEqual(t, len(got), 400)
			assert.Regexp(t, "^[ -~]+$", got)
		}
	})
}

// The path that arrives is named, and what has changed it.
func TestRefusedPath(t *testing.T) {
	for name, tt := range map[string]struct {
		wrap func(http.Handler) http.Handler
		path string
		want []string
	}{
		"another path":   {nil, "/socket.io/", []string{`a request for "/socket.io/"`, `answers at "/engine.io/"`, "Options.Path"}},
		"StripPrefix":    {func(h http.Handler) http.Handler { return http.StripPrefix("/engine.io", h) }, "/engine.io/", []string{`asked for "/engine.io/"`, `"/" arrived`, "http.StripPrefix"}},
		"a prefix stays": {nil, "/app/engine.io/", []string{`"/app/engine.io/"`}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, nil, nil)
				var handler http.Handler = h.srv
				if tt.wrap != nil {
					handler = tt.wrap(handler)
				}
				tr := eiotest.Serve(t, handler, nil)
				raw := eiotest.Raw{Transport: tr}
				for range 3 {
					resp, err := raw.Do(t.Context(), http.MethodGet, "http://server.test"+tt.path+"?EIO=4&transport=polling&sid=secret", nil, nil)
					wantRefused(t, resp, err, 404, "3", "")
				}
				lines := h.warnings()
				require.Len(t, lines, 1)
				for _, want := range tt.want {
					assert.Contains(t, strings.ReplaceAll(lines[0], `\"`, `"`), want)
				}
				assert.NotContains(t, h.logged(), "secret")
			})
		})
	}
}

// A thousand refused requests are a line, and another one a minute later.
func TestRefusalsAreNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw := eiotest.Raw{Transport: h.tr, Header: http.Header{"Origin": {"https://evil.test"}}}
		for range 1000 {
			_, err := raw.Get(t.Context())
			require.NoError(t, err)
		}
		require.Len(t, h.warnings(), 1)
		assert.Contains(t, h.warnings()[0], "Options.AllowedOrigins")
		assert.EqualValues(t, 1000, h.srv.Stats().Refused["origin"])
		time.Sleep(time.Minute)
		_, err := raw.Get(t.Context())
		require.NoError(t, err)
		require.Len(t, h.warnings(), 2)
		assert.Contains(t, h.warnings()[1], "omitted=999")
	})
}

// Requests of sessions that nobody here has had are a sign of servers without sticky sessions. Those of sessions that
// have ended, and those after a start, are none.
func TestUnknownSessionsAreNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other, h := newHost(t, nil, nil), newHost(t, nil, nil)
		stray := func() {
			raw, _ := other.raw()
			raw.Transport = h.tr
			resp, err := raw.Get(t.Context())
			wantRefused(t, resp, err, 400, "1", "sticky sessions")
			assert.NotContains(t, h.logged()+resp.Header.Get(engineio.RefusalHeader), raw.SID, "a session id in the log")
		}
		for range 10 {
			stray()
		}
		assert.Empty(t, h.warnings(), "right after the start")
		time.Sleep(2 * time.Minute)
		for range 10 {
			raw, p := h.raw()
			p.Close(engineio.ReasonServerDisconnect, nil)
			_, _ = raw.Get(t.Context())
			synctest.Wait()
			resp, err := raw.Get(t.Context())
			wantRefused(t, resp, err, 400, "1", "")
			resp, err = (&eiotest.Raw{Transport: h.tr, SID: "what a scanner sends"}).Get(t.Context())
			wantRefused(t, resp, err, 400, "1", "")
		}
		stray()
		stray()
		time.Sleep(2 * time.Minute)
		stray()
		stray()
		assert.Empty(t, h.warnings())
		stray()
		require.Len(t, h.warnings(), 1)
		assert.Contains(t, h.warnings()[0], "Options.PeerURL")
	})
}
