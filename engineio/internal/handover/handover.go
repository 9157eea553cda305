// Package handover hands requests over to the server that has their session. The session
// id names that server. It gets a request as the client sent it, but with one more header
// and from the address of this server, and the client gets its answer. So a poll waits on
// both servers, and a WebSocket passes through this one as long as it lasts.
//
// If servers do not hand requests over, a History finds out whether they should.
package handover

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/httpbody"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
)

// Header is in requests that have been handed over.
const Header = "Engineio-Handed-Over"

// The values of Header. A client that makes them up harms only itself.
const (
	markOnce      = "once"       // the request is for this server, or for none
	markShortPoll = "short-poll" // the same; see IsShortPoll
	markRelease   = "release"    // see IsRelease
)

// IsShortPoll reports whether a poll must not wait, because the server that has handed it
// over is shutting down.
func IsShortPoll(r *http.Request) bool { return mark(r) == markShortPoll }

// IsRelease reports whether a request only asks for the answer to the poll of its session
// that waits, for the same reason.
func IsRelease(r *http.Request) bool { return mark(r) == markRelease }

// mark returns what the header says, "" for a request that comes from a client.
func mark(r *http.Request) string {
	if v := r.Header[Header]; len(v) > 0 {
		return v[0]
	}
	return ""
}

const (
	dialTimeout = 3 * time.Second
	// idleTimeout is shorter than the timeout of any server, so that no request
	// uses a connection that the other side is closing.
	idleTimeout = 2 * time.Second
	// releaseAgain is the time after which a poll is released once more: the first
	// release may have come before the poll.
	releaseAgain = 250 * time.Millisecond
	// closeTimeout is how long the bodies of POSTs may take after Close.
	closeTimeout = 5 * time.Second
)

// Why a request was not handed over or answered, besides httpbody.ErrTooLarge, an error
// of Options.Bodies.Exceeded, a *websock.HijackError, and what Options.PeerURL returned.
var (
	// ErrUnknown: the session id names no other server.
	ErrUnknown = errors.New("engineio: session ID unknown")
	// ErrMisdirected: the request was handed over to this server, which does not have the session.
	ErrMisdirected = errors.New("engineio: a request was handed over to the wrong server")
	// ErrUnreachable: the server that has the session does not answer.
	ErrUnreachable = errors.New("engineio: the server that has the session cannot be reached")
	// ErrClosed: this server is shutting down.
	ErrClosed = errors.New("engineio: server closed")
	// ErrBody: the body could not be read.
	ErrBody = errors.New("engineio: the body could not be read")

	errSilent = errors.New("engineio: the server that has the session does not answer")
)

// IsServerID reports whether s can be the id of a server.
func IsServerID(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 64
}

// Options configure Peers. All but Transport must be set.
type Options struct {
	ServerID string // of this server
	// PeerURL returns the endpoint of a server, nil without an error if there is none.
	PeerURL        func(ctx context.Context, id string) (*url.URL, error)
	Transport      http.RoundTripper // sends the requests; nil means one with our settings
	TrustForwarded bool              // pass on the client's forwarding headers
	WriteTimeout   time.Duration     // how long a client may take nothing of what is written to it
	Silence        time.Duration     // how long a client waits for a server that is silent
	Bodies         *httpbody.Budget  // of POSTs
	// BeginPost prepares the reading of the body of a POST.
	BeginPost func(*http.Request, *httpbody.Body)
	Logger    *slog.Logger // gets the proxy's messages, at debug
	// Warn logs an event of a kind that clients can provoke.
	Warn func(kind, what string, args ...any)
	// LiftDeadlines removes the deadlines of a request that may wait. DeadlineSet is
	// called with the result of setting one.
	LiftDeadlines func(w http.ResponseWriter, r *http.Request)
	DeadlineSet   func(error)
	// Running counts the requests that Close and Cut can end.
	Running *sync.WaitGroup
}

// Peers hands requests over.
//
// Goroutines: one, request.release, for each poll that waits when Drain is called. It
// ends with the poll. Goroutines of the transport and the proxy end with the request.
// Options.Running counts all of them.
type Peers struct {
	opts      Options
	transport http.RoundTripper
	own       *http.Transport // transport, unless Options.Transport is set
	log       *log.Logger
	count     atomic.Uint64

	mu      sync.Mutex // protects the following
	open    map[*Request]bool
	reading map[*httpbody.Body]bool // of POSTs that will be handed over
	closed  bool
}

