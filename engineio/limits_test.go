package engineio_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// Bytes alone bound the messages in a POST: the official client packs by maxPayload, however many that are. (For other packets
// see TestTooManyControlPacketsInAPost.)
func TestPostOfManyPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		const n = 20_000
		resp, err := raw.Post(t.Context(), strings.Repeat(`42["e"]`+"\x1e", n-1)+`42["last"]`)
		wantOK(t, resp, err, "ok")
		for range n - 1 {
			p.want(`text 2["e"]`)
		}
		p.want(`text 2["last"]`)
		assert.EqualValues(t, n, h.srv.Stats().PacketsIn)
	})
}

// What is not UTF-8 reaches no other client: none of the packets is handled.
func TestPostThatIsNotUTF8(t *testing.T) {
	for name, body := range map[string]string{
		"a lone byte": "4a\x1e4\xff", "cut short": "4\xe2\x82", "surrogate": "4\xed\xa0\x80", "too long a form": "4\xc0\xaf", "in base64": "bAQ\xff=",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, nil, nil)
				raw, p := h.raw()
				resp, err := raw.Post(t.Context(), body)
				wantRefused(t, resp, err, http.StatusBadRequest, "3", "the POST is not UTF-8")
				assert.ErrorContains(t, p.wantClosed(engineio.ReasonParseError), "UTF-8")
				p.wantNone()
			})
		})
	}
}

// A compressed body is refused for what it is, small though it may be: nothing is ever unpacked.
func TestPostWithContentEncoding(t *testing.T) {
	for _, encoding := range []string{"gzip", "deflate", "br", "x"} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, nil, nil)
			raw, p := h.raw()
			post := func(encoding string) (*eiotest.Response, error) {
				return raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), strings.NewReader("4x"),
					http.Header{"Content-Encoding": {encoding}})
			}
			resp, err := post("identity")
			wantOK(t, resp, err, "ok")
			p.want("text x")
			resp, err = post(encoding)
			wantRefused(t, resp, err, http.StatusBadRequest, "3", "the POST has a Content-Encoding")
			p.wantClosed(engineio.ReasonParseError)
			p.wantNone()
		})
	}
}

// The connections beyond the limit are refused, over each transport; one that ends makes room.
func TestMaxConnections(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, &engineio.Options{Limits: engineio.Limits{MaxConnections: 2}}, nil)
		first, _ := h.connect(mode)
		second, p := h.connect(mode)
		for range 3 {
			_, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: mode, Transport: h.tr})
			wantRefused(t, nil, err, http.StatusServiceUnavailable, "4", "Too many connections: the server is full (Options.Limits.MaxConnections)")
		}
		st := h.srv.Stats()
		assert.EqualValues(t, 3, st.LimitHits["MaxConnections"])
		assert.EqualValues(t, 3, st.Refused["connections"])
		assert.EqualValues(t, 2, st.Opened)
		p.isOpen(second)

		first.Close()
		synctest.Wait()
		time.Sleep(6 * time.Second) // a polling connection that is left may linger
		third, p := h.connect(mode)
		p.isOpen(third)
	})
}

// A handshake that OnConnect refuses, or in which it panics or exits, takes no place.
func TestMaxConnectionsAfterRefusals(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, &engineio.Options{Limits: engineio.Limits{MaxConnections: 1, MaxConnectionsPerIP: 1}}, nil)
		var end func() error
		h.onNew = func(p *peer) (engineio.Receiver, error) {
			if end != nil {
				return nil, end()
			}
			return p, nil
		}
		for _, f := range []func() error{
			func() error { return &engineio.Refusal{Message: "no"} },
			func() error { panic("ouch") },
			func() error { runtime.Goexit(); return nil },
		} {
			end = f
			_, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: mode, Transport: h.tr})
			assert.Error(t, err)
			synctest.Wait()
			assert.Zero(t, h.srv.Len())
		}
		st := h.srv.Stats()
		assert.EqualValues(t, 1, st.Panics)
		assert.Zero(t, st.Opened)
		assert.EqualValues(t, 2, st.Refused["application"])
		end = nil
		c, p := h.connect(mode)
		p.isOpen(c)
	})
}

