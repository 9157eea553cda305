package engineio_test

import (
	"context"
	"fmt"
	"io"
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

// Clients of every kind do not notice that each of their requests goes to another server.
func TestHandOver(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		r := newRing(t, 3, nil)
		c, p := r.connect(mode)
		assert.True(t, strings.HasSuffix(p.ID(), ".s0"), p.ID())
		for i := range 30 {
			p.text(fmt.Sprint("down ", i))
			require.NoError(t, c.Send(fmt.Sprint("up ", i)))
			require.NoError(t, c.SendBinary([]byte{byte(i)}))
			if i%3 == 0 {
				time.Sleep(time.Second)
			}
		}
		for i := range 30 {
			p.want(fmt.Sprint("text up ", i), "binary "+string([]byte{byte(i)}))
		}
		var down, echoed int
		for range 90 {
			m, err := c.Receive(t.Context())
			require.NoError(t, err)
			switch s := describe(m.Data, m.Binary); s {
			case fmt.Sprint("text down ", down):
				down++
			default:
				want := fmt.Sprint("text up ", echoed/2)
				if echoed%2 == 1 {
					want = "binary " + string([]byte{byte(echoed / 2)})
				}
				require.Equal(t, want, s)
				echoed++
			}
		}
		big := strings.Repeat("x", 300_000)
		p.text(big)
		wantMessages(t, c, "text "+big)
		require.NoError(t, c.Send(big))
		p.want("text " + big)
		wantMessages(t, c, "text "+big)
		time.Sleep(5 * time.Minute) // pings and pongs
		p.isOpenEcho(c)
		if mode.Current() == eiotest.WebSocket {
			assert.Zero(t, r.handedOver())
		} else {
			assert.NotZero(t, r.handedOver())
		}
		c.Close()
		if mode.Current() == eiotest.Polling {
			p.wantClosed(engineio.ReasonClientDisconnect)
		} else {
			p.wantClosed(engineio.ReasonTransportClose)
		}
	})
}

// isOpenEcho is isOpen for a peer that echoes.
func (p *peer) isOpenEcho(c *eiotest.Client) {
	p.h.t.Helper()
	p.text("still")
	wantMessages(p.h.t, c, "text still")
	require.NoError(p.h.t, c.Send("there"))
	p.want("text there")
	wantMessages(p.h.t, c, "text there")
}

// The server closes the connection. The client gets the end through another server.
func TestHandOverOfTheEnd(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		r := newRing(t, 2, nil)
		c, p := r.connect(mode)
		p.text("last")
		p.Close(engineio.ReasonServerDisconnect, nil)
		wantMessages(t, c, "text last")
		next(t, c.Closed())
		p.wantClosed(engineio.ReasonServerDisconnect)
	})
}

// A client that goes while its poll waits elsewhere, or in its WebSocket there, is gone at its server.
func TestHandOverOfAClientThatLeaves(t *testing.T) {
	for mode, reason := range map[eiotest.Mode]engineio.Reason{eiotest.Polling: engineio.ReasonTransportError, eiotest.Upgrade: engineio.ReasonTransportClose} {
		t.Run(string(mode), func(t *testing.T) {
			inRing(t, 2, nil, func(t *testing.T, r *ring) {
				c, p := r.connect(mode)
				synctest.Wait()
				begin := time.Now()
				c.Abort()
				p.wantClosed(reason)
				assert.Zero(t, time.Since(begin))
			})
		})
	}
}

