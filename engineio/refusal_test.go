package engineio_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

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
		code     string
		message  string
		unharmed bool // the session goes on
	}{
		"no transport":       {method: get, query: "EIO=4", status: 400, code: "0", message: "Transport unknown"},
		"unknown transport":  {method: get, query: "EIO=4&transport=webtransport", status: 400, code: "0", message: "Transport unknown"},
		"constructor":        {method: get, query: "EIO=4&transport=constructor", status: 400, code: "0", message: "Transport unknown"},
		"transport in caps":  {method: get, query: "EIO=4&transport=Polling", status: 400, code: "0", message: "Transport unknown"},
		"POST, no transport": {method: post, query: "EIO=4&sid=$sid", body: "4x", status: 400, code: "0", message: "Transport unknown", unharmed: true},
		"disabled polling": {opts: engineio.Options{Transports: []string{"websocket"}}, method: get,
			query: "EIO=4&transport=polling", status: 400, code: "0", message: "Transport unknown"},
		"disabled websocket": {opts: engineio.Options{Transports: []string{"polling"}}, method: get, header: wsHeader(nil),
			query: "EIO=4&transport=websocket", status: 400, code: "0", message: "Transport unknown"},

		"unknown sid":            {method: get, query: "EIO=4&transport=polling&sid=abc", status: 400, code: "1", message: "Session ID unknown"},
		"__proto__":              {method: get, query: "EIO=4&transport=polling&sid=__proto__", status: 400, code: "1", message: "Session ID unknown"},
		"unknown sid, POST":      {method: post, query: "EIO=4&transport=polling&sid=abc", body: "4x", status: 400, code: "1", message: "Session ID unknown"},
		"unknown sid, websocket": {method: get, query: "EIO=4&transport=websocket&sid=abc", header: wsHeader(nil), status: 400, code: "1", message: "Session ID unknown"},

		"handshake by POST":   {method: post, query: "EIO=4&transport=polling", body: "4x", status: 400, code: "2", message: "Bad handshake method"},
		"handshake by PUT":    {method: http.MethodPut, query: "EIO=4&transport=polling", status: 400, code: "2", message: "Bad handshake method"},
		"handshake by DELETE": {method: http.MethodDelete, query: "EIO=4&transport=polling", status: 400, code: "2", message: "Bad handshake method"},

		"no EIO":            {method: get, query: "transport=polling", status: 400, code: "5", message: "Unsupported protocol version"},
		"EIO empty":         {method: get, query: "EIO=&transport=polling", status: 400, code: "5", message: "Unsupported protocol version"},
		"EIO 3":             {method: get, query: "EIO=3&transport=polling", status: 400, code: "5", message: "Unsupported protocol version"},
		"EIO 5":             {method: get, query: "EIO=5&transport=polling", status: 400, code: "5", message: "Unsupported protocol version"},
		"EIO 4.0":           {method: get, query: "EIO=4.0&transport=polling", status: 400, code: "5", message: "Unsupported protocol version"},
		"EIO 3, websocket":  {method: get, query: "EIO=3&transport=websocket", header: wsHeader(nil), status: 400, code: "5", message: "Unsupported protocol version"},
		"EIO changes":       {method: get, query: "EIO=3&transport=polling&sid=$sid", status: 400, code: "3", message: "Bad request", unharmed: true},
		"EIO changes, POST": {method: post, query: "transport=polling&sid=$sid", body: "4x", status: 400, code: "3", message: "Bad request", unharmed: true},
		"EIO changes, websocket": {method: get, query: "EIO=3&transport=websocket&sid=$sid", header: wsHeader(nil),
			status: 400, code: "3", message: "Bad request", unharmed: true},

		"websocket without Upgrade": {method: get, query: "EIO=4&transport=websocket", status: 400, code: "3", message: "Bad request: transport=websocket"},
		"websocket without Upgrade, on a session": {method: get, query: "EIO=4&transport=websocket&sid=$sid", status: 400, code: "3",
			message: "Bad request: transport=websocket", unharmed: true},
		"POST of websocket on a session": {method: post, query: "EIO=4&transport=websocket&sid=$sid", body: "4x", status: 400, code: "3",
			message: "Bad request: transport=websocket", unharmed: true},
		"foreign Upgrade": {method: get, query: "EIO=4&transport=websocket", status: 400, code: "3", message: "Bad request",
			header: wsHeader(func(h http.Header) { h.Set("Upgrade", "h2c") })},
		"no Connection": {method: get, query: "EIO=4&transport=websocket", status: 400, code: "3", message: "Bad request",
			header: wsHeader(func(h http.Header) { h.Del("Connection") })},
		"no key": {method: get, query: "EIO=4&transport=websocket", status: 400, code: "3", message: "Bad request",
			header: wsHeader(func(h http.Header) { h.Del("Sec-Websocket-Key") })},
		"short key": {method: get, query: "EIO=4&transport=websocket", status: 400, code: "3", message: "Bad request",
			header: wsHeader(func(h http.Header) { h.Set("Sec-Websocket-Key", "abc") })},
		"wrong version": {method: get, query: "EIO=4&transport=websocket", status: 400, code: "3", message: "Bad request",
			header: wsHeader(func(h http.Header) { h.Set("Sec-Websocket-Version", "8") })},
		"no key, upgrade": {method: get, query: "EIO=4&transport=websocket&sid=$sid", status: 400, code: "3", message: "Bad request", unharmed: true,
			header: wsHeader(func(h http.Header) { h.Del("Sec-Websocket-Key") })},
		"websocket by POST": {method: post, query: "EIO=4&transport=websocket", status: 400, code: "2", message: "Bad handshake method", header: wsHeader(nil)},
		"upgrades disabled": {opts: engineio.Options{DisableUpgrades: true}, method: get, query: "EIO=4&transport=websocket&sid=$sid",
			header: wsHeader(nil), status: 400, code: "3", message: "Bad request: upgrades are turned off", unharmed: true},

		"poll of a websocket session":    {method: get, query: "EIO=4&transport=polling&sid=$ws", status: 400, code: "3", message: "Bad request: this session uses another transport", unharmed: true},
		"POST to a websocket session":    {method: post, query: "EIO=4&transport=polling&sid=$ws", body: "4x", status: 400, code: "3", message: "Bad request: this session uses another transport", unharmed: true},
		"other methods on a session":     {method: http.MethodPut, query: "EIO=4&transport=polling&sid=$sid", body: "4x", status: 405, code: "3", message: "Bad request: a session takes GET and POST", unharmed: true},
		"other methods, still other":     {method: http.MethodDelete, query: "EIO=4&transport=polling&sid=$sid", status: 405, code: "3", message: "Bad request: a session takes GET and POST", unharmed: true},
		"query that cannot be parsed":    {method: get, query: "EIO=4&transport=polling&x=%zz", status: 400, code: "3", message: "Bad request"},
		"JSONP":                          {method: get, query: "EIO=4&transport=polling&j=0", status: 400, code: "3", message: "Bad request: JSONP"},
		"JSONP on a session":             {method: get, query: "EIO=4&transport=polling&sid=$sid&j=0", status: 400, code: "3", message: "Bad request: JSONP", unharmed: true},
		"binary content type in a POST":  {method: post, query: "EIO=4&transport=polling&sid=$sid", header: http.Header{"Content-Type": {"application/octet-stream"}}, body: "4x", status: 400, code: "3", message: "Bad request: "},
		"packet of unknown type":         {method: post, query: "EIO=4&transport=polling&sid=$sid", body: "xyz", status: 400, code: "3", message: "Bad request: unknown packet type"},
		"empty POST":                     {method: post, query: "EIO=4&transport=polling&sid=$sid", status: 400, code: "3", message: "Bad request: empty packet"},
		"ping from the client":           {method: post, query: "EIO=4&transport=polling&sid=$sid", body: "2", status: 400, code: "3", message: "Bad request: the client sent a PING"},
		"base64 that is none":            {method: post, query: "EIO=4&transport=polling&sid=$sid", body: "b@@@", status: 400, code: "3", message: "Bad request: binary message is not base64"},
		"separator at the end":           {method: post, query: "EIO=4&transport=polling&sid=$sid", body: "4x\x1e", status: 400, code: "3", message: "Bad request: empty packet"},
		"too large, with Content-Length": {opts: engineio.Options{MaxPayload: 10}, method: post, query: "EIO=4&transport=polling&sid=$sid", body: "4" + strings.Repeat("x", 10), status: 413, code: "3", message: "Payload too large"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const origin = "https://page.test"
				tt.opts.AllowedOrigins = []string{origin}
				h := newHost(t, &tt.opts, nil)
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
		h := newHost(t, nil, nil)
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
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		raw := eiotest.Raw{Transport: h.tr, Query: url.Values{"sid": {""}}}
		resp, err := raw.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, resp.Status)
		assert.Contains(t, resp.Body, h.peer().ID())
	}, eiotest.Polling)
}

// A ResponseWriter that cannot be hijacked, such as that of HTTP/2 or of middleware, is no reason to panic or hang.
func TestWebSocketWithoutHijacker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		tr := eiotest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.srv.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
		}), nil)
		_, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: eiotest.WebSocket, Transport: tr})
		wantRefused(t, nil, err, http.StatusNotImplemented, "3", "Bad request: this connection cannot become a WebSocket")
		assert.Empty(t, h.peers, "the application does not hear of it")
		assert.Zero(t, h.srv.Stats().Opened)

		c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Transport: tr})
		require.NoError(t, err)
		defer c.Abort()
		p := h.peer()
		var refused *eiotest.RefusedError
		assert.ErrorAs(t, c.Upgrade(t.Context()), &refused)
		p.isOpen(c)
	})
}
