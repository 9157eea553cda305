package engineio_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// Shutdown delivers what was queued, tells everybody, and refuses who comes later.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		var clients []*eiotest.Client
		var peers []*peer
		for range 3 {
			for _, mode := range eiotest.Modes {
				c, p := h.connect(mode)
				clients, peers = append(clients, c), append(peers, p)
			}
		}
		synctest.Wait()
		begin := time.Now()
		for _, p := range peers {
			p.text("last")
		}
		require.NoError(t, h.srv.Shutdown(t.Context()))
		assert.Zero(t, time.Since(begin))
		assert.Zero(t, h.srv.Len())
		for i, p := range peers {
			assert.ErrorIs(t, p.wantClosed(engineio.ReasonServerShutdown), engineio.ErrServerClosed)
			wantMessages(t, clients[i], "text last")
			<-clients[i].Closed()
		}
		for _, mode := range []eiotest.Mode{eiotest.Polling, eiotest.WebSocket} {
			_, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: mode, Transport: h.tr})
			wantRefused(t, nil, err, http.StatusServiceUnavailable, "4", "the server is shutting down")
			var refused *eiotest.RefusedError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, "1", refused.Response.Header.Get("Retry-After"))
			assert.True(t, refused.Response.Close, "the next handshake is for another server")
		}
		require.NoError(t, h.srv.Shutdown(t.Context()), "again")
	})
}

func TestShutdownOfAnIdleServer(t *testing.T) {
	h := newHost(t, nil, nil)
	require.NoError(t, h.srv.Shutdown(t.Context()))
}

// Clients that do not fetch what is queued, or do not answer the close frame, are waited for, but not for long.
func TestShutdownWaits(t *testing.T) {
	for _, upgrading := range []bool{false, true} {
		t.Run(fmt.Sprint("upgrading ", upgrading), func(t *testing.T) { testShutdownWaits(t, upgrading) })
	}
}

func testShutdownWaits(t *testing.T, upgrading bool) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		_, polling := h.raw()
		polling.text("never fetched")
		raw := eiotest.Raw{Transport: h.tr}
		ws, _, err := raw.DialWS(t.Context(), nil)
		require.NoError(t, err)
		defer ws.CloseNow()
		socket := h.peer()
		peers, longest := []*peer{polling, socket}, 5*time.Second
		if upgrading { // the official client hears of no end if its WebSocket ends before it has sent the UPGRADE packet
			raw, probed := h.raw()
			dialProbe(t, raw, "2probe").want("3probe")
			peers, longest = append(peers, probed), 10*time.Second // Options.UpgradeTimeout
		}
		begin := time.Now()
		require.NoError(t, h.srv.Shutdown(t.Context()))
		assert.Equal(t, longest, time.Since(begin))
		for _, p := range peers {
			p.wantClosed(engineio.ReasonServerShutdown)
		}
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
	})
}

// When the context ends first, everything is cut off: at once if it has ended already.
func TestShutdownCutsOff(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Second} {
		t.Run(timeout.String(), func(t *testing.T) { testShutdownCutsOff(t, timeout) })
	}
}

func testShutdownCutsOff(t *testing.T, timeout time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, &eiotest.TransportOptions{ToClient: 1000})
		_, polling := h.raw()
		raw := eiotest.Raw{Transport: h.tr}
		ws, _, err := raw.DialWS(t.Context(), nil)
		require.NoError(t, err)
		defer ws.CloseNow()
		stalled := h.peer()
		synctest.Wait()
		stalled.text(strings.Repeat("x", 100_000)) // nobody reads it
		upgrading, probed := h.raw()
		probed.text("waits for the upgrade")
		dialProbe(t, upgrading, "2probe").want("3probe")

		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		assert.ErrorIs(t, h.srv.Shutdown(ctx), context.DeadlineExceeded)
		assert.Equal(t, timeout, time.Since(begin))
		for _, p := range []*peer{polling, stalled, probed} {
			p.wantClosed(engineio.ReasonServerShutdown)
		}
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
		require.NoError(t, h.srv.Shutdown(t.Context()), "nothing is left to wait for")
		assert.Equal(t, timeout, time.Since(begin))
	})
}