// What cannot be handed over is refused at once, and asks for nothing that is not there.
func TestHandOverRefusals(t *testing.T) {
	inRing(t, 2, nil, func(t *testing.T, r *ring) {
		raw, p := r.raw()
		r.to(1)
		random := strings.Repeat("A", 22)
		for _, sid := range []string{"x", random, random + ".s1", random + ".", ".s0", random + "." + strings.Repeat("s", 65), random + ".s0/x", random + ".s0\n", random + ".s0.s1"} {
			one := *raw
			one.SID = sid
			resp, err := one.Get(t.Context())
			wantRefused(t, resp, err, 400, "1", "Session ID unknown: the session has ended")
		}
		assert.Equal(t, []string{"s0"}, r.asked, "a sid without a session that could be there")
		assert.EqualValues(t, 1, r.hosts[1].srv.Stats().HandedOver)
		assert.EqualValues(t, 1, r.hosts[0].srv.Stats().Refused["unknown session"])

		resp, err := raw.Do(t.Context(), http.MethodPut, raw.Address("polling"), nil, nil)
		wantRefused(t, resp, err, 400, "1", "Session ID unknown")
		r.lookup = func(string) string { return "" }
		resp, err = raw.Get(t.Context())
		wantRefused(t, resp, err, 400, "1", "Session ID unknown: the session has ended")
		r.lookup = func(string) string { return "http://nowhere" }
		for range 3 {
			resp, err = raw.Get(t.Context())
			wantRefused(t, resp, err, 502, "1", "Session ID unknown here, and the server that has the session cannot be reached")
		}
		assert.EqualValues(t, 3, r.hosts[1].srv.Stats().Refused["peer"])
		assert.Equal(t, 1, strings.Count(r.hosts[1].logged(), "level=WARN"), r.hosts[1].logged())
		assert.NotContains(t, r.hosts[1].logged(), raw.SID[:22])
		r.lookup = func(string) string { panic("at will") }
		resp, err = raw.Get(t.Context())
		wantRefused(t, resp, err, 502, "1", "Session ID unknown here")
		r.lookup = nil

		p.text("unharmed")
		resp, err = raw.Get(t.Context())
		wantOK(t, resp, err, "4unharmed")
	})
}

// A client that forges the header of a hand-over does not use up the warning of a server that is away.
func TestForgedHandOverDoesNotHideATrueOne(t *testing.T) {
	inRing(t, 2, nil, func(t *testing.T, r *ring) {
		raw, _ := r.raw()
		r.to(1)
		for range 100 {
			resp, err := raw.Do(t.Context(), http.MethodGet, raw.Address("polling"), nil, http.Header{"Engineio-Handed-Over": {"once"}})
			wantRefused(t, resp, err, 502, "1", "another server has handed the request over to this one")
		}
		lines := r.hosts[1].warnings()
		require.Len(t, lines, 1)
		assert.Contains(t, lines[0], "Engineio-Handed-Over")
		r.lookup = func(string) string { return "http://nowhere" }
		resp, err := raw.Get(t.Context())
		wantRefused(t, resp, err, 502, "1", "cannot be reached")
		lines = r.hosts[1].warnings()
		require.Len(t, lines, 2)
		assert.Contains(t, lines[1], "cannot be handed over")
	})
}

// Subprotocols are chosen by the server that has the session.
func TestHandOverOfSubprotocols(t *testing.T) {
	inRing(t, 2, nil, func(t *testing.T, r *ring) {
		raw, _ := r.raw()
		r.to(1)
		ws, resp, err := raw.DialWS(t.Context(), &websocket.DialOptions{Subprotocols: []string{"arduino", "other"}})
		require.NoError(t, err)
		defer ws.CloseNow()
		assert.Equal(t, []string{"arduino"}, resp.Header.Values("Sec-Websocket-Protocol"))
		assert.Equal(t, "arduino", ws.Subprotocol())
		assert.EqualValues(t, 1, r.hosts[1].srv.Stats().HandedOver)
	})
}

// A PeerURL that leads elsewhere is found out at the first wrong server: no request goes in circles.
func TestHandOverToTheWrongServer(t *testing.T) {
	inRing(t, 3, nil, func(t *testing.T, r *ring) {
		raw, p := r.raw()
		for _, wrong := range []string{"http://balancer", "http://s1", "http://s2"} {
			r.sent = nil
			r.lookup = func(string) string { return wrong }
			r.to(1)
			resp, err := raw.Get(t.Context())
			wantRefused(t, resp, err, 502, "1", "Session ID unknown: another server has handed the request over to this one")
			assert.Len(t, r.sent, 1)
		}
		p.Close(engineio.ReasonServerDisconnect, nil)
		assert.Equal(t, 1, strings.Count(r.hosts[1].logged(), "level=WARN"), r.hosts[1].logged())
	})
}

