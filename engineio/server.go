package engineio

import (
	"fmt"
	"iter"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seed-d124fa34/socketio/engineio/internal/admission"
	"github.com/seed-d124fa34/socketio/engineio/internal/handover"
	"github.com/seed-d124fa34/socketio/engineio/internal/httpbody"
	"github.com/seed-d124fa34/socketio/engineio/internal/origin"
	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
	"github.com/seed-d124fa34/socketio/engineio/internal/protocol"
	"github.com/seed-d124fa34/socketio/engineio/internal/sessions"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
	"github.com/seed-d124fa34/socketio/internal/budget"
	"github.com/seed-d124fa34/socketio/internal/notice"
)

// Server is an Engine.IO server: an http.Handler for the endpoint
// Options.Path. All methods are safe for concurrent use.
type Server struct {
	opts Options
	wg   sync.WaitGroup // one for each connection and each goroutine

	flushers []flusher
	next     atomic.Uint32 // flusher of the next connection
	stats    stats
	budget   budget.Budget     // of what waits to be sent
	bodies   httpbody.Budget   // of POSTs
	headers  admission.Headers // of handshakes
	origins  origin.Policy
	peers    *handover.Peers // the other servers, for hand-over; nil without PeerURL
	history  handover.History
	websock  [outgoing.Base64 + 1]websock.Options // by the form of the messages
	notices  notice.Log

	conns  *sessions.Table[*Conn] // changed with mu held
	closed atomic.Bool            // changed with mu held

	mu       sync.RWMutex     // protects the following, and that connections come and go
	perIP    map[string]int   // connections by clientKey; nil without MaxConnectionsPerIP
	keys     map[*Conn]string // clientKey of each connection; nil without MaxConnectionsPerIP
	shutDown map[string]bool  // sids of the connections that Shutdown has closed
}

// NewServer returns a server with a copy of opts. If the options are not valid, it
// returns an error that says what to set.
func NewServer(opts *Options) (*Server, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{opts: o, conns: sessions.New[*Conn](), flushers: make([]flusher, runtime.GOMAXPROCS(0))}
	s.notices.Logger = o.Logger
	s.stats.init()
	s.budget.Init(int64(o.Limits.SendBudget), len(s.flushers), s.overBudget)
	for i := range s.flushers {
		s.flushers[i].srv, s.flushers[i].writers.srv, s.flushers[i].budget = s, s, s.budget.Share(i)
		s.flushers[i].watcher.Go = s.wg.Go
	}
	s.bodies.Limit, s.bodies.MaxSize, s.bodies.Timeout = o.Limits.PostBudget, o.Limits.MaxPayload, o.PingInterval+o.PingTimeout
	s.bodies.Exceeded, s.bodies.DeadlineSet = s.overPostBudget, s.noteDeadline
	s.origins = origin.Policy{Allowed: o.AllowedOrigins, CredentialsForAny: o.CredentialsForAnyOrigin, NoCredentials: o.DisableCredentials,
		TrustForwarded: o.TrustForwarded}
	if o.AllowOrigin != nil {
		s.origins.Ask = s.askAllowOrigin
	}
	for form := range s.websock {
		s.websock[form] = websock.Options{
			WriteTimeout: o.WriteTimeout, Limit: o.Limits.MaxPayload, ControlRate: o.Limits.ControlRate,
			Deflate: o.PerMessageDeflate, DeflateThreshold: o.PerMessageDeflateThreshold,
			Form: outgoing.Form(form),
		}
	}
	s.history.Start()
	if o.PeerURL != nil {
		s.peers = s.newPeers()
	}
	if o.Limits.MaxConnectionsPerIP > 0 {
		s.perIP, s.keys = make(map[string]int), make(map[*Conn]string)
	}
	return s, nil
}

// Options returns the options of the server, with the defaults filled in. The caller must
// not change what they point to.
func (s *Server) Options() Options { return s.opts }

func (s *Server) nextFlusher() *flusher {
	return &s.flushers[s.next.Add(1)%uint32(len(s.flushers))]
}

