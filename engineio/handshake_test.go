package engineio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
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

func TestHandshakeDefaults(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		c, p := h.connect(mode)
		want := eiotest.Handshake{SID: p.ID(), Upgrades: []string{"websocket"}, PingInterval: 25000, PingTimeout: 20000, MaxPayload: 1_000_000}
		if mode.Current() == eiotest.WebSocket {
			want.Upgrades = []string{}
		}
		assert.Equal(t, want, c.Handshake())
		assert.Regexp(t, `^[A-Za-z0-9_-]{22}$`, p.ID())
		assert.Equal(t, 1, h.srv.Len())
		p.isOpen(c)
		assert.Equal(t, c.Transport(), p.Transport())
		p2 := mustConnect(h, mode)
		assert.NotEqual(t, p.ID(), p2.ID())
		assert.Equal(t, 2, h.srv.Len())
	})
}

func mustConnect(h *host, mode eiotest.Mode) *peer {
	_, p := h.connect(mode)
	return p
}

// What is announced is what the configuration allows.
func TestHandshakeUpgrades(t *testing.T) {
	for name, tt := range map[string]struct {
		opts engineio.Options
		mode eiotest.Mode
		want []string
	}{
		"polling only":                   {engineio.Options{Transports: []string{"polling"}}, eiotest.Polling, []string{}},
		"upgrades disabled":              {engineio.Options{DisableUpgrades: true}, eiotest.Polling, []string{}},
		"upgrades disabled, websocket":   {engineio.Options{DisableUpgrades: true}, eiotest.WebSocket, []string{}},
		"websocket only":                 {engineio.Options{Transports: []string{"websocket"}}, eiotest.WebSocket, []string{}},
		"both, the other way around":     {engineio.Options{Transports: []string{"websocket", "polling"}}, eiotest.Polling, []string{"websocket"}},
		"both, websocket from the start": {engineio.Options{}, eiotest.WebSocket, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := newHost(t, &tt.opts, nil).connect(tt.mode)
				assert.Equal(t, tt.want, c.Handshake().Upgrades)
				p.isOpen(c)
			})
		})
	}
}

func TestHandshakeValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{PingInterval: 1234 * time.Millisecond, PingTimeout: 567 * time.Millisecond, Limits: engineio.Limits{MaxPayload: 89}}, nil)
		c, _ := h.connect(eiotest.Polling)
		assert.Equal(t, 1234, c.Handshake().PingInterval)
		assert.Equal(t, 567, c.Handshake().PingTimeout)
		assert.Equal(t, 89, c.Handshake().MaxPayload)
	})
}

func TestHandshakeAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		h.onNew = func(p *peer) (engineio.Receiver, error) {
			p.text("first")
			return p, p.Send(engineio.BinaryFrames([]byte{1, 2, 3, 4}))
		}
		raw := eiotest.Raw{Transport: h.tr}
		resp, err := raw.Get(t.Context())
		require.NoError(t, err)
		p := h.peer()
		assert.Equal(t, http.StatusOK, resp.Status)
		assert.Equal(t, "text/plain; charset=UTF-8", resp.Header.Get("Content-Type"))
		assert.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
		assert.Empty(t, resp.Header.Values("Set-Cookie"))
		assert.Empty(t, resp.Header.Values("Access-Control-Allow-Origin"))
		open, rest, _ := strings.Cut(resp.Body, eiotest.Separator)
		assert.Equal(t, "4first\x1ebAQIDBA==", rest, "what OnConnect sent comes with the open packet")
		var keys map[string]any
		require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(open, "0")), &keys))
		assert.Equal(t, map[string]any{"sid": p.ID(), "upgrades": []any{"websocket"}, "pingInterval": 25000.0,
			"pingTimeout": 20000.0, "maxPayload": 1e6}, keys)
	})
}

func TestHandshakeWebSocketOrder(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		h.onNew = func(p *peer) (engineio.Receiver, error) {
			p.text("first")
			p.text("second")
			return p, nil
		}
		c, p := h.connect(mode)
		p.text("third")
		wantMessages(t, c, "text first", "text second", "text third")
	})
}

func TestPath(t *testing.T) {
	for option, path := range map[string]string{"": "/engine.io/", "/socket.io/": "/socket.io/", "a/b": "/a/b/", "/": "/"} {
		t.Run("path "+option, func(t *testing.T) {
			eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
				h := newHost(t, &engineio.Options{Path: option}, nil)
				c, p := h.connectWith(eiotest.Options{Mode: mode, Path: path})
				p.isOpen(c)
				if path != "/" {
					c, p = h.connectWith(eiotest.Options{Mode: mode, Path: strings.TrimSuffix(path, "/")})
					p.isOpen(c)
				}
				raw := eiotest.Raw{Transport: h.tr, Path: "/other/"}
				resp, err := raw.Get(t.Context())
				wantRefused(t, resp, err, http.StatusNotFound, "3", "this server answers at")
			})
		})
	}
}

