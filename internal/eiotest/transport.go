package eiotest

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	// ErrTransportClosed is what a Transport returns after Close.
	ErrTransportClosed = errors.New("eiotest: transport closed")
	// ErrConnLost is what a request fails with whose connection, used before by others, ended without an answer.
	ErrConnLost = errors.New("eiotest: connection lost")
)

// TransportOptions are the options of a Transport. Nil means every default.
type TransportOptions struct {
	// ToServer and ToClient are how many bytes a connection holds in each direction before a write blocks.
	// Zero means 64 KiB. net/http adds its own buffers of 4 KiB.
	ToServer, ToClient int
	// RemoteIP is the client's address as the handler sees it. Zero means 192.0.2.1.
	RemoteIP string
	// Context is where the requests that the handler sees have their context from. Zero means context.Background.
	Context context.Context
	// Server, if set, changes the http.Server before it serves.
	Server func(*http.Server)
	// HTTP2 speaks HTTP/2 without TLS.
	HTTP2 bool
}

// Transport is an http.RoundTripper that serves a handler in memory, by a real http.Server behind a real http.Transport.
// URLs with any host reach it; with https as well, where the handler sees a plain request, as behind a proxy that ends
// TLS. Responses are not decompressed. All methods may be called from any goroutine.
//
// It owns one goroutine that accepts connections and, through net/http, those that serve them; all end with Close.
type Transport struct {
	opts   TransportOptions
	base   *http.Transport
	server *http.Server
	accept chan net.Conn
	done   chan struct{}  // closed by Close
	serve  sync.WaitGroup // the accepting goroutine

	mu       sync.Mutex
	changed  *sync.Cond // running and serving
	closed   bool
	running  int            // handlers
	serving  int            // connections that net/http still serves
	open     map[*conn]bool // ends that nobody closed, hijacked ones included
	lastPort int
	log      strings.Builder
}

// NewTransport returns a Transport that serves h until Close.
func NewTransport(h http.Handler, opts *TransportOptions) *Transport {
	t := &Transport{
		accept: make(chan net.Conn),
		done:   make(chan struct{}),
		open:   map[*conn]bool{},
	}
	t.changed = sync.NewCond(&t.mu)
	if opts != nil {
		t.opts = *opts
	}
	if t.opts.ToServer <= 0 {
		t.opts.ToServer = defaultBuffer
	}
	if t.opts.ToClient <= 0 {
		t.opts.ToClient = defaultBuffer
	}
	if t.opts.RemoteIP == "" {
		t.opts.RemoteIP = "192.0.2.1"
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return t.DialConn(ctx) }
	t.base = &http.Transport{DialContext: dial, DialTLSContext: dial, DisableCompression: true}
	t.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			t.count(&t.running, 1)
			defer t.count(&t.running, -1)
			h.ServeHTTP(w, r)
		}),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				t.count(&t.serving, 1)
			case http.StateClosed, http.StateHijacked:
				t.count(&t.serving, -1)
			}
		},
		ErrorLog: log.New((*serverLog)(t), "", 0),
	}
	if t.opts.Context != nil {
		t.server.BaseContext = func(net.Listener) context.Context { return t.opts.Context }
	}
	if t.opts.HTTP2 {
		t.base.Protocols, t.server.Protocols = new(http.Protocols), new(http.Protocols)
		t.base.Protocols.SetUnencryptedHTTP2(true)
		t.server.Protocols.SetUnencryptedHTTP2(true)
	}
	if t.opts.Server != nil {
		t.opts.Server(t.server)
	}
	t.serve.Go(func() { _ = t.server.Serve((*listener)(t)) })
	return t
}

// Serve returns a Transport that is closed when the test ends. The test fails if net/http had something to complain
// about, such as a panic of the handler or a second WriteHeader.
func Serve(tb testing.TB, h http.Handler, opts *TransportOptions) *Transport {
	tb.Helper()
	t := NewTransport(h, opts)
	tb.Cleanup(func() {
		t.Close()
		if s := t.Log(); s != "" {
			tb.Errorf("eiotest: the HTTP server logged:\n%s", s)
		}
	})
	return t
}

// RoundTrip implements http.RoundTripper. A request whose connection is lost fails.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	// http.Transport would send a GET once more when a connection that was used before ends without an answer. That
	// hides from a test what became of its request: fail the second attempt.
	var wrote, again atomic.Bool
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				wrote.Store(true)
			}
		},
		GotConn: func(info httptrace.GotConnInfo) {
			if wrote.Load() {
				again.Store(true)
				info.Conn.Close()
			}
		},
	})
	resp, err := t.base.RoundTrip(req.WithContext(ctx))
	if err != nil && again.Load() {
		err = ErrConnLost
	}
	return resp, err
}

// DialConn opens a bare connection to the HTTP server, for tests that write their own bytes.
func (t *Transport) DialConn(ctx context.Context) (net.Conn, error) {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil, ErrTransportClosed
	}
	t.lastPort++
	client, server := newPipe(
		&net.TCPAddr{IP: net.ParseIP(t.opts.RemoteIP), Port: 10000 + t.lastPort},
		&net.TCPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 80},
		t.opts.ToServer, t.opts.ToClient)
	for _, end := range []*conn{client, server} {
		end.onClose = func() { t.forget(end) }
		t.open[end] = true
	}
	t.mu.Unlock()

	var err error
	select {
	case t.accept <- server:
		return client, nil
	case <-t.done:
		err = ErrTransportClosed
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	client.Close()
	server.Close()
	return nil, err
}

// Conns says how many connections are open on the server's side, those it hijacked included.
func (t *Transport) Conns() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for end := range t.open {
		if end.local.(*net.TCPAddr).Port == 80 {
			n++
		}
	}
	return n
}

// Log returns what the HTTP server wrote to its error log so far.
func (t *Transport) Log() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.log.String()
}

// Wait waits until no handler is running.
func (t *Transport) Wait() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.running > 0 {
		t.changed.Wait()
	}
}

// CloseConns drops every connection at once, as a network failure does. New ones can be opened.
func (t *Transport) CloseConns() {
	t.mu.Lock()
	ends := make([]*conn, 0, len(t.open))
	for end := range t.open {
		ends = append(ends, end)
	}
	t.mu.Unlock()
	for _, end := range ends {
		end.Close()
	}
}

// Close drops every connection and waits until the handlers have returned and the connections are no longer served. A
// handler that ignores the end of its request's context blocks it.
func (t *Transport) Close() {
	t.mu.Lock()
	first := !t.closed
	t.closed = true
	t.mu.Unlock()
	if first {
		close(t.done)
		t.server.Close()
	}
	t.CloseConns()
	t.base.CloseIdleConnections()
	t.serve.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.running > 0 || t.serving > 0 {
		t.changed.Wait()
	}
}

func (t *Transport) count(n *int, by int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*n += by
	t.changed.Broadcast()
}

func (t *Transport) forget(end *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, end)
}

// listener is the Transport as its server's net.Listener.
type listener Transport

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error { return nil } // Transport.Close ends Accept

func (l *listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 80} }

// serverLog is the Transport as its server's error log.
type serverLog Transport

func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}