// Len returns the number of connections, including those that are ending.
func (s *Server) Len() int { return s.conns.Len() }

// Conn returns the open connection with a session id. ok is false if there is none. A
// connection is open when OnConnect has accepted it, and until it is closed.
func (s *Server) Conn(id string) (c *Conn, ok bool) {
	if c, ok = s.conns.Get(id); !ok || !c.isOpen() {
		return nil, false
	}
	return c, true
}

// Conns ranges over the connections that were open when the loop began, in no
// particular order. It skips those that have ended meanwhile. No lock is held: the loop
// may call any method.
func (s *Server) Conns() iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		for _, c := range s.all() {
			if c.isOpen() && !yield(c) {
				return
			}
		}
	}
}

// ServeHTTP serves the endpoint. Mount it at Options.Path. It answers every request
// at once, except for polls, which wait for packets, and POSTs whose Receiver has no
// room. For a WebSocket it returns when the connection is open. A refused request gets
// the status and the body of the reference server, in most cases the JSON object
// {"code":n,"message":"..."}, and a RefusalHeader that says what to do about it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		httpbody.Drop(w, r) // only a POST has a body that is of use
	}
	if refusal := s.serve(w, r); refusal != nil {
		s.refuse(w, r, refusal)
	}
}

// refuse answers a request with a refusal.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, refusal *Refusal) {
	s.noteRefusal(r, refusal)
	if s.isClosed() {
		endKeepAlive(w)
	}
	httpbody.Drop(w, r)
	s.limitAnswer(w)
	refusal.write(w, r)
}

// serve serves a request, or returns why it is refused. It checks in the order of the
// reference server, on which the answers to requests with several faults depend.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) *Refusal {
	w.Header()["X-Content-Type-Options"] = noSniff
	if p := r.URL.Path; p != s.opts.Path && p+"/" != s.opts.Path {
		return s.refusePath(r)
	}
	q := protocol.ParseQuery(r.URL.RawQuery)
	anonymous, refusal := s.cors(w, r, q.JSONP && s.opts.AllowEIO3)
	if refusal != nil {
		return refusal
	}
	if r.Method == http.MethodOptions && r.Header.Get("Origin") != "" {
		origin.Preflight(w, r)
		return nil
	}
	if !slices.Contains(s.opts.Transports, q.Transport) {
		return refuse(http.StatusBadRequest, CodeUnknownTransport, causeTransport,
			fmt.Sprintf("transport unknown: %.40q; this server offers %s (Options.Transports)", q.Transport, strings.Join(s.opts.Transports, " and ")))
	}
	if q.SID != "" {
		return s.serveSession(w, r, &q)
	}
	if r.Method != http.MethodGet {
		return refuse(http.StatusBadRequest, CodeBadHandshakeMethod, causeMethod, "a session begins with GET")
	}
	if q.Transport == WebSocket {
		if refusal := checkUpgrade(r); refusal != nil {
			return refusal
		}
	}
	d, refusal := s.dialectOf(&q)
	if refusal != nil {
		return refusal
	}
	if anonymous {
		r = s.withoutCookies(r)
	}
	if q.Transport == WebSocket {
		return s.openWebSocket(w, r, d, q.Base64)
	}
	return s.openPolling(w, r, d)
}

// cors checks the Origin of a request, and sets the headers that let a page read the
// answer, also that to a refused request. It reports whether the page must not act
// with the user's cookies. script says that the answer is a script (JSONP).
func (s *Server) cors(w http.ResponseWriter, r *http.Request, script bool) (withoutCookies bool, refusal *Refusal) {
	var refused *origin.Refused
	if script {
		withoutCookies, refused = s.origins.CheckScript(w.Header(), r)
	} else {
		withoutCookies, refused = s.origins.Check(w.Header(), r)
	}
	if refused != nil {
		return false, refuse(http.StatusForbidden, CodeForbidden, causeOrigin, refused.Advice)
	}
	return withoutCookies, nil
}