// New returns Peers.
func New(opts Options) *Peers {
	p := &Peers{
		opts: opts, transport: opts.Transport, open: make(map[*Request]bool), reading: make(map[*httpbody.Body]bool),
		log: slog.NewLogLogger(opts.Logger.Handler(), slog.LevelDebug),
	}
	if p.transport == nil {
		var protocols http.Protocols
		protocols.SetHTTP1(true)
		p.own = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout: dialTimeout,
			IdleConnTimeout:     idleTimeout,
			MaxIdleConnsPerHost: 1000,
			DisableCompression:  true,
			Protocols:           &protocols,
		}
		p.transport = p.own
	}
	return p
}

// Count returns how many requests other servers have answered.
func (p *Peers) Count() uint64 { return p.count.Load() }

// Serve serves a request of a session that is not on this server. After an error the
// request is not answered.
func (p *Peers) Serve(w http.ResponseWriter, r *http.Request, sid string, webSocket bool) error {
	dot := strings.LastIndexByte(sid, '.')
	id := sid[dot+1:]
	switch {
	case dot < 0 || id == p.opts.ServerID || !IsServerID(id) || r.Method != http.MethodGet && r.Method != http.MethodPost:
		return ErrUnknown
	case mark(r) != "": // so that servers do not hand a request on for ever
		p.opts.Warn(noticeMisdirected, "a request was handed over to the wrong server, or a client forges the header "+Header, "for", id, "from", r.RemoteAddr)
		return ErrMisdirected
	}
	if webSocket && !websock.CanHijack(w) {
		return &websock.HijackError{Err: http.ErrNotSupported} // before the other server begins anything
	}
	endpoint, err := p.opts.PeerURL(r.Context(), id)
	switch {
	case err != nil:
		return err
	case endpoint == nil:
		return ErrUnknown
	}
	h := &Request{p: p, id: id, w: w, in: r, endpoint: endpoint, webSocket: webSocket, mark: markOnce}
	h.ctx, h.cancel = context.WithCancelCause(r.Context())
	defer h.cancel(nil)
	p.opts.LiftDeadlines(w, r)
	if r.Method == http.MethodPost {
		b := p.opts.Bodies.New(w)
		b.AfterRead(h.cancel)
		p.opts.BeginPost(r, b)
		defer b.Release()
		if err := h.read(b); err != nil {
			return err
		}
	}
	if err := p.begin(h); err != nil {
		return err
	}
	defer p.end(h)
	h.patience = time.AfterFunc(h.wait(), func() { h.cancel(errSilent) })
	defer h.patience.Stop()
	if webSocket {
		w = &tunnelWriter{w, h}
	}
	proxy := httputil.ReverseProxy{
		Rewrite: h.rewrite, Transport: p.transport, ModifyResponse: h.answered, ErrorHandler: h.failed,
		BufferPool: copyBuffers{}, ErrorLog: p.log,
	}
	proxy.ServeHTTP(w, r.WithContext(h.ctx))
	return h.err
}

// begin makes a request known to Shutdown. A request after Shutdown must not wait.
func (p *Peers) begin(h *Request) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.closed:
		p.open[h] = true
		p.opts.Running.Add(1)
	case h.webSocket:
		return ErrClosed
	default:
		h.mark = markShortPoll
	}
	return nil
}

func (p *Peers) end(h *Request) {
	p.mu.Lock()
	known := p.open[h]
	delete(p.open, h)
	p.mu.Unlock()
	if known {
		p.opts.Running.Done()
	}
}

func (p *Peers) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// Close begins the shutdown: requests from now on do not wait.
func (p *Peers) Close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for b := range p.reading {
		_ = b.Until(time.Now().Add(closeTimeout))
	}
}

// All returns the requests that are being handed over.
func (p *Peers) All() []*Request {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.open))
}

// Cut ends all requests that are left.
func (p *Peers) Cut() {
	if p == nil {
		return
	}
	p.mu.Lock()
	reading := slices.Collect(maps.Keys(p.reading))
	p.mu.Unlock()
	for _, b := range reading {
		b.Cut(ErrClosed)
	}
	for _, h := range p.All() {
		h.cancel(ErrClosed)
	}
	p.CloseIdle()
}

// CloseIdle closes connections to other servers that are not in use.
func (p *Peers) CloseIdle() {
	if p != nil && p.own != nil {
		p.own.CloseIdleConnections()
	}
}

// The kinds of notices about hand-overs. Failures that a client can cause with a header or a
// session id that it makes up have another kind than a server that is away.
const (
	noticeMisdirected = "peer: misdirected"
	noticeAway        = "peer: away"
)
