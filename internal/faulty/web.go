package faulty

import (
	"bufio"
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// Habits are what an HTTP proxy does to requests and answers.
type Habits struct {
	// BufferBodies holds a request or an answer back until its whole body has
	// arrived.
	BufferBodies bool
	// CutWebSocket ends a WebSocket so long after its handshake, without a
	// close frame; 0 means never.
	CutWebSocket time.Duration
	// StripUpgrade drops the headers that ask for WebSocket, as a proxy without
	// the configuration for it does.
	StripUpgrade bool
}

// Web is an HTTP proxy in front of a server. Close ends its goroutines: those of
// its http.Server, two a WebSocket, and those of its connections to the server.
type Web struct {
	habits    Habits
	listener  net.Listener
	server    *http.Server
	transport *http.Transport
	forward   *httputil.ReverseProxy
	wg        sync.WaitGroup // requests, and the goroutine that serves

	mu     sync.Mutex // protects the following
	tunnel map[net.Conn]struct{}
	closed bool
}

// NewWeb starts a proxy to target, a host and port.
func NewWeb(target string, habits Habits) (*Web, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &Web{habits: habits, listener: listener, transport: new(http.Transport), tunnel: make(map[net.Conn]struct{})}
	w.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: target})
			r.Out.Host = r.In.Host
		},
		Transport:    w.transport,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	if habits.BufferBodies {
		w.forward.ModifyResponse = func(r *http.Response) error {
			if r.StatusCode == http.StatusSwitchingProtocols {
				return nil
			}
			return buffer(&r.Body)
		}
	}
	w.server = &http.Server{Handler: http.HandlerFunc(w.serve), ErrorLog: log.New(io.Discard, "", 0)}
	w.wg.Go(func() { _ = w.server.Serve(listener) })
	return w, nil
}

// buffer replaces a body by all that is in it.
func buffer(body *io.ReadCloser) error {
	b, err := io.ReadAll(*body)
	_ = (*body).Close()
	*body = io.NopCloser(bytes.NewReader(b))
	return err
}

// Addr returns the host and port to which clients connect.
func (w *Web) Addr() string { return w.listener.Addr().String() }

// Close cuts all connections and waits until nothing is left.
func (w *Web) Close() {
	_ = w.server.Close()
	w.mu.Lock()
	w.closed = true
	for c := range w.tunnel {
		_ = c.Close()
	}
	w.mu.Unlock()
	w.wg.Wait()
	w.transport.CloseIdleConnections()
}

func (w *Web) serve(rw http.ResponseWriter, r *http.Request) {
	w.wg.Add(1)
	defer w.wg.Done()
	if w.habits.StripUpgrade {
		r.Header.Del("Upgrade")
		r.Header.Del("Connection")
	}
	if w.habits.BufferBodies && r.Body != http.NoBody {
		if err := buffer(&r.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	t := &tunnelWriter{ResponseWriter: rw, web: w}
	defer t.end()
	w.forward.ServeHTTP(t, r)
}

// tunnelWriter gets hold of the connection of a WebSocket, which the http.Server
// does not close.
type tunnelWriter struct {
	http.ResponseWriter
	web  *Web
	conn net.Conn
	cut  *time.Timer
}

// Hijack implements http.Hijacker.
func (t *tunnelWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	t.conn = conn
	t.web.mu.Lock()
	defer t.web.mu.Unlock()
	t.web.tunnel[conn] = struct{}{}
	if t.web.closed {
		_ = conn.Close()
	}
	if d := t.web.habits.CutWebSocket; d > 0 {
		t.cut = time.AfterFunc(d, func() { _ = conn.Close() })
	}
	return conn, rw, nil
}

func (t *tunnelWriter) end() {
	if t.conn == nil {
		return
	}
	if t.cut != nil {
		t.cut.Stop()
	}
	_ = t.conn.Close()
	t.web.mu.Lock()
	delete(t.web.tunnel, t.conn)
	t.web.mu.Unlock()
}