type contextKey struct{}

// The session has the handshake request, upgraded or not: its query and header, and the values of its context without
// its end.
func TestRequestAndContext(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.srv.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, r.URL.Query().Get("transport"))))
		})
		h.tr = eiotest.Serve(t, outer, nil)
		c, p := h.connectWith(eiotest.Options{Mode: mode, Query: url.Values{"token": {"a b"}}, Header: http.Header{"X-Header": {"yes"}}})
		p.isOpen(c)

		transport := "polling"
		if mode.Current() == eiotest.WebSocket {
			transport = "websocket"
		}
		r := p.Request()
		assert.Equal(t, "a b", r.URL.Query().Get("token"))
		assert.Equal(t, transport, r.URL.Query().Get("transport"))
		assert.Equal(t, "yes", r.Header.Get("X-Header"))
		assert.Contains(t, r.RemoteAddr, "192.0.2.1:")
		assert.Equal(t, p.Context(), r.Context())
		assert.Equal(t, transport, p.Context().Value(contextKey{}))
		assert.NoError(t, p.Context().Err(), "the context ends with the connection, not with the request")
		p.Close(engineio.ReasonServerDisconnect, nil)
		p.wantClosed(engineio.ReasonServerDisconnect)
	})
}

func TestOnConnectRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		err     error
		status  int
		code    string
		message string
	}{
		"refusal":         {&engineio.Refusal{Message: "wrong <token>"}, 403, "4", "wrong <token>"},
		"wrapped refusal": {fmt.Errorf("more: %w", &engineio.Refusal{Message: "wrong <token>"}), 403, "4", "wrong <token>"},
		"own status":      {&engineio.Refusal{Status: 429, Code: 3, Message: "later"}, 429, "3", "later"},
		"other error":     {errors.New("the database's password is x"), 403, "4", "Forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
				h := newHost(t, nil, nil)
				var conn *engineio.Conn
				h.onNew = func(p *peer) (engineio.Receiver, error) {
					conn = p.Conn
					p.text("never seen")
					return nil, tt.err
				}
				_, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: mode, Transport: h.tr})
				wantRefusedByApp(t, err, tt.status, tt.code, tt.message)
				assert.ErrorIs(t, context.Cause(conn.Context()), engineio.ErrClosed)
				assert.ErrorIs(t, conn.Send(engineio.TextFrames("x")), engineio.ErrClosed)
				synctest.Wait()
				assert.Zero(t, h.srv.Len())
				raw := eiotest.Raw{Transport: h.tr, SID: conn.ID()}
				resp, err := raw.Get(t.Context())
				wantRefused(t, resp, err, 400, "1", "Session ID unknown")
			}, eiotest.Polling, eiotest.WebSocket)
		})
	}
}

func TestOnConnectPanics(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		h.onNew = func(*peer) (engineio.Receiver, error) { panic("ouch") }
		_, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: mode, Transport: h.tr})
		wantRefusedByApp(t, err, 403, "4", "Forbidden")
		assert.Contains(t, h.logged(), "ouch")
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
	}, eiotest.Polling, eiotest.WebSocket)
}

func TestOnConnectWithoutReceiver(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		h.onNew = func(*peer) (engineio.Receiver, error) { return nil, nil }
		_, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: mode, Transport: h.tr})
		wantRefusedByApp(t, err, 403, "4", "Forbidden")
	}, eiotest.Polling, eiotest.WebSocket)
}

// A connection that OnConnect accepts and closes gets what was sent and its end.
func TestOnConnectCloses(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		h.onNew = func(p *peer) (engineio.Receiver, error) {
			p.text("bye")
			p.Close(engineio.ReasonServerDisconnect, nil)
			return p, nil
		}
		begin := time.Now()
		if mode.Current() == eiotest.Polling {
			raw := eiotest.Raw{Transport: h.tr}
			_, rest, err := raw.Handshake(t.Context())
			require.NoError(t, err)
			assert.Equal(t, "4bye", rest)
			resp, err := raw.Get(t.Context())
			wantOK(t, resp, err, "1")
			h.peer().wantClosed(engineio.ReasonServerDisconnect)
		} else {
			c, p := h.connect(mode)
			wantMessages(t, c, "text bye")
			assert.Equal(t, websocket.StatusNoStatusRcvd, wantEnd(t, c, eiotest.CloseWebSocket).Code)
			p.wantClosed(engineio.ReasonServerDisconnect)
		}
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
		assert.Zero(t, time.Since(begin))
	}, eiotest.Polling, eiotest.WebSocket)
}

