package engineio_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
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

// An upgrade that is not completed in time is given up; the session goes on polling and can try again.
func TestUpgradeTimeout(t *testing.T) {
	for name, send := range map[string][]string{"before the probe": nil, "after the probe": {"2probe"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, &engineio.Options{UpgradeTimeout: 3 * time.Second}, nil)
				c, p := h.connect(eiotest.Polling)
				begin := time.Now()
				ws := dialProbe(t, c.Raw(), send...)
				if send != nil {
					time.Sleep(2 * time.Second)
					ws.want("3probe")
				}
				ws.wantClose()
				assert.Equal(t, 3*time.Second, time.Since(begin))
				p.isOpen(c)
				time.Sleep(time.Minute)
				require.NoError(t, c.Upgrade(t.Context()))
				time.Sleep(time.Minute)
				p.isOpen(c)
			})
		})
	}
}

// A client that leaves while it is upgrading takes the new WebSocket with it.
func TestClientLeavesDuringTheProbe(t *testing.T) {
	for _, leave := range []string{"1", "x"} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, nil, nil)
			raw, p := h.raw()
			ws := dialProbe(t, raw, "2probe")
			ws.want("3probe")
			_, err := raw.Post(t.Context(), leave)
			require.NoError(t, err)
			if leave == "1" {
				p.wantClosed(engineio.ReasonClientDisconnect)
			} else {
				p.wantClosed(engineio.ReasonParseError)
			}
			_, _, err = ws.Read(t.Context())
			assert.Error(t, err)
			time.Sleep(5*time.Second + time.Millisecond)
			synctest.Wait()
			assert.Zero(t, h.srv.Len())
			assert.Zero(t, h.tr.Conns()-1, "only the idle connection of the polls is left")
		})
	}
}

// The server closes a session whose client still polls: the poll gets what was queued and the end.
func TestServerClosesDuringTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		ws := dialProbe(t, raw)
		poll := get(t, raw)
		synctest.Wait()
		p.text("last")
		wantOK(t, next(t, poll), nil, "4last")
		poll = get(t, raw)
		synctest.Wait()
		p.Close(engineio.ReasonServerDisconnect, nil)
		p.wantClosed(engineio.ReasonServerDisconnect)
		wantOK(t, next(t, poll), nil, "1")
		_, _, err := ws.Read(t.Context())
		assert.Error(t, err)
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
	})
}

// The server closes a session whose client has paused polling, because the probe was answered, and whose upgrade packet is
// on its way: what was queued has no other way to it than the new transport.
func TestServerClosesWhileTheUpgradePacketIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		poll := get(t, raw)
		synctest.Wait()
		ws := dialProbe(t, raw, "2probe")
		ws.want("3probe")
		wantOK(t, next(t, poll), nil, "6")
		p.text("last")
		p.Close(engineio.ReasonServerDisconnect, nil)
		p.wantClosed(engineio.ReasonServerDisconnect)
		ws.send("5")
		ws.want("4last")
		ws.wantClose()
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
	})
}

// paused opens a session whose client has received an answer long ago, and has stopped polling because its probe was
// answered. The official client is deaf if its WebSocket ends now: it does not poll again, and waits for its ping timeout.
func (h *host) paused(revision int) (*eiotest.Raw, *peer, *prober) {
	h.t.Helper()
	raw := &eiotest.Raw{Transport: h.tr}
	if revision == 3 {
		raw.Query = url.Values{"EIO": {"3"}}
		_, err := raw.Get(h.t.Context())
		require.NoError(h.t, err)
	} else {
		_, _, err := raw.Handshake(h.t.Context())
		require.NoError(h.t, err)
	}
	p := h.peer()
	raw.SID = p.ID()
	p.text("first")
	resp, err := raw.Get(h.t.Context())
	require.NoError(h.t, err)
	require.Contains(h.t, resp.Body, "4first")
	poll := get(h.t, raw)
	synctest.Wait()
	ws := dialProbe(h.t, raw, "2probe")
	ws.want("3probe")
	require.Contains(h.t, next(h.t, poll).Body, "6")
	time.Sleep(2 * time.Second) // the first answer has arrived
	return raw, p, ws
}

