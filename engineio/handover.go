package engineio

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
)

// A request of a session that another server has is handed over to that server,
// which its session id names (Options.PeerURL). The other server sees it as it
// was sent, but from this one's address, and with the header below; its answer is
// the answer. A poll thus waits here as well as there, and a WebSocket goes
// through this server as long as it lasts.

// markHeader is in requests that have been handed over.
const markHeader = "Engineio-Handed-Over"

// Its values. Clients that make them up harm nobody but themselves.
const (
	markOnce = "once" // it is for this server, or for none
	// markSoon, besides: a poll does not wait, since the server that handed it
	// over is shutting down.
	markSoon = "soon"
	// markRelease: the poll that waits is to be answered, for the same reason.
	// That is all that the request is for.
	markRelease = "release"
)

// mark returns what the header says, "" for a request that comes from a client.
func mark(r *http.Request) string {
	if v := r.Header[markHeader]; len(v) > 0 {
		return v[0]
	}
	return ""
}

const (
	peerDialTimeout = 3 * time.Second
	// peerIdleTimeout is shorter than that of any server, so that no request
	// meets a connection that the other side is closing.
	peerIdleTimeout = 2 * time.Second
	// releaseAgain is when a poll that has not been released is again: the order
	// may have come before the poll.
	releaseAgain = 250 * time.Millisecond
)

var (
	refuseNoPeer = refuse(http.StatusBadGateway, CodeUnknownSID, causePeer,
		"session ID unknown here, and the server that has the session cannot be reached (Options.PeerURL): connect again")
	refuseAstray = refuse(http.StatusBadGateway, CodeUnknownSID, causePeer,
		"session ID unknown: another server has handed the request over to this one, which does not have the session either; "+
			"does that server's Options.PeerURL lead to a load balancer, or to another server, instead of itself?")

	errPeerSilent = errors.New("engineio: the server that has the session does not answer")
)

// isServerID reports whether s can be an Options.ServerID.
func isServerID(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 64
}

// peers hands requests over.
//
// Goroutines: one, handed.release, for each poll that waits when Shutdown is
// called, which ends with the poll. What the transport and the proxy start ends
// with the request. Server.Shutdown waits for the requests that it finds.
type peers struct {
	srv       *Server
	transport http.RoundTripper
	own       *http.Transport // transport, unless Options.PeerTransport is set
	log       *log.Logger
	count     atomic.Uint64

	mu     sync.Mutex // protects the following
	open   map[*handed]bool
	closed bool

	reading map[*body]bool // of POSTs that are to be handed over
}

func newPeers(s *Server) *peers {
	p := &peers{
		srv: s, transport: s.opts.PeerTransport, open: make(map[*handed]bool), reading: make(map[*body]bool),
		log: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
	if p.transport == nil {
		var protocols http.Protocols
		protocols.SetHTTP1(true)
		p.own = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: peerDialTimeout}).DialContext,
			TLSHandshakeTimeout: peerDialTimeout,
			IdleConnTimeout:     peerIdleTimeout,
			MaxIdleConnsPerHost: 1000,
			DisableCompression:  true,
			Protocols:           &protocols,
		}
		p.transport = p.own
	}
	return p
}