// The other server sees the request as this one did; the page gets each header once.
func TestHandOverOfHeaders(t *testing.T) {
	for _, trust := range []bool{false, true} {
		t.Run(fmt.Sprint(trust), func(t *testing.T) {
			inRing(t, 2, &engineio.Options{TrustForwarded: trust, AllowedOrigins: []string{"http://app.test"}}, func(t *testing.T, r *ring) {
				raw, p := r.raw()
				r.around = func(i int, next http.Handler) http.Handler { // somebody's middleware
					return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
						w.Header().Set("Access-Control-Allow-Origin", req.Header.Get("Origin"))
						w.Header().Set("Content-Type", "application/json")
						w.Header().Add("Set-Cookie", "here=1")
						next.ServeHTTP(w, req)
					})
				}
				r.to(1)
				p.text(strings.Repeat("x", 5000)) // large enough for compression
				raw.Header = http.Header{
					"Origin": {"http://app.test"}, "Cookie": {"a=b"}, "Accept-Encoding": {"gzip"}, "Connection": {"Engineio-Handed-Over"},
					"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Host": {"public.test"}, "X-Forwarded-Proto": {"https"},
				}
				resp, err := raw.Get(t.Context())
				require.NoError(t, err)
				require.Equal(t, 200, resp.Status, resp.Body)
				assert.Equal(t, []string{"http://app.test"}, resp.Header["Access-Control-Allow-Origin"])
				assert.Equal(t, []string{"true"}, resp.Header["Access-Control-Allow-Credentials"])
				assert.Equal(t, []string{"Origin", "Accept-Encoding"}, resp.Header["Vary"])
				assert.Equal(t, []string{"text/plain; charset=UTF-8"}, resp.Header["Content-Type"])
				assert.Equal(t, []string{"gzip"}, resp.Header["Content-Encoding"])
				assert.Equal(t, []string{"here=1"}, resp.Header["Set-Cookie"])
				require.Len(t, r.sent, 1)
				sent := r.sent[0]
				assert.Equal(t, "server.test", sent.Host)
				assert.Equal(t, "a=b", sent.Header.Get("Cookie"))
				want := []string{"192.0.2.1", "server.test", "http"} // what this server knows itself
				if trust {
					want = []string{"203.0.113.7", "public.test", "https"}
				}
				assert.Equal(t, want, []string{sent.Header.Get("X-Forwarded-For"), sent.Header.Get("X-Forwarded-Host"), sent.Header.Get("X-Forwarded-Proto")})

				// Other origins: refused here, and by the other server if it is asked all the same.
				r.sent, raw.Header = nil, http.Header{"Origin": {"http://evil.test"}}
				resp, err = raw.Get(t.Context())
				wantRefused(t, resp, err, 403, "4", "Origin")
				assert.Empty(t, r.sent)
				raw.Header.Set("Engineio-Handed-Over", "once")
				r.to(0)
				resp, err = raw.Get(t.Context())
				wantRefused(t, resp, err, 403, "4", "Origin")
			})
		})
	}
}

// Bodies are bounded here, and slow ones do not reach the other server.
func TestHandOverOfBodies(t *testing.T) {
	inRing(t, 2, &engineio.Options{Limits: engineio.Limits{MaxPayload: 1000}}, func(t *testing.T, r *ring) {
		raw, p := r.raw()
		r.to(1)
		resp, err := raw.Post(t.Context(), "4"+strings.Repeat("x", 998))
		wantOK(t, resp, err, "ok")
		for _, body := range []io.Reader{strings.NewReader(strings.Repeat("x", 5000)), io.MultiReader(strings.NewReader(strings.Repeat("x", 5000)))} {
			resp, err = raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), body, nil)
			wantRefused(t, resp, err, 413, "3", "larger than")
			assert.True(t, resp.Close)
		}
		assert.EqualValues(t, 2, r.hosts[1].srv.Stats().LimitHits["MaxPayload"])
		require.Len(t, r.sent, 1)

		slow, trickle := io.Pipe()
		answer := async(t, func() (*eiotest.Response, error) {
			return raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), slow, nil)
		})
		_, _ = trickle.Write([]byte("4half"))
		begin := time.Now()
		resp = next(t, answer)
		wantRefused(t, resp, nil, 400, "3", "the body could not be read")
		assert.Equal(t, 45*time.Second, time.Since(begin)) // PingInterval + PingTimeout
		trickle.Close()
		require.Len(t, r.sent, 1)
		p.want("text " + strings.Repeat("x", 998))
	})
}