// askAllowOrigin asks Options.AllowOrigin. If that panics, the origin is not allowed.
func (s *Server) askAllowOrigin(r *http.Request, origin string) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			s.logPanic("Options.AllowOrigin", v)
			ok = false
		}
	}()
	return s.opts.AllowOrigin(r, origin)
}

// withoutCookies returns a handshake without its cookies, for the application to see.
// Browsers send cookies with every WebSocket handshake, whatever CORS says, and with
// polls whose answers they then hide from the page.
func (s *Server) withoutCookies(r *http.Request) *http.Request {
	if r.Header["Cookie"] == nil {
		return r
	}
	why := fmt.Sprintf("engineio: the cookies of a page with Origin %.100q are ignored, because only \"*\" or \"null\" allows it: "+
		"name the origin in Options.AllowedOrigins or, if any page may act for its user, set Options.CredentialsForAnyOrigin", r.Header.Get("Origin"))
	if r.Header.Get("Origin") == "" {
		why = "engineio: the cookies of a JSONP handshake are ignored, because its headers do not say that a page of an allowed origin sent it: " +
			"serve the page without a Referrer-Policy that hides its origin, and name that in Options.AllowedOrigins"
	}
	s.notices.Warn(r.Context(), "cookies", why, "remote", r.RemoteAddr)
	r = r.WithContext(r.Context())
	r.Header = r.Header.Clone()
	delete(r.Header, "Cookie")
	return r
}

// refusePath returns the refusal of a request with another path. It says which path
// arrived, and whether something on the way has changed it.
func (s *Server) refusePath(r *http.Request) *Refusal {
	why := fmt.Sprintf("a request for %.100q, but this server answers at %q: make Options.Path and the client's option path the same", r.URL.Path, s.opts.Path)
	asked, _, _ := strings.Cut(r.RequestURI, "?")
	if strings.HasPrefix(asked, "/") && asked != r.URL.EscapedPath() {
		why = fmt.Sprintf("the client asked for %.100q, but %.100q arrived, and this server answers at %q: "+
			"mount it without http.StripPrefix, or set Options.Path to what arrives", asked, r.URL.Path, s.opts.Path)
	}
	return refuse(http.StatusNotFound, CodeBadRequest, causePath, why)
}

// serveSession serves a request of a session that exists.
func (s *Server) serveSession(w http.ResponseWriter, r *http.Request, q *protocol.Query) *Refusal {
	c, _ := s.conns.Get(q.SID)
	if q.Transport == Polling && s.isClosed() && s.hasShutDown(q.SID) {
		return s.serveAfterShutdown(w, r, q)
	}
	switch {
	case c == nil && s.peers != nil:
		return s.handOver(w, r, q.SID, q.Transport)
	case c == nil:
		return refuseUnknownSID
	case q.Transport == WebSocket:
		if refusal := checkUpgrade(r); refusal != nil {
			return refusal
		}
		return c.upgrade(w, r, q.Base64)
	}
	if refusal := c.checkScript(q); refusal != nil {
		return refusal
	}
	switch {
	case s.peers != nil && handover.IsRelease(r):
		c.releasePoll()
		w.WriteHeader(http.StatusNoContent)
		return nil
	case r.Method == http.MethodGet:
		return c.servePoll(w, r)
	case r.Method == http.MethodPost:
		return c.servePost(w, r)
	}
	// The reference server answers 500. A client could use that to make a load
	// balancer believe that the server is ill.
	w.Header().Set("Allow", "GET, POST, OPTIONS")
	return refuse(http.StatusMethodNotAllowed, CodeBadRequest, causeMethod, "a session takes GET and POST").withoutBody()
}

func (s *Server) logPanic(where string, v any) {
	s.stats.panics.Add(1)
	s.opts.Logger.Error("engineio: panic in "+where, "panic", v, "stack", string(debug.Stack()))
}

func errTooLarge(limit int) error {
	return &limitError{limitPayload, fmt.Sprintf("message larger than %d bytes", limit)}
}