// A handshake that began before Shutdown does not slip through.
func TestShutdownDuringAHandshake(t *testing.T) {
	eiotest.Run(t, func(t *testing.T, mode eiotest.Mode) { // not in a bubble: the server waits with a mutex
		h := newHost(t, nil, nil)
		began, goOn := make(chan *engineio.Conn), make(chan bool)
		h.onNew = func(p *peer) (engineio.Receiver, error) {
			began <- p.Conn
			<-goOn
			return p, nil
		}
		dialed, down := make(chan *eiotest.Client, 1), make(chan error, 1)
		go func() {
			c, _ := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: mode, Transport: h.tr})
			dialed <- c
		}()
		conn := next(t, began)
		go func() { down <- h.srv.Shutdown(t.Context()) }()
		<-conn.Context().Done()
		close(goOn)
		require.NoError(t, next(t, down))
		assert.Zero(t, h.srv.Len())
		h.peer().wantClosed(engineio.ReasonServerShutdown)
		if c := next(t, dialed); c != nil {
			next(t, c.Closed())
			c.Abort()
		}
	}, eiotest.Polling, eiotest.WebSocket)
}

// While some come and others go, with real time.
func TestShutdownUnderLoad(t *testing.T) {
	h := newHost(t, nil, nil)
	h.echo = true
	h.peers = make(chan *peer, 100_000)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	const n = 8
	done := make(chan bool)
	for i := range n {
		go func() {
			defer func() { done <- true }()
			for round := 0; ctx.Err() == nil; round++ {
				c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Transport: h.tr, Mode: eiotest.Modes[i%3]})
				if err != nil {
					continue
				}
				_ = c.Send("hello")
				_, _ = c.Receive(t.Context())
				if round%2 == 0 {
					c.Close()
				} else {
					c.Abort()
				}
			}
		}()
	}
	for range 30 {
		h.peer()
	}
	// Clients that vanished between two polls are known to be gone only by their silence.
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := h.srv.Shutdown(short); err != nil {
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	}
	assert.NoError(t, h.srv.Shutdown(t.Context()))
	assert.Zero(t, h.srv.Len())
	stop()
	for range n {
		<-done
	}
}

// A polling client that has got everything and does not poll is not waited for. Its next poll tells it of its end, and
// not a POST, whose refusal would have it drop a poll whose answer is on its way.
func TestShutdownDoesNotWaitForIdlePolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		left, q := h.raw()
		resp, err := left.Post(t.Context(), "1")
		wantOK(t, resp, err, "ok")
		q.wantClosed(engineio.ReasonClientDisconnect)
		begin := time.Now()
		require.NoError(t, h.srv.Shutdown(t.Context()))
		assert.Zero(t, time.Since(begin))
		p.wantClosed(engineio.ReasonServerShutdown)
		for range 2 {
			resp, err := raw.Post(t.Context(), "4late")
			wantOK(t, resp, err, "ok")
			assert.True(t, resp.Close, "the next handshake is for another server")
			resp, err = raw.Get(t.Context())
			wantOK(t, resp, err, "1")
			assert.True(t, resp.Close, "the next handshake is for another server")
		}
		p.wantNone()
		_, _, err = raw.DialWS(t.Context(), nil)
		wantRefused(t, nil, err, http.StatusBadRequest, "1", "Session ID unknown")
		strange := *raw
		strange.SID = "never here"
		for _, other := range []*eiotest.Raw{&strange, left} {
			resp, err = other.Post(t.Context(), "4lost")
			wantRefused(t, resp, err, http.StatusBadRequest, "1", "Session ID unknown")
			resp, err = other.Get(t.Context())
			wantRefused(t, resp, err, http.StatusBadRequest, "1", "Session ID unknown")
		}
	})
}

