package engineio_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// ring is some servers that hand requests over to each other, behind a balancer that sends each request to the next.
type ring struct {
	t     *testing.T
	hosts []*host
	front *eiotest.Transport // the balancer

	mu     sync.Mutex
	nth    int                    // of the server that gets the next request
	stick  bool                   // nth stays
	lookup func(id string) string // of another server; nil: "http://" + id
	asked  []string               // ids
	sent   []*http.Request        // handed over
	around func(i int, next http.Handler) http.Handler
}

// newRing starts n servers whose ids are s0, s1 ...
func newRing(t *testing.T, n int, opts *engineio.Options) *ring {
	t.Helper()
	r := &ring{t: t}
	for i := range n {
		var o engineio.Options
		if opts != nil {
			o = *opts
		}
		o.ServerID, o.PeerURL, o.PeerTransport = fmt.Sprint("s", i), r.find, r
		h := newHost(t, &o, &eiotest.TransportOptions{RemoteIP: fmt.Sprint("10.0.0.", i)})
		h.echo = true
		r.hosts = append(r.hosts, h)
	}
	r.front = eiotest.Serve(t, http.HandlerFunc(r.balance), nil)
	return r
}

func (r *ring) find(ctx context.Context, id string) (*url.URL, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, id)
	at := "http://" + id
	if r.lookup != nil {
		at = r.lookup(id)
	}
	if at == "" {
		return nil, nil
	}
	return url.Parse(at + "/engine.io/")
}

// RoundTrip sends what is handed over: the host is the id of a server, or "balancer".
func (r *ring) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.sent = append(r.sent, req)
	r.mu.Unlock()
	if req.URL.Host == "balancer" {
		return r.front.RoundTrip(req)
	}
	var i int
	if _, err := fmt.Sscanf(req.URL.Host, "s%d", &i); err != nil || i >= len(r.hosts) {
		return nil, errors.New("no such host")
	}
	return r.hosts[i].tr.RoundTrip(req)
}

func (r *ring) balance(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	i := r.nth % len(r.hosts)
	if !r.stick {
		r.nth++
	}
	around := r.around
	r.mu.Unlock()
	var h http.Handler = r.hosts[i].srv
	if around != nil {
		h = around(i, h)
	}
	h.ServeHTTP(w, req)
}

// to has the balancer send all requests to one server.
func (r *ring) to(i int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nth, r.stick = i, true
}

// connect connects through the balancer, and returns at which server.
func (r *ring) connect(mode eiotest.Mode) (*eiotest.Client, *peer) {
	r.t.Helper()
	c := eiotest.Connect(r.t, nil, &eiotest.Options{Mode: mode, Transport: r.front})
	return c, r.peer()
}

// raw opens a polling session at s0, which is where later requests go, too.
func (r *ring) raw() (*eiotest.Raw, *peer) {
	r.t.Helper()
	r.to(0)
	raw := &eiotest.Raw{Transport: r.front}
	_, _, err := raw.Handshake(r.t.Context())
	require.NoError(r.t, err)
	return raw, r.peer()
}

func (r *ring) peer() *peer {
	r.t.Helper()
	synctest.Wait()
	for _, h := range r.hosts {
		select {
		case p := <-h.peers:
			return p
		default:
		}
	}
	require.FailNow(r.t, "no server has the connection")
	return nil
}

func (r *ring) handedOver() (n uint64) {
	for _, h := range r.hosts {
		n += h.srv.Stats().HandedOver
	}
	return n
}

func inRing(t *testing.T, n int, opts *engineio.Options, f func(t *testing.T, r *ring)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newRing(t, n, opts)) })
}