// handOver serves a request of a session that is not here.
func (p *peers) handOver(w http.ResponseWriter, r *http.Request, sid, transport string) *Refusal {
	dot := strings.LastIndexByte(sid, '.')
	id := sid[dot+1:]
	switch {
	case dot < 0 || id == p.srv.opts.ServerID || !isServerID(id) || r.Method != http.MethodGet && r.Method != http.MethodPost:
		return refuseUnknownSID
	case mark(r) != "": // handed on and on, it might never arrive
		p.warn(noticeAstray, "a request was handed over to the wrong server, or a client forges the header "+markHeader, "for", id, "from", r.RemoteAddr)
		return refuseAstray
	}
	if transport == WebSocket && !canHijack(w) {
		return refuseHijack(http.ErrNotSupported) // before the other server begins anything
	}
	endpoint, refusal := p.find(r.Context(), id)
	if refusal != nil {
		return refusal
	}
	h := &handed{p: p, id: id, w: w, in: r, endpoint: endpoint, transport: transport, mark: markOnce}
	h.ctx, h.cancel = context.WithCancelCause(r.Context())
	defer h.cancel(nil)
	p.srv.liftDeadlines(w, r)
	if r.Method == http.MethodPost {
		b := p.srv.newBody(w)
		b.then = h.cancel
		defer b.release()
		if refusal := h.read(b); refusal != nil {
			return refusal
		}
	}
	if refusal := p.begin(h); refusal != nil {
		return refusal
	}
	defer p.end(h)
	h.patience = time.AfterFunc(h.wait(), func() { h.cancel(errPeerSilent) })
	defer h.patience.Stop()
	if transport == WebSocket {
		w = &tunnelWriter{w, h}
	}
	proxy := httputil.ReverseProxy{
		Rewrite: h.rewrite, Transport: p.transport, ModifyResponse: h.answered, ErrorHandler: h.failed,
		BufferPool: copyBuffers{}, ErrorLog: p.log,
	}
	proxy.ServeHTTP(w, r.WithContext(h.ctx))
	return h.refusal
}

// find returns the endpoint of a server.
func (p *peers) find(ctx context.Context, id string) (endpoint *url.URL, refusal *Refusal) {
	defer func() {
		if v := recover(); v != nil {
			p.srv.logPanic("Options.PeerURL", v)
			endpoint, refusal = nil, refuseNoPeer
		}
	}()
	endpoint, err := p.srv.opts.PeerURL(ctx, id)
	var chosen *Refusal
	switch {
	case errors.As(err, &chosen):
		refused := *refusalOf(err)
		refused.cause = causePeer
		return nil, &refused
	case err != nil:
		if ctx.Err() == nil {
			p.warn(noticePeerURL, "Options.PeerURL failed", "for", id, "error", err)
		}
		return nil, refuseNoPeer
	case endpoint == nil:
		return nil, refuseUnknownSID
	}
	return endpoint, nil
}

// begin makes a request known to Shutdown. One that comes after it must not last.
func (p *peers) begin(h *handed) *Refusal {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.closed:
		p.open[h] = true
		p.srv.wg.Add(1)
	case h.transport == WebSocket:
		return refusalOf(ErrServerClosed)
	default:
		h.mark = markSoon
	}
	return nil
}

func (p *peers) end(h *handed) {
	p.mu.Lock()
	known := p.open[h]
	delete(p.open, h)
	p.mu.Unlock()
	if known {
		p.srv.wg.Done()
	}
}

// releasePoll answers the poll that waits, at once.
func (c *Conn) releasePoll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.polling {
		c.hurry, c.noopAt = true, time.Time{}
		c.wakeLocked()
	}
}

// close begins Shutdown.
func (p *peers) close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for b := range p.reading {
		_ = b.until(time.Now().Add(closeTimeout))
	}
}

// all returns the requests that are handed over now and known.
func (p *peers) all() []*handed {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*handed, 0, len(p.open))
	for h := range p.open {
		all = append(all, h)
	}
	return all
}

// cut ends all requests that are left.
func (p *peers) cut() {
	if p == nil {
		return
	}
	p.mu.Lock()
	reading := slices.Collect(maps.Keys(p.reading))
	p.mu.Unlock()
	for _, b := range reading {
		b.cut(ErrServerClosed)
	}
	for _, h := range p.all() {
		h.cancel(ErrServerClosed)
	}
	p.idle()
}

// idle closes connections that are not in use.
func (p *peers) idle() {
	if p != nil && p.own != nil {
		p.own.CloseIdleConnections()
	}
}

// The kinds of notices about hand-overs. What a client can bring about by itself, with a
// header or a session id that it makes up, is not of the kind of a server that is away.
const (
	noticeAstray   = "peer: astray"
	noticePeerURL  = "peer: PeerURL"
	noticePeerAway = "peer: away"
)

// warn logs, but not everything that clients can provoke.
func (p *peers) warn(kind, what string, args ...any) {
	p.srv.notices.Warn(context.Background(), kind, "engineio: "+what+" (Options.PeerURL)", args...)
}