// The answer to a poll that left the server just before is waited for: it may be under way through a proxy, and a client
// whose next request fails because the server has gone drops it. The next poll shows that the client has it.
func TestShutdownWaitsForTheLastAnswer(t *testing.T) {
	const pollsNoMore = 0
	for _, tt := range []struct {
		queued bool          // the answer goes out during Shutdown, not before
		since  time.Duration // the answer, when Shutdown begins
		polls  time.Duration // after Shutdown has begun
		want   time.Duration // that Shutdown takes
	}{
		{since: 0, polls: pollsNoMore, want: time.Second},
		{since: 300 * time.Millisecond, polls: pollsNoMore, want: 700 * time.Millisecond},
		{since: time.Second, polls: pollsNoMore, want: 0},
		{since: 0, polls: 400 * time.Millisecond, want: 400 * time.Millisecond},
		{queued: true, polls: pollsNoMore, want: time.Second},
		{queued: true, polls: 400 * time.Millisecond, want: 400 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("queued %v, %v after, polls %v", tt.queued, tt.since, tt.polls), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, nil, nil)
				raw, p := h.raw()
				p.text("last")
				down := make(chan error, 1)
				shutdown := func() { down <- h.srv.Shutdown(t.Context()) }
				if tt.queued {
					go shutdown()
					synctest.Wait()
				}
				resp, err := raw.Get(t.Context())
				wantOK(t, resp, err, "4last")
				time.Sleep(tt.since)
				begin := time.Now()
				if !tt.queued {
					go shutdown()
					synctest.Wait()
				}
				if tt.polls != pollsNoMore {
					resp, err := raw.Post(t.Context(), "4late")
					wantOK(t, resp, err, "ok")
					time.Sleep(tt.polls)
					resp, err = raw.Get(t.Context())
					wantOK(t, resp, err, "1")
					assert.True(t, resp.Close, "the next handshake is for another server")
				}
				require.NoError(t, next(t, down))
				assert.InDelta(t, tt.want, time.Since(begin), float64(time.Millisecond), "but for the time that five bytes take on a slow link")
				p.wantClosed(engineio.ReasonServerShutdown)
				p.wantNone()
				assert.Zero(t, h.srv.Len())
			})
		})
	}
}

// One that polls gets what is queued and then the end, and may POST meanwhile.
func TestShutdownOfPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		p.text("last")
		down := make(chan error, 1)
		go func() { down <- h.srv.Shutdown(t.Context()) }()
		synctest.Wait()
		resp, err := raw.Post(t.Context(), "4late")
		wantOK(t, resp, err, "ok")
		time.Sleep(4 * time.Second)
		resp, err = raw.Get(t.Context())
		wantOK(t, resp, err, "4last")
		require.NoError(t, next(t, down))
		resp, err = raw.Get(t.Context())
		wantOK(t, resp, err, "1")
		assert.True(t, resp.Close)
		p.wantNone()
	})
}

// An upgrade under way ends, at whichever step it is, and what was queued arrives either way.
func TestShutdownDuringAnUpgrade(t *testing.T) {
	for _, queued := range []bool{false, true} {
		for _, step := range []string{"opened", "probed", "upgraded"} {
			t.Run(fmt.Sprint(step, " queued ", queued), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHost(t, nil, nil)
					raw, p := h.raw()
					if queued {
						p.text("last")
					}
					probe := dialProbe(t, raw)
					if step != "opened" {
						probe.send("2probe")
						probe.want("3probe")
					}
					synctest.Wait()
					begin, want := time.Now(), time.Duration(0)
					down := make(chan error, 1)
					go func() { down <- h.srv.Shutdown(t.Context()) }()
					synctest.Wait()
					switch {
					case !queued && step == "opened": // nothing to wait for
						probe.wantClose()
					case step == "upgraded": // the client does not poll any more
						probe.send("5")
						if queued {
							probe.want("4last")
						}
						probe.wantClose()
					default:
						resp, err := raw.Get(t.Context())
						if !queued {
							wantOK(t, resp, err, "1")
							probe.wantClose()
							break
						}
						wantOK(t, resp, err, "4last")
						want = time.Second // that has time to arrive
						if step == "probed" {
							// The client sends this when it has the answer, however long that takes. It polls no more.
							want = 3 * time.Second
							time.Sleep(want)
							probe.send("5")
						}
						probe.wantClose()
					}
					require.NoError(t, next(t, down))
					assert.InDelta(t, want, time.Since(begin), float64(time.Millisecond))
					p.wantClosed(engineio.ReasonServerShutdown)
				})
			})
		}
	}
}
