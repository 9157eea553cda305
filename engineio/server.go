package engineio

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/internal/notice"
)

// protocolVersion is the revision of the Engine.IO protocol, in the query
// parameter EIO of every request.
const protocolVersion = "4"

// Server is an Engine.IO server: an http.Handler for the endpoint
// Options.Path. All methods are safe for concurrent use.
type Server struct {
	opts Options
	wg   sync.WaitGroup // one for each connection and each goroutine

	flushers []flusher
	next     atomic.Uint32 // flusher of the next connection
	stats    stats
	budget   budget
	peers    *peers // the other servers; nil without PeerURL
	notices  notice.Log
	strays   strays

	mu     sync.RWMutex // protects the following
	conns  map[string]*Conn
	perIP  map[string]int   // connections by clientKey; nil without MaxConnectionsPerIP
	keys   map[*Conn]string // clientKey of each; likewise
	closed bool
	gone   map[string]bool // sids of those that Shutdown has closed

	bodies  bodies
	headers headers
}

// NewServer returns a server with a copy of opts, or an error that says what
// to set.
func NewServer(opts *Options) (*Server, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{opts: o, conns: make(map[string]*Conn), flushers: make([]flusher, runtime.GOMAXPROCS(0))}
	s.notices.Logger = o.Logger
	s.bodies.limit = o.Limits.PostBudget
	s.strays.started = time.Now()
	for i := range s.flushers {
		s.flushers[i].srv = s
	}
	s.stats.init()
	s.budget.init(int64(max(o.Limits.SendBudget, 0)), len(s.flushers))
	if o.PeerURL != nil {
		s.peers = newPeers(s)
	}
	if o.Limits.MaxConnectionsPerIP > 0 {
		s.perIP, s.keys = make(map[string]int), make(map[*Conn]string)
	}
	return s, nil
}

func (s *Server) nextFlusher() *flusher {
	return &s.flushers[s.next.Add(1)%uint32(len(s.flushers))]
}

// Len returns the number of connections, those included that are ending.
func (s *Server) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.conns)
}

// Conn returns the open connection with a session id. ok is false if there is none:
// while OnConnect decides, and from the moment on that the connection is closed.
func (s *Server) Conn(id string) (c *Conn, ok bool) {
	s.mu.RLock()
	c = s.conns[id]
	s.mu.RUnlock()
	if c == nil || !c.isOpen() {
		return nil, false
	}
	return c, true
}

// Conns ranges over the connections that were open when the loop began, in no
// particular order, without those that have ended meanwhile. The loop may do
// anything: no lock is held.
func (s *Server) Conns() iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		for _, c := range s.all() {
			if c.isOpen() && !yield(c) {
				return
			}
		}
	}
}

// ServeHTTP serves the endpoint. Mount it at Options.Path; every request gets
// an answer at once but the polls that wait for packets. A refused request gets
// the status and the body of the reference server, for most the JSON object
// {"code":n,"message":"..."}, and RefusalHeader, which says what to do about it. The goroutine of a WebSocket handshake returns once the
// connection is open.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		dropBody(w, r) // nothing that these ask for has one
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
	dropBody(w, r)
	s.limitAnswer(w)
	refusal.write(w, r)
}