// Connections are counted by address, and what each one counts as is given back.
func TestMaxConnectionsPerIP(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, &engineio.Options{Limits: engineio.Limits{MaxConnectionsPerIP: 2}}, nil)
		c, _ := h.connect(mode)
		h.connect(mode)
		_, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: mode, Transport: h.tr})
		wantRefused(t, nil, err, http.StatusTooManyRequests, "4", "Too many connections from this address (Options.Limits.MaxConnectionsPerIP)")
		assert.EqualValues(t, 1, h.srv.Stats().LimitHits["MaxConnectionsPerIP"])
		assert.EqualValues(t, 1, h.srv.Stats().Refused["connections per IP"])

		elsewhere := eiotest.Serve(t, h.srv, &eiotest.TransportOptions{RemoteIP: "192.0.2.2"})
		other := eiotest.Connect(t, nil, &eiotest.Options{Mode: mode, Transport: elsewhere})
		h.peer().isOpen(other)

		for range 3 {
			c.Close()
			time.Sleep(6 * time.Second)
			var p *peer
			c, p = h.connect(mode)
			p.isOpen(c)
		}
	})
}

// Which requests count as one client, and which as two.
func TestClientAddress(t *testing.T) {
	forwarded := func(values ...string) http.Header { return http.Header{"X-Forwarded-For": values} }
	for _, tt := range []struct {
		name          string
		opts          engineio.Options
		ip            string // of the network connection
		first, second http.Header
		same          bool
	}{
		{"one address", engineio.Options{}, "192.0.2.1", nil, nil, true},
		{"X-Forwarded-For is not believed by default", engineio.Options{}, "192.0.2.1", forwarded("203.0.113.1"), forwarded("203.0.113.2"), true},
		{"behind a proxy", engineio.Options{TrustForwarded: true}, "192.0.2.1", forwarded("203.0.113.1"), forwarded("203.0.113.2"), false},
		{"the last entry is the proxy's", engineio.Options{TrustForwarded: true}, "192.0.2.1",
			forwarded("198.51.100.1, 203.0.113.1"), forwarded("198.51.100.2, 203.0.113.1"), true},
		{"of three, too", engineio.Options{TrustForwarded: true}, "192.0.2.1",
			forwarded("198.51.100.1, 198.51.100.2, 203.0.113.1"), forwarded("198.51.100.1, 198.51.100.2, 203.0.113.2"), false},
		{"of the last header", engineio.Options{TrustForwarded: true}, "192.0.2.1",
			forwarded("198.51.100.1", "203.0.113.1"), forwarded("198.51.100.2, 198.51.100.3", "203.0.113.1"), true},
		{"with a port", engineio.Options{TrustForwarded: true}, "192.0.2.1", forwarded("203.0.113.1:80"), forwarded("203.0.113.1:81"), true},
		{"IPv4 in IPv6", engineio.Options{TrustForwarded: true}, "192.0.2.1", forwarded("::ffff:203.0.113.1"), forwarded("203.0.113.1"), true},
		{"no address is the connection's", engineio.Options{TrustForwarded: true}, "192.0.2.1", forwarded("unknown"), forwarded("203.0.113.1, "), true},
		{"one network of IPv6", engineio.Options{TrustForwarded: true}, "192.0.2.1", forwarded("2001:db8::1"), forwarded("[2001:db8::f:2]:443"), true},
		{"two networks of IPv6", engineio.Options{TrustForwarded: true}, "192.0.2.1", forwarded("2001:db8:0:1::1"), forwarded("2001:db8:0:2::1"), false},
		{"ClientIP", engineio.Options{ClientIP: func(r *http.Request) string { return r.Header.Get("X-Real-IP") }}, "192.0.2.1",
			http.Header{"X-Real-Ip": {"203.0.113.1"}}, http.Header{"X-Real-Ip": {"203.0.113.2"}}, false},
		{"ClientIP of anything", engineio.Options{ClientIP: func(*http.Request) string { return "someone" }}, "192.0.2.1", nil, nil, true},
		{"ClientIP normalised", engineio.Options{ClientIP: func(r *http.Request) string { return r.Header.Get("X-Real-IP") }}, "192.0.2.1",
			http.Header{"X-Real-Ip": {"2001:db8::1"}}, http.Header{"X-Real-Ip": {"2001:db8::2"}}, true},
		{"ClientIP of nothing", engineio.Options{ClientIP: func(*http.Request) string { return "" }}, "192.0.2.1", nil, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.opts.Limits.MaxConnectionsPerIP = 1
				h := newHost(t, &tt.opts, &eiotest.TransportOptions{RemoteIP: tt.ip})
				_, _, err := (&eiotest.Raw{Transport: h.tr, Header: tt.first}).Handshake(t.Context())
				require.NoError(t, err)
				_, _, err = (&eiotest.Raw{Transport: h.tr, Header: tt.second}).Handshake(t.Context())
				if tt.same {
					wantRefused(t, nil, err, http.StatusTooManyRequests, "4", "Too many connections from this address")
				} else {
					assert.NoError(t, err)
				}
			})
		})
	}
}