// A server that has the session and does not answer is given up, when the client has given up long before.
func TestHandOverToASilentServer(t *testing.T) {
	inRing(t, 2, nil, func(t *testing.T, r *ring) {
		raw, _ := r.raw()
		r.to(1)
		silent := eiotest.Serve(t, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }), nil)
		r.hosts = append(r.hosts, &host{tr: silent})
		r.lookup = func(string) string { return "http://s2" }
		begin := time.Now()
		resp, err := raw.Get(t.Context())
		wantRefused(t, resp, err, 502, "1", "Session ID unknown here")
		assert.Equal(t, 90*time.Second, time.Since(begin))
		r.hosts = r.hosts[:2]
	})
}

// A client that does not read its WebSocket is closed by its server, and costs the one in between nothing either.
func TestHandOverOfASlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t, 2, &engineio.Options{Limits: engineio.Limits{SendQueueLimit: 10_000}})
		slow := eiotest.Serve(t, http.HandlerFunc(r.balance), &eiotest.TransportOptions{ToClient: 1000})
		r.to(0)
		raw := &eiotest.Raw{Transport: slow}
		_, _, err := raw.Handshake(t.Context())
		require.NoError(t, err)
		p := r.peer()
		r.to(1)
		ws, _, err := raw.DialWS(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, ws.Write(t.Context(), 1, []byte("2probe")))
		_, _, err = ws.Read(t.Context())
		require.NoError(t, err)
		require.NoError(t, ws.Write(t.Context(), 1, []byte("5")))
		synctest.Wait()
		require.Equal(t, engineio.WebSocket, p.Transport())
		open := slow.Conns()
		for range 1000 {
			if err := p.Send(engineio.TextFrames(strings.Repeat("x", 1000))); err != nil {
				p.Close(engineio.ReasonSlowClient, err)
				break
			}
			synctest.Wait()
		}
		p.wantClosed(engineio.ReasonSlowClient)
		time.Sleep(30 * time.Second) // WriteTimeout, twice, and more
		synctest.Wait()
		assert.Equal(t, open-1, slow.Conns(), "the connection in between is still there")
		_ = ws.CloseNow()
	})
}

// A WebSocket whose server has vanished without a word does not stay for ever.
func TestHandOverToAServerThatVanishes(t *testing.T) {
	inRing(t, 2, nil, func(t *testing.T, r *ring) {
		raw, p := r.raw()
		silent := eiotest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
			_ = rw.Flush()
			_, _ = io.Copy(io.Discard, conn)
		}), nil)
		r.hosts = append(r.hosts, &host{tr: silent})
		r.lookup = func(string) string { return "http://s2" }
		r.to(1)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, raw.Address("websocket"), nil)
		require.NoError(t, err)
		req.Header = wsHeader(nil)
		answer, err := r.front.RoundTrip(req)
		require.NoError(t, err)
		require.Equal(t, 101, answer.StatusCode)
		begin := time.Now()
		_, err = answer.Body.Read(make([]byte, 1))
		require.Error(t, err)
		assert.Equal(t, 90*time.Second, time.Since(begin))
		answer.Body.Close()
		r.hosts = r.hosts[:2]
		p.Close(engineio.ReasonServerDisconnect, nil)
	})
}

// What cannot be is refused by NewServer.
func TestHandOverOptions(t *testing.T) {
	find := func(context.Context, string) (*url.URL, error) { return nil, nil }
	for name, tt := range map[string]struct {
		opts engineio.Options
		want string
	}{
		"id only":        {engineio.Options{ServerID: "a"}, "ServerID and Options.PeerURL belong together"},
		"URL only":       {engineio.Options{PeerURL: find}, "ServerID and Options.PeerURL belong together"},
		"a dot":          {engineio.Options{ServerID: "a.b", PeerURL: find}, `Options.ServerID is "a.b"`},
		"long":           {engineio.Options{ServerID: strings.Repeat("a", 65), PeerURL: find}, "Options.ServerID is"},
		"transport only": {engineio.Options{PeerTransport: http.DefaultTransport}, "PeerTransport is set without"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.opts.OnConnect = func(*engineio.Conn) (engineio.Receiver, error) { return nil, nil }
			_, err := engineio.NewServer(&tt.opts)
			require.ErrorContains(t, err, tt.want)
		})
	}
}
