package engineio_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// shortTimeouts has the time-outs of a server that is made for short requests.
func shortTimeouts(s *http.Server) {
	s.ReadTimeout, s.WriteTimeout, s.ReadHeaderTimeout, s.IdleTimeout = time.Second, time.Second, time.Second, time.Minute
}

// overHTTP runs a test over HTTP/1 and HTTP/2, in a synctest bubble.
func overHTTP(t *testing.T, f func(t *testing.T, opts *eiotest.TransportOptions)) {
	for name, http2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, &eiotest.TransportOptions{HTTP2: http2, Server: shortTimeouts}) })
		})
	}
}

// The time-outs of http.Server begin with a request; polls wait longer, and so do slow POSTs and connect handlers.
func TestHTTPTimeouts(t *testing.T) {
	overHTTP(t, func(t *testing.T, opts *eiotest.TransportOptions) {
		h := newHost(t, nil, opts)
		h.onNew = func(p *peer) (engineio.Receiver, error) { time.Sleep(3 * time.Second); return p, nil }
		raw, p := h.raw()
		for range 3 {
			poll := get(t, raw)
			time.Sleep(20 * time.Second)
			assert.Empty(t, poll)
			p.text("late")
			wantOK(t, next(t, poll), nil, "4late")
			if resp, _ := raw.Get(t.Context()); assert.NotNil(t, resp) {
				assert.Equal(t, "2", resp.Body, "a ping")
			}
			body, input := io.Pipe()
			post := async(t, func() (*eiotest.Response, error) {
				return raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), body, nil)
			})
			for _, s := range []string{"3\x1e4", "very ", "slow"} {
				_, _ = io.WriteString(input, s)
				time.Sleep(3 * time.Second)
			}
			input.Close()
			wantOK(t, next(t, post), nil, "ok")
			p.want("text very slow")
		}
	})
}

// So do requests of sessions that another server has.
func TestHTTPTimeoutsOfRequestsHandedOver(t *testing.T) {
	inRing(t, 2, nil, func(t *testing.T, r *ring) {
		raw, p := r.raw()
		for _, http2 := range []bool{false, true} {
			raw.Transport = eiotest.Serve(t, r.hosts[1].srv, &eiotest.TransportOptions{HTTP2: http2, Server: shortTimeouts})
			poll := get(t, raw)
			time.Sleep(20 * time.Second)
			p.text("late")
			wantOK(t, next(t, poll), nil, "4late")
			resp, err := raw.Get(t.Context())
			wantOK(t, resp, err, "2")
			body, input := io.Pipe()
			post := async(t, func() (*eiotest.Response, error) {
				return raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), body, nil)
			})
			_, _ = io.WriteString(input, "3\x1e4sl")
			time.Sleep(3 * time.Second)
			_, _ = io.WriteString(input, "ow")
			input.Close()
			wantOK(t, next(t, post), nil, "ok")
			p.want("text slow")
			resp, err = raw.Get(t.Context())
			wantOK(t, resp, err, "4slow") // the echo
		}
	})
}

// The same over TLS, where HTTP/2 is negotiated, on real sockets.
func TestHTTP2OverTLS(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil, nil)
	web := httptest.NewUnstartedServer(h.srv)
	web.EnableHTTP2 = true
	web.Config.WriteTimeout = 4 * time.Second // net/http gives the TLS handshake no longer, on a busy machine, too
	web.StartTLS()
	defer web.Close()
	raw := &eiotest.Raw{Transport: web.Client().Transport, URL: web.URL}
	_, _, err := raw.Handshake(t.Context())
	require.NoError(t, err)
	p := h.peer()
	poll := get(t, raw)
	time.Sleep(5 * time.Second) // more is no harm
	p.text("late")
	wantOK(t, next(t, poll), nil, "4late")
	resp, err := raw.Post(t.Context(), "4x")
	wantOK(t, resp, err, "ok")
	p.want("text x")
}
