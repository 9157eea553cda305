package e2e

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
)

// balancer is an HTTP proxy in front of several servers, as it is found in front
// of those that are updated one by one. A session stays where it began, known by
// its sid. A handshake goes to the servers in turn, and to the next one if its
// server is not there or answers 503.
type balancer struct {
	listener  net.Listener
	server    *http.Server
	transport http.Transport

	mu      sync.Mutex
	servers []string
	turn    int
	homes   map[string]string // of polling sessions, by sid
	refused int               // handshakes that a server did not take
}

func newBalancer(t *testing.T, servers ...string) *balancer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &balancer{listener: listener, servers: servers, homes: make(map[string]string)}
	quiet := log.New(io.Discard, "", 0)
	b.server = &http.Server{ErrorLog: quiet, Handler: &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.Out.Host = r.In.Host },
		Transport:    b,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		ErrorLog:     quiet,
	}}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = b.server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = b.server.Close()
		<-served
		b.transport.CloseIdleConnections()
	})
	return b
}

func (b *balancer) addr() string { return b.listener.Addr().String() }

// RoundTrip sends a request to its server.
func (b *balancer) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	if sid := r.URL.Query().Get("sid"); sid != "" {
		b.mu.Lock()
		home := b.homes[sid]
		b.mu.Unlock()
		if home == "" {
			return nil, errors.New("a sid that no server has given")
		}
		return b.send(r, home)
	}
	b.mu.Lock()
	first := b.turn
	b.turn++
	b.mu.Unlock()
	for i := range b.servers {
		home := b.servers[(first+i)%len(b.servers)]
		resp, err = b.send(r, home)
		if err == nil && resp.StatusCode != http.StatusServiceUnavailable {
			return resp, b.learn(resp, home)
		}
		if err == nil && i < len(b.servers)-1 {
			_ = resp.Body.Close()
		}
		b.mu.Lock()
		b.refused++
		b.mu.Unlock()
	}
	return resp, err
}

func (b *balancer) send(r *http.Request, server string) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host = "http", server
	return b.transport.RoundTrip(out)
}

var sidOfOpen = regexp.MustCompile(`^0\{"sid":"([^"]+)"`)

// learn notes where a session is at home.
func (b *balancer) learn(resp *http.Response, home string) error {
	if resp.StatusCode != http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if m := sidOfOpen.FindSubmatch(body); m != nil {
		b.mu.Lock()
		b.homes[string(m[1])] = home
		b.mu.Unlock()
	}
	return err
}

// TestRollingRestart restarts two servers, one after the other, while clients
// talk to them. What was handled was acknowledged; and with clients that repeat
// what was not, everything is handled, exactly once. All clients are back in the end.
func TestRollingRestart(t *testing.T) {
	enable(t)
	for name, tt := range map[string]struct {
		window time.Duration
		env    []string
		expectation
	}{
		"clients that repeat": {
			window:      500 * time.Millisecond,
			env:         []string{"CLIENTS=socket.io-client-4", "TIMES=5", "RETRIES=100"},
			expectation: expectation{complete: true},
		},
		"clients that repeat, all at once": {
			env:         []string{"CLIENTS=socket.io-client-4", "TIMES=5", "RETRIES=100"},
			expectation: expectation{complete: true},
		},
		"clients that do not": {env: []string{"TIMES=4"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var j journal
			config := patient
			config.Work = 5 * time.Millisecond
			config.DrainWindow = tt.window
			var servers [2]*process
			var addrs [2]string
			for i := range servers {
				servers[i], addrs[i] = startNumbers(t, config, &j)
			}
			proxy := newBalancer(t, addrs[:]...)
			clients := startClients(t, proxy.addr(), nil, tt.env...)
			for i := range servers {
				time.Sleep(500 * time.Millisecond) // of load
				servers[i].terminate(t)
				again := config
				again.Addr = addrs[i]
				servers[i], _ = startNumbers(t, again, &j)
			}
			time.Sleep(500 * time.Millisecond)
			v := tt.expectation
			v.acknowledged, v.ends = true, everyTransport
			v.reasons = []socketio.Reason{socketio.ReasonServerShutdown}
			check(t, &j, finish(t, clients), v)
			for i := range servers {
				servers[i].terminate(t)
			}
			assert.Zero(t, j.open(), "sessions without an end")
			if tt.window > 0 {
				assert.Positive(t, proxy.refused, "nobody asked the server that was going away")
			}
		})
	}
}
