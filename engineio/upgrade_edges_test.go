package engineio_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// Some clients send "52" to end an upgrade.
func TestUpgradePacketWithMoreThanItsType(t *testing.T) {
	for _, packet := range []string{"5", "52", "5probe"} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, nil, nil)
			raw, p := h.raw()
			ws := dialProbe(t, raw, "2probe")
			ws.want("3probe")
			ws.send(packet, "4hello")
			p.want("text hello")
			assert.Equal(t, engineio.WebSocket, p.Transport())
		})
	}
}

// upgraded has a function called by Upgraded.
type upgraded struct {
	*peer
	call func()
}

func (u upgraded) Upgraded() { u.call() }

// Upgraded that panics or calls runtime.Goexit ends the connection, and leaves nothing behind.
func TestUpgradedThatDoesNotReturn(t *testing.T) {
	for name, f := range map[string]func(){"panic": func() { panic("ouch") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, nil, nil)
				var p *peer
				h.onNew = func(q *peer) (engineio.Receiver, error) { p = q; return upgraded{q, f}, nil }
				raw := &eiotest.Raw{Transport: h.tr}
				_, _, err := raw.Handshake(t.Context())
				require.NoError(t, err)
				ws := dialProbe(t, raw, "2probe")
				ws.want("3probe")
				ws.send("5")
				ws.wantClose()
				p.wantClosed(engineio.ReasonServerDisconnect)
				synctest.Wait()
				assert.Zero(t, h.srv.Len())
				require.NoError(t, h.srv.Shutdown(t.Context()))
			})
		})
	}
}

// abortedContext is one that ends just when somebody begins to wait for its end and hold returns.
type abortedContext struct {
	context.Context
	hold func()
}

func (c *abortedContext) Done() <-chan struct{} {
	c.hold()
	done := make(chan struct{})
	close(done)
	return done
}

// A poll that the client aborts when its WebSocket has taken over does no harm. (The select that the poll waits in chooses
// between the abort and the take-over; hence several times.)
func TestPollAbortedAfterTheTakeOver(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, nil, nil)
			raw, p := h.raw()
			ws := dialProbe(t, raw)
			var once sync.Once
			ctx := &abortedContext{Context: t.Context(), hold: func() {
				once.Do(func() {
					ws.send("2probe")
					ws.want("3probe")
					ws.send("5")
					synctest.Wait()
					assert.Equal(t, engineio.WebSocket, p.Transport())
				})
			}}
			h.srv.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, raw.Address("polling"), nil).WithContext(ctx))
			synctest.Wait()
			require.NoError(t, p.Context().Err())
			ws.send("4still there")
			p.want("text still there")
		})
	}
}

// brokenWriter fails when hold returns.
type brokenWriter struct {
	http.ResponseWriter
	hold func()
}

func (w *brokenWriter) Write([]byte) (int, error) {
	w.hold()
	return 0, errors.New("the client has gone")
}

// Nor does the NOOP that it did not get.
func TestNoopThatFailsAfterTheTakeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		ws := dialProbe(t, raw)
		held, answered := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(answered)
			w := &brokenWriter{httptest.NewRecorder(), func() { <-held }}
			h.srv.ServeHTTP(w, httptest.NewRequest(http.MethodGet, raw.Address("polling"), nil))
		}()
		synctest.Wait()
		ws.send("2probe")
		ws.want("3probe")
		ws.send("5")
		synctest.Wait()
		close(held)
		next(t, answered)
		require.NoError(t, p.Context().Err())
		ws.send("4still there")
		p.want("text still there")
	})
}

// A client whose probe was answered has stopped polling: whatever ends the session, it learns it by the WebSocket, when it
// has sent the UPGRADE packet, and gets there what was queued. Closed before, it would wait for its own time-out.
func TestEndAfterTheProbe(t *testing.T) {
	for name, tt := range map[string]struct {
		end    func(h *host, raw *eiotest.Raw, p *peer)
		reason engineio.Reason
		queue  bool // what was queued is delivered
	}{
		"closed by the server": {func(_ *host, _ *eiotest.Raw, p *peer) { p.Close(engineio.ReasonServerDisconnect, nil) }, engineio.ReasonServerDisconnect, true},
		"shutdown":             {func(h *host, _ *eiotest.Raw, _ *peer) { go h.srv.Shutdown(context.Background()) }, engineio.ReasonServerShutdown, true},
		"parse error":          {func(h *host, raw *eiotest.Raw, _ *peer) { _, _ = raw.Post(h.t.Context(), "x") }, engineio.ReasonParseError, true},
		"no pong":              {func(*host, *eiotest.Raw, *peer) { time.Sleep(3 * time.Second) }, engineio.ReasonPingTimeout, false},
	} {
		for _, queued := range []bool{false, true} {
			for _, upgrades := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					t.Log(name, queued, upgrades)
					h := newHost(t, &engineio.Options{PingInterval: time.Second, PingTimeout: 2 * time.Second}, nil)
					raw, p := h.raw()
					probed := time.Now()
					ws := dialProbe(t, raw, "2probe")
					ws.want("3probe")
					if queued {
						p.text("last")
					}
					tt.end(h, raw, p)
					p.wantClosed(tt.reason)
					packets := ws.packets()
					begin := time.Now()
					time.Sleep(time.Second)
					synctest.Wait()
					select {
					case s := <-packets:
						t.Errorf("before the UPGRADE packet came %q", s)
					default:
					}
					if !upgrades {
						for range packets {
						}
						assert.Equal(t, 10*time.Second, time.Since(probed), "it has UpgradeTimeout, as without the end")
						return
					}
					ws.send("5")
					var got []string
					for s := range packets {
						if s != "2" { // a ping that was queued before
							got = append(got, s)
						}
					}
					if queued && tt.queue {
						assert.Equal(t, []string{"4last"}, got)
					} else {
						assert.Empty(t, got)
					}
					assert.Equal(t, time.Second, time.Since(begin), "at once")
				})
			}
		}
	}
}