// OnConnect runs before anybody hears of the connection, and does not hold up others.
func TestOnConnectIsSlow(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		h.onNew = func(p *peer) (engineio.Receiver, error) {
			if p.Request().URL.Query().Has("slow") {
				p.text("from OnConnect")
				time.Sleep(30 * time.Second) // longer than a ping interval
			}
			return p, nil
		}
		begin := time.Now()
		slow := make(chan *eiotest.Client)
		go func() {
			slow <- eiotest.Connect(t, nil, &eiotest.Options{Mode: mode, Transport: h.tr, Query: url.Values{"slow": {"1"}}})
		}()
		time.Sleep(time.Second)
		c, p := h.connect(mode)
		p.isOpen(c)
		assert.Less(t, time.Since(begin), 2*time.Second)
		c2 := next(t, slow)
		assert.InDelta(t, 30*time.Second, time.Since(begin), float64(100*time.Millisecond)) // an upgrade may wait for a NOOP
		wantMessages(t, c2, "text from OnConnect")
		h.peer().isOpen(c2)
	})
}

func TestCookie(t *testing.T) {
	for name, tt := range map[string]struct {
		cookie http.Cookie
		want   string // with %s for the sid
	}{
		"defaults": {http.Cookie{}, "io=%s; Path=/; HttpOnly; SameSite=Lax"},
		"all set": {http.Cookie{Name: "server", Path: "/chat/", Domain: "example.com", MaxAge: 60, Secure: true,
			HttpOnly: true, SameSite: http.SameSiteNoneMode, Value: "ignored"},
			"server=%s; Path=/chat/; Domain=example.com; Max-Age=60; HttpOnly; Secure; SameSite=None"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, &engineio.Options{Cookie: &tt.cookie}, nil)
				raw := eiotest.Raw{Transport: h.tr}
				resp, err := raw.Get(t.Context())
				require.NoError(t, err)
				p := h.peer()
				assert.Equal(t, []string{fmt.Sprintf(tt.want, p.ID())}, resp.Header.Values("Set-Cookie"))

				raw.SID = p.ID()
				p.text("x")
				for _, resp := range []*eiotest.Response{next(t, get(t, &raw)), next(t, async(t, func() (*eiotest.Response, error) {
					return raw.Post(t.Context(), "4x")
				}))} {
					assert.Empty(t, resp.Header.Values("Set-Cookie"), "only the handshake sets it")
				}
			})
		})
	}
}

func TestNewServerRefusesBadOptions(t *testing.T) {
	onConnect := func(*engineio.Conn) (engineio.Receiver, error) { return nil, nil }
	for name, opts := range map[string]*engineio.Options{
		"OnConnect":                  {},
		"PingInterval":               {PingInterval: -1},
		"PingTimeout":                {PingTimeout: time.Microsecond},
		"UpgradeTimeout":             {UpgradeTimeout: -time.Second},
		"WriteTimeout":               {WriteTimeout: -time.Second},
		"MaxPayload":                 {Limits: engineio.Limits{MaxPayload: -1}},
		"SendQueueLimit":             {Limits: engineio.Limits{SendQueueLimit: -1}},
		"HTTPCompressionThreshold":   {HTTPCompressionThreshold: -1},
		"PerMessageDeflateThreshold": {PerMessageDeflateThreshold: -1},
		"Transports":                 {Transports: []string{"polling", "carrier pigeon"}},
		"Options.Transports is":      {Transports: []string{}},
		"AllowedOrigins":             {AllowedOrigins: []string{"example.com"}},
		"Cookie":                     {Cookie: &http.Cookie{Name: "not valid"}},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "OnConnect" {
				opts.OnConnect = onConnect
			}
			srv, err := engineio.NewServer(opts)
			assert.Nil(t, srv)
			assert.ErrorContains(t, err, name)
			assert.ErrorContains(t, err, "engineio: ")
		})
	}
	_, err := engineio.NewServer(nil)
	assert.ErrorContains(t, err, "OnConnect")
}

// Options are copied.
func TestNewServerCopiesOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := &engineio.Options{Transports: []string{"polling"}, AllowedOrigins: []string{"https://a.test"}, Cookie: &http.Cookie{}}
		h := newHost(t, opts, nil)
		opts.Transports[0] = "websocket"
		opts.AllowedOrigins[0] = "https://b.test"
		opts.Cookie.Name = "other"
		raw := eiotest.Raw{Transport: h.tr, Header: http.Header{"Origin": {"https://a.test"}}}
		resp, err := raw.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, resp.Status)
		assert.True(t, strings.HasPrefix(resp.Header.Get("Set-Cookie"), "io="))
	})
}
