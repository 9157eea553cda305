package engineio_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// The server that handed requests over shuts down: polls are answered and go on elsewhere, WebSockets through it end, and
// it waits for nothing else.
func TestShutdownOfTheServerThatHandedOver(t *testing.T) {
	inRing(t, 3, nil, func(t *testing.T, r *ring) {
		r.to(0)
		polling, p := r.connect(eiotest.Polling)
		upgraded, q := func() (*eiotest.Client, *peer) {
			r.around = func(_ int, next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					if req.Header.Get("Upgrade") != "" { // through s1
						next = r.hosts[1].srv
					}
					next.ServeHTTP(w, req)
				})
			}
			return r.connect(eiotest.Upgrade)
		}()
		r.to(1)
		p.text("now its polls go through s1")
		wantMessages(t, polling, "text now its polls go through s1")
		synctest.Wait()
		q.isOpenEcho(upgraded)

		time.Sleep(time.Second)
		r.to(2) // as a load balancer does after the server has gone
		begin := time.Now()
		require.NoError(t, r.hosts[1].srv.Shutdown(t.Context()))
		assert.LessOrEqual(t, time.Since(begin), time.Second)
		next(t, upgraded.Closed())
		q.wantClosed(engineio.ReasonTransportClose)
		synctest.Wait()
		p.isOpenEcho(polling)
		time.Sleep(time.Minute)
		p.isOpenEcho(polling)

		// Until the http.Server is closed it goes on handing over, without waiting, and asks the client to go elsewhere.
		r.to(1)
		time.Sleep(time.Minute)
		p.isOpenEcho(polling)
		raw := &eiotest.Raw{Transport: r.front, SID: p.ID()}
		_, resp, err := raw.DialWS(t.Context(), nil)
		wantRefused(t, resp, err, 503, "4", "the server is shutting down")
		polling.Close()
		p.wantClosed(engineio.ReasonClientDisconnect)
	})
}

// A poll that comes to a server which has been shut down is answered soon, and ends its network connection.
func TestHandOverAfterShutdown(t *testing.T) {
	inRing(t, 2, nil, func(t *testing.T, r *ring) {
		raw, p := r.raw()
		r.to(1)
		require.NoError(t, r.hosts[1].srv.Shutdown(t.Context()))
		begin := time.Now()
		resp, err := raw.Get(t.Context())
		wantOK(t, resp, err, "6")
		assert.Equal(t, 25*time.Millisecond, time.Since(begin))
		assert.True(t, resp.Close)
		p.text("queued")
		resp, err = raw.Get(t.Context())
		wantOK(t, resp, err, "4queued")
		resp, err = raw.Post(t.Context(), "4up")
		wantOK(t, resp, err, "ok")
		p.want("text up")
		resp, err = raw.Get(t.Context())
		wantOK(t, resp, err, "4up")
		r.to(0) // polls wait again
		answer := get(t, raw)
		time.Sleep(time.Second)
		p.text("later")
		wantOK(t, next(t, answer), nil, "4later")
	})
}

// Shutdown waits no longer than its context for a server that does not release the polls.
func TestShutdownWithASilentPeer(t *testing.T) {
	inRing(t, 2, nil, func(t *testing.T, r *ring) {
		raw, p := r.raw()
		r.to(1)
		r.mu.Lock()
		inner := r.hosts[0].tr
		silent := eiotest.Serve(t, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }), nil)
		r.hosts[0].tr = silent
		r.mu.Unlock()
		answer := get(t, raw)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		require.ErrorIs(t, r.hosts[1].srv.Shutdown(ctx), context.DeadlineExceeded)
		assert.Equal(t, 3*time.Second, time.Since(begin))
		wantRefused(t, next(t, answer), nil, 503, "4", "the server is shutting down")
		r.hosts[0].tr = inner
		p.Close(engineio.ReasonServerDisconnect, nil)
	})
}

// The server that has the session shuts down. Its clients get the end as without a hand-over.
func TestShutdownOfTheServerWithTheSession(t *testing.T) {
	for _, mode := range []eiotest.Mode{eiotest.Polling, eiotest.Upgrade} {
		t.Run(string(mode), func(t *testing.T) {
			inRing(t, 2, nil, func(t *testing.T, r *ring) {
				c, p := r.connect(mode)
				synctest.Wait()
				p.text("last")
				begin := time.Now()
				require.NoError(t, p.h.srv.Shutdown(t.Context()))
				assert.LessOrEqual(t, time.Since(begin), time.Second)
				wantMessages(t, c, "text last")
				next(t, c.Closed())
				p.wantClosed(engineio.ReasonServerShutdown)
			})
		})
	}
}