// No probe is answered any more when the session has ended: the client goes on polling, and gets what is left there.
func TestProbeAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		ws := dialProbe(t, raw)
		p.text("last")
		p.Close(engineio.ReasonServerDisconnect, nil)
		ws.send("2probe")
		ws.wantClose()
		resp, err := raw.Get(t.Context())
		wantOK(t, resp, err, "4last")
		resp, err = raw.Get(t.Context())
		wantOK(t, resp, err, "1")
	})
}

// Shutdown waits for a WebSocket that was of no use, too.
func TestShutdownWaitsForSecondUpgrades(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		c, _ := h.connect(eiotest.WebSocket)
		conn, err := h.tr.DialConn(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		_, err = conn.Write([]byte("GET /engine.io/?EIO=4&transport=websocket&sid=" + c.Handshake().SID + " HTTP/1.1\r\n" + wsHeaders + "\r\n"))
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, h.srv.Shutdown(t.Context()))
		r := bufio.NewReader(conn)
		begin := time.Now()
		for err == nil {
			_, err = r.ReadByte()
		}
		assert.Zero(t, time.Since(begin), "the connection has ended before Shutdown returned")
	})
}

// unhijackable says that it can be taken over, and cannot.
type unhijackable struct{ http.ResponseWriter }

func (unhijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, errors.New("middleware says no")
}

// A WebSocket that cannot be handed over because of this server's middleware is not the other server's fault.
func TestHandOverWithoutHijacker(t *testing.T) {
	for name, wrap := range map[string]func(http.ResponseWriter) http.ResponseWriter{
		"none":  func(w http.ResponseWriter) http.ResponseWriter { return struct{ http.ResponseWriter }{w} },
		"fails": func(w http.ResponseWriter) http.ResponseWriter { return unhijackable{w} },
	} {
		t.Run(name, func(t *testing.T) {
			inRing(t, 2, nil, func(t *testing.T, r *ring) {
				raw, _ := r.raw()
				raw.Transport = eiotest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					r.hosts[1].srv.ServeHTTP(wrap(w), req)
				}), nil)
				_, _, err := raw.DialWS(t.Context(), nil)
				wantRefused(t, nil, err, http.StatusNotImplemented, "3", "this connection cannot become a WebSocket")
				assert.NotContains(t, r.hosts[1].logged(), "cannot be handed over")
			})
		})
	}
}

// slowAnswer is the ResponseWriter of a client behind a slow link: each piece of an answer takes its time.
type slowAnswer struct {
	header http.Header
	each   time.Duration
	size   int
}

func (w *slowAnswer) Header() http.Header { return w.header }
func (w *slowAnswer) WriteHeader(int)     {}
func (w *slowAnswer) Write(p []byte) (int, error) {
	time.Sleep(w.each)
	w.size += len(p)
	return len(p), nil
}

// The time in which the answer to a poll flows does not count against an upgrade: the client sends its UPGRADE packet
// behind it. One that stands still ends the upgrade, not the session.
func TestUpgradeBehindALargeAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		each     time.Duration // for a piece of the answer
		upgraded bool
	}{"flows": {3 * time.Second, true}, "stands still": {15 * time.Second, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, &engineio.Options{WriteTimeout: time.Minute, PingInterval: time.Hour}, nil)
				raw, p := h.raw()
				greeting := strings.Repeat("g", 300_000)
				p.text(greeting)
				w := &slowAnswer{header: http.Header{}, each: tt.each}
				answered := make(chan bool)
				begin := time.Now()
				go func() {
					defer close(answered)
					h.srv.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/engine.io/?EIO=4&transport=polling&sid="+p.ID(), nil))
				}()
				synctest.Wait()
				ws := dialProbe(t, raw, "2probe")
				ws.want("3probe")
				<-answered
				assert.Greater(t, time.Since(begin), 25*time.Second)
				assert.Equal(t, 1+len(greeting), w.size)
				if !tt.upgraded {
					ws.wantClose()
					p.text("by polling")
					wantOK(t, <-get(t, raw), nil, "4by polling")
					return
				}
				ws.send("5", "4hello")
				p.want("text hello")
				assert.Equal(t, engineio.WebSocket, p.Transport())
				p.text("back")
				ws.want("4back")
			})
		})
	}
}

// Nor does the time in which a large answer arrives that the buffers of the network took at once.
func TestUpgradeBehindABufferedAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		p.text(strings.Repeat("g", 300_000))
		h.srv.ServeHTTP(&slowAnswer{header: http.Header{}}, httptest.NewRequest(http.MethodGet, "/engine.io/?EIO=4&transport=polling&sid="+p.ID(), nil))
		ws := dialProbe(t, raw, "2probe")
		ws.want("3probe")
		time.Sleep(15 * time.Second)
		ws.send("5", "4hello")
		p.want("text hello")
		assert.Equal(t, engineio.WebSocket, p.Transport())
	})
}

// An upgrade whose client is silent ends after UpgradeTimeout, although an answer was on its way when it began.
func TestUpgradeTimeoutAfterAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		p.text("short")
		wantOK(t, <-get(t, raw), nil, "4short")
		ws := dialProbe(t, raw, "2probe")
		ws.want("3probe")
		begin := time.Now()
		ws.wantClose()
		assert.Less(t, time.Since(begin), 15*time.Second)
		assert.EqualValues(t, 1, h.srv.Stats().UpgradesFailed)
	})
}