// However a session ends while its client has stopped polling, and however often that is said: the server keeps the
// WebSocket for the UPGRADE packet, as long as it does for a session that lives.
func TestEndWhilePollingIsPaused(t *testing.T) {
	closes := func(p *peer, reason engineio.Reason) { p.Close(reason, nil) }
	for name, end := range map[string]func(h *host, raw *eiotest.Raw, p *peer){
		"Close":    func(_ *host, _ *eiotest.Raw, p *peer) { closes(p, engineio.ReasonServerDisconnect) },
		"Shutdown": func(h *host, _ *eiotest.Raw, _ *peer) { go h.srv.Shutdown(context.Background()) },
		"Shutdown, and the Receiver calls Close once more": func(h *host, _ *eiotest.Raw, p *peer) {
			go h.srv.Shutdown(context.Background())
			synctest.Wait()
			closes(p, engineio.ReasonServerShutdown)
		},
		"Close, then Shutdown": func(h *host, _ *eiotest.Raw, p *peer) {
			closes(p, engineio.ReasonServerDisconnect)
			go h.srv.Shutdown(context.Background())
		},
		"Shutdown, then Close": func(h *host, _ *eiotest.Raw, p *peer) {
			go h.srv.Shutdown(context.Background())
			synctest.Wait()
			closes(p, engineio.ReasonServerDisconnect)
		},
		"parse error":  func(_ *host, raw *eiotest.Raw, _ *peer) { _, _ = raw.Post(context.Background(), "x") },
		"ping timeout": nil,
	} {
		for _, revision := range []int{3, 4} {
			for _, queued := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " revision ", revision, " queued ", queued), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						opts := engineio.Options{}
						if end == nil {
							opts.PingInterval, opts.PingTimeout = time.Second, 2*time.Second
						}
						h := newHost(t, &opts, nil)
						raw, p, ws := h.paused(revision)
						if queued {
							p.text("last")
						}
						if end != nil {
							end(h, raw, p)
						}
						next(t, p.ended)
						packets := ws.packets()
						time.Sleep(6 * time.Second)
						synctest.Wait()
						select {
						case s, open := <-packets:
							require.Fail(t, "before the UPGRADE packet", "packet %q, WebSocket open: %v", s, open)
						default:
						}
						begin := time.Now()
						ws.send("5")
						var got []string
						for s := range packets {
							got = append(got, s)
						}
						assert.Equal(t, queued && end != nil, slices.Contains(got, "4last"), "%q", got)
						assert.Zero(t, time.Since(begin))
						synctest.Wait()
						assert.Zero(t, h.srv.Len())
					})
				})
			}
		}
	}
}

// The client sends its UPGRADE packet when it has the answer to its last poll, however long that takes to arrive.
func TestEndDuringTheLastAnswer(t *testing.T) {
	for _, reason := range []engineio.Reason{engineio.ReasonServerDisconnect, engineio.ReasonServerShutdown} {
		t.Run(string(reason), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, &engineio.Options{PingInterval: time.Hour}, nil)
				raw, p := h.raw()
				p.text(strings.Repeat("g", 300_000))
				answered := make(chan bool)
				go func() {
					defer close(answered)
					w := &slowAnswer{header: http.Header{}, each: 3 * time.Second}
					h.srv.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/engine.io/?EIO=4&transport=polling&sid="+p.ID(), nil))
				}()
				synctest.Wait()
				ws := dialProbe(t, raw, "2probe")
				ws.want("3probe")
				p.text("last")
				p.Close(reason, nil)
				p.wantClosed(reason)
				<-answered
				time.Sleep(3 * time.Second)
				ws.send("5")
				ws.want("4last")
				ws.wantClose()
				synctest.Wait()
				assert.Zero(t, h.srv.Len())
			})
		})
	}
}

// A client that gives its upgrade up, and polls again, gets what was queued and the end.
func TestUpgradeIsGivenUpAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p, ws := h.paused(4)
		p.text("last")
		p.Close(engineio.ReasonServerDisconnect, nil)
		p.wantClosed(engineio.ReasonServerDisconnect)
		time.Sleep(6 * time.Second)
		require.NoError(t, ws.Close(websocket.StatusNormalClosure, ""))
		time.Sleep(4 * time.Second)
		resp, err := raw.Get(t.Context())
		wantOK(t, resp, err, "4last")
		resp, err = raw.Get(t.Context())
		wantOK(t, resp, err, "1")
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
	})
}

// The ping timeout ends a session in the middle of an upgrade, too.
func TestPingTimeoutDuringTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{PingInterval: time.Second, PingTimeout: time.Second}, nil)
		raw, p := h.raw()
		begin := time.Now()
		ws := dialProbe(t, raw, "2probe")
		ws.want("3probe")
		p.wantClosed(engineio.ReasonPingTimeout)
		assert.Equal(t, 2*time.Second, time.Since(begin))
		_, _, err := ws.Read(t.Context())
		assert.Error(t, err)
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
	})
}