// A connection without an address, such as one of a Unix socket, is not counted.
func TestClientWithoutAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{Limits: engineio.Limits{MaxConnectionsPerIP: 1}}, nil)
		local := eiotest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.RemoteAddr = "@"
			h.srv.ServeHTTP(w, r)
		}), nil)
		for range 3 {
			_, _, err := (&eiotest.Raw{Transport: local}).Handshake(t.Context())
			require.NoError(t, err)
		}
	})
}

// Functions of the application that panic cost the request they are called for.
func TestOptionsThatPanic(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		for name, opts := range map[string]engineio.Options{
			"AllowOrigin": {AllowOrigin: func(*http.Request, string) bool { panic("ouch") }},
			"ClientIP":    {Limits: engineio.Limits{MaxConnectionsPerIP: 10}, AllowedOrigins: []string{"*"}, ClientIP: func(*http.Request) string { panic("ouch") }},
		} {
			h := newHost(t, &opts, nil)
			_, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: mode, Transport: h.tr,
				Header: http.Header{"Origin": {"https://elsewhere.test"}}})
			var refused *eiotest.RefusedError
			require.ErrorAs(t, err, &refused)
			assert.Contains(t, refused.Response.Body, "Forbidden")
			assert.EqualValues(t, 1, h.srv.Stats().Panics)
			assert.Contains(t, h.logged(), "panic in Options."+name)
			assert.Contains(t, h.logged(), "limits_test.go", "the stack")
			assert.Zero(t, h.srv.Len())
		}
	})
}

// A message that never ends and has no bytes to be limited ends with the ping timeout: no answer to a ping can come inside it.
func TestEndlessMessage(t *testing.T) {
	const start = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: server.test\r\nConnection: Upgrade\r\n" +
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n\r\n"
	for name, frames := range map[string][2]string{
		"empty frames":             {"\x01\x80\x00\x00\x00\x00", "\x00\x80\x00\x00\x00\x00"},
		"blocks that hold nothing": {"\x41\x80\x00\x00\x00\x00", "\x00\x85\x00\x00\x00\x00\x00\x00\x00\xff\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, &engineio.Options{PerMessageDeflate: true, PingInterval: 10 * time.Second, PingTimeout: 5 * time.Second}, nil)
				conn, err := h.tr.DialConn(t.Context())
				require.NoError(t, err)
				defer conn.Close()
				go func() {
					buf := make([]byte, 1000)
					for err := error(nil); err == nil; {
						_, err = conn.Read(buf)
					}
				}()
				_, err = fmt.Fprint(conn, start, frames[0])
				require.NoError(t, err)
				p := h.peer()
				more := strings.Repeat(frames[1], 1000)
				begin := time.Now()
				for err == nil {
					time.Sleep(100 * time.Millisecond)
					_, err = fmt.Fprint(conn, more)
				}
				assert.LessOrEqual(t, time.Since(begin), 21*time.Second)
				p.wantClosed(engineio.ReasonPingTimeout)
				p.wantNone()
				assert.Zero(t, h.srv.Stats().QueuedBytes)
			})
		})
	}
}

// With compression, too, a message of exactly the limit passes, and one more byte is refused, however small the frame.
func TestMaxPayloadCompressed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 100_000
		h := newHost(t, &engineio.Options{PerMessageDeflate: true, Limits: engineio.Limits{MaxPayload: limit}}, nil)
		c, p := h.connectWith(eiotest.Options{Mode: eiotest.WebSocket, WebSocket: &websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover}})
		exact := strings.Repeat("x", limit-1) // and the type
		require.NoError(t, c.Send(exact))
		p.want("text " + exact)
		assert.EqualValues(t, limit, h.srv.Stats().BytesIn)
		require.NoError(t, c.Send(exact+"x"))
		assert.Equal(t, websocket.StatusMessageTooBig, wantEnd(t, c, eiotest.CloseWebSocket).Code)
		assert.ErrorContains(t, p.wantClosed(engineio.ReasonTransportClose), "Options.Limits.MaxPayload")
		p.wantNone()
		assert.EqualValues(t, 1, h.srv.Stats().LimitHits["MaxPayload"])
	})
}