// serve makes the checks of the reference server, in its order.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) *Refusal {
	w.Header()["X-Content-Type-Options"] = noSniff
	if p := r.URL.Path; p != s.opts.Path && p+"/" != s.opts.Path {
		return s.refusePath(r)
	}
	anonymous, refusal := s.cors(w, r)
	if refusal != nil {
		return refusal
	}
	if r.Method == http.MethodOptions && r.Header.Get("Origin") != "" {
		preflight(w, r)
		return nil
	}
	q := parseQuery(r.URL.RawQuery)
	if !slices.Contains(s.opts.Transports, q.transport) {
		return refuse(http.StatusBadRequest, CodeUnknownTransport, causeTransport,
			fmt.Sprintf("transport unknown: %.40q; this server offers %s (Options.Transports)", q.transport, strings.Join(s.opts.Transports, " and ")))
	}
	if q.jsonp {
		return badRequest("JSONP polling is not supported, which clients of version 4 do not use; use XMLHttpRequest or WebSocket")
	}
	if q.sid != "" {
		return s.serveSession(w, r, q.sid, q.transport)
	}
	if r.Method != http.MethodGet {
		return refuse(http.StatusBadRequest, CodeBadHandshakeMethod, causeMethod, "a session begins with GET")
	}
	if q.transport == WebSocket {
		if refusal := checkUpgrade(r); refusal != nil {
			return refusal
		}
	}
	if v := q.version; v != protocolVersion {
		return refuse(http.StatusBadRequest, CodeUnsupportedVersion, causeVersion,
			fmt.Sprintf("unsupported protocol version: EIO=%.10q; this server speaks EIO=%s: use a client of Socket.IO 3 or later", v, protocolVersion))
	}
	if anonymous {
		r = s.withoutCookies(r)
	}
	if q.transport == WebSocket {
		return s.openWebSocket(w, r)
	}
	return s.openPolling(w, r)
}

// refusePath says which path came, and how it came to be another one.
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
func (s *Server) serveSession(w http.ResponseWriter, r *http.Request, sid, transport string) *Refusal {
	s.mu.RLock()
	c, closed, gone := s.conns[sid], s.closed, s.gone[sid]
	s.mu.RUnlock()
	if closed && transport == Polling && (gone || c != nil && c.isGone()) {
		return s.serveGone(w, r)
	}
	switch {
	case c == nil && s.peers != nil:
		return s.peers.handOver(w, r, sid, transport)
	case c == nil:
		return refuseUnknownSID
	case transport == WebSocket:
		if refusal := checkUpgrade(r); refusal != nil {
			return refusal
		}
		return c.upgrade(w, r)
	case s.peers != nil && mark(r) == markRelease:
		c.releasePoll()
		w.WriteHeader(http.StatusNoContent)
		return nil
	case r.Method == http.MethodGet:
		return c.servePoll(w, r)
	case r.Method == http.MethodPost:
		return c.servePost(w, r)
	}
	// The reference server answers 500, with which a client could make a
	// load balancer believe that the server is ill.
	w.Header().Set("Allow", "GET, POST, OPTIONS")
	return refuse(http.StatusMethodNotAllowed, CodeBadRequest, causeMethod, "a session takes GET and POST").withoutBody()
}

// open begins a session: OnConnect decides.
func (s *Server) open(r *http.Request, transport string) (*Conn, *Refusal) {
	id := newID()
	if s.peers != nil {
		id += "." + s.opts.ServerID
	}
	c := newConn(s, r, id)
	var refusal *Refusal
	if c.header, refusal = s.headers.take(r); refusal != nil {
		return nil, refusal
	}
	if refusal = s.register(c); refusal != nil {
		s.headers.give(c.header)
		return nil, refusal
	}
	on := onPolling
	if transport == WebSocket {
		on = onWebSocket
	}
	if err := s.connect(c, transport, on); err != nil {
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			s.opts.Logger.Error("engineio: OnConnect failed", "error", err)
		}
		return nil, refusalOf(err)
	}
	return c, nil
}

// register makes a connection known, if the server takes one more.
func (s *Server) register(c *Conn) *Refusal {
	key, refusal := s.clientKey(c.req)
	if refusal != nil {
		return refusal
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return refusalOf(ErrServerClosed)
	case s.opts.Limits.MaxConnections > 0 && len(s.conns) >= s.opts.Limits.MaxConnections:
		s.stats.limits.add(limitConnections)
		return refuseFull
	case key != "" && s.perIP[key] >= s.opts.Limits.MaxConnectionsPerIP:
		s.stats.limits.add(limitConnectionsPerIP)
		return refuseFullIP
	}
	s.conns[c.id] = c
	s.wg.Add(1)
	if key != "" {
		s.perIP[key]++
		s.keys[c] = key
	}
	return nil
}

// connect has OnConnect decide, behind the open packet (protocol: "Handshake"),
// and begins or ends the session accordingly: ends it, too, if OnConnect calls
// runtime.Goexit, which leaves the request unanswered.
func (s *Server) connect(c *Conn, transport string, on carrier) (err error) {
	err = errGoexit
	c.recvMu.Lock()
	defer func() {
		if v := recover(); v != nil {
			s.logPanic("OnConnect", v)
			err = &Refusal{Message: "Forbidden"}
		}
		c.recvMu.Unlock()
		if err != nil {
			c.end(ReasonServerDisconnect, err, abort)
			return
		}
		c.mu.Lock()
		c.countOpenLocked(on)
		if !c.closed {
			c.setTimerLocked(time.Now().Add(s.opts.PingInterval))
		}
		c.mu.Unlock()
	}()
	_ = c.Send(s.openPacket(c.id, transport))
	receiver, failed := s.opts.OnConnect(c)
	if failed == nil && receiver == nil {
		failed = errors.New("engineio: OnConnect returned neither a Receiver nor an error")
	}
	if failed == nil {
		c.mu.Lock()
		c.receiver = receiver
		c.mu.Unlock()
	}
	return failed
}

// openPacket has its keys in the order of Flask-SocketIO.
func (s *Server) openPacket(sid, transport string) *Frames {
	upgrades := []string{}
	if transport == Polling && !s.opts.DisableUpgrades && slices.Contains(s.opts.Transports, WebSocket) {
		upgrades = append(upgrades, WebSocket)
	}
	b, _ := json.Marshal(struct {
		SID          string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingTimeout  int64    `json:"pingTimeout"`
		PingInterval int64    `json:"pingInterval"`
		MaxPayload   int      `json:"maxPayload"`
	}{sid, upgrades, s.opts.PingTimeout.Milliseconds(), s.opts.PingInterval.Milliseconds(), s.opts.Limits.MaxPayload})
	return packetFrames(string(typeOpen) + string(b))
}

// openPolling serves a handshake over polling; what OnConnect sent comes along.
func (s *Server) openPolling(w http.ResponseWriter, r *http.Request) *Refusal {
	s.liftDeadlines(w, r) // OnConnect may take its time
	c, refusal := s.open(r, Polling)
	if refusal != nil {
		return refusal
	}
	if s.opts.Cookie != nil {
		cookie := *s.opts.Cookie
		cookie.Value = c.id
		cookie.Secure = cookie.Secure || s.ownScheme(r) == "https"
		http.SetCookie(w, &cookie)
	}
	c.mu.Lock()
	a := c.takeAnswerLocked()
	c.mu.Unlock()
	c.answerPoll(w, r, a)
	return nil
}

// forget drops a connection of which nothing is left.
func (s *Server) forget(c *Conn) {
	s.headers.give(c.header)
	s.mu.Lock()
	delete(s.conns, c.id)
	s.strays.forget(c.id)
	if s.closed && c.reason == ReasonServerShutdown {
		s.gone[c.id] = true
	}
	if key, ok := s.keys[c]; ok {
		delete(s.keys, c)
		if s.perIP[key]--; s.perIP[key] == 0 {
			delete(s.perIP, key)
		}
	}
	s.mu.Unlock()
	s.wg.Done()
}

func (s *Server) logPanic(where string, v any) {
	s.stats.panics.Add(1)
	s.opts.Logger.Error("engineio: panic in "+where, "panic", v, "stack", string(debug.Stack()))
}

func errTooLarge(limit int) error {
	return &limitError{limitPayload, fmt.Sprintf("message larger than %d bytes", limit)}
}

// newID returns a session id: 128 random bits. Who knows it can poll the session.
func newID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(id[:])
}
