package socketio

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/pace"
	"github.com/seed-d124fa34/socketio/internal/revision"
	"github.com/seed-d124fa34/socketio/internal/session"
	"github.com/seed-d124fa34/socketio/parser"
)

// client is one connection and the sockets on it. The engine calls its methods Message,
// Upgraded and Closed one at a time: this is the read side of the connection. They never
// block, and call no user code but hooks. Fields that only they use need no lock.
type client struct {
	srv     *Server
	conn    *engineio.Conn
	session *Session
	held    atomic.Int64 // bytes of the packets that wait for connect handlers to return
	queued  atomic.Int64 // bytes of the backlog, see limits.go
	watched atomic.Bool  // handlers that return must call progress; changed with mu held
	stuck   atomic.Bool  // the connection is closed because its handlers do not return
	gone    bool         // the connection has ended; guarded by mu

	recoverable bool   // Options.Recovery is for this client, too
	slot        uint16 // of Server.workers

	// deferred counts the acknowledgements that DeferAck has deferred.
	deferred atomic.Int32
	// draining is 0 until Shutdown closes the client. Then it is one more than the
	// number of events that are still accepted. See Drain.
	draining atomic.Int32

	slow   bool // ControlRate is exceeded: the server is to pause reading; read side
	broken bool // the connection is being closed; what still arrives is ignored; read side

	// Read side.
	dec      parser.Decoder
	events   pace.Bucket // Options.Limits.EventRate
	dropped  pace.Bucket // the same for the events that are dropped because of EventRate
	wasted   pace.Bucket // Options.Limits.ControlRate
	partial  int         // bytes of the packet being received
	assembly *assembly   // nil until a packet came in parts

	details contextDetails // of the events that come on the connection
	async   chan struct{}  // holds one for each event that runs; nil without Options.AsyncHandlers

	mu    sync.Mutex
	timer *time.Timer // closes a connection that joins no namespace; nil if it cannot fire
	seats []*seat     // of the namespaces that this connection has asked for, in that order
	watch *watch      // nil until there was a backlog to watch
}

// seat is one connection's slot for a namespace: its present socket there, and the
// mailbox of all its sockets there, one after the other. It stays when the socket
// leaves. Packets that are still in flight for that socket are then ignored, and the
// events of the next socket wait until the disconnect handler of this one has returned.
type seat struct {
	client *client
	ns     string
	own    box // for most; see box
	// Guarded by client.mu.
	sock *Socket // nil when left or refused
	// fetching is the connect event of a client whose session is to come from another server.
	fetching *Context
	box      *box    // for the events of the namespace; own, or that of a session
	away     *Socket // has lost this connection; nil: none
}

var _ engineio.Receiver = (*client)(nil)

// eventOverhead is what an event counts in the receive queue besides its bytes.
const eventOverhead = 256

// newClient returns the receiver of a new connection. The engine calls it.
func (srv *Server) newClient(conn *engineio.Conn) (engineio.Receiver, error) {
	cl := &client{srv: srv, conn: conn, session: new(Session), slot: srv.workers.NextSlot()}
	cl.details.client = cl
	cl.dec = srv.opts.Parser.NewDecoder(srv.opts.Limits.Packet)
	if !srv.opts.ownParser {
		cl.dec = cl.revision().Decoder(cl.dec)
	}
	if srv.opts.AsyncHandlers {
		cl.async = make(chan struct{}, srv.opts.Limits.AsyncLimit)
	}
	if seed := srv.opts.Session; seed != nil {
		values, err := srv.seedSession(seed, conn.Request())
		if err != nil {
			return nil, &engineio.Refusal{Status: http.StatusInternalServerError, Message: "Session not available"}
		}
		cl.session = session.New(values)
	}
	cl.recoverable = srv.takesPart(conn)
	if !cl.recoverable && srv.recovery != nil {
		srv.mixed.Store(true)
	}
	if d := srv.opts.ConnectTimeout; d > 0 {
		cl.timer = time.AfterFunc(d, func() {
			srv.stats.hit(limitConnectTimeout)
			conn.Close(ReasonServerDisconnect, fmt.Errorf("socketio: no namespace joined within %v (Options.ConnectTimeout)", d))
		})
	}
	if hs := srv.hooks.Load(); hs != nil {
		hs.opened(cl)
	}
	if cl.revision().JoinsMain() { // the last thing: the connection may end at once
		cl.connect(revision.ConnectMain, 0)
	}
	return cl, nil
}

// revision returns how the client speaks, which does not change.
func (cl *client) revision() revision.Protocol { return revision.Of(cl.conn.Revision()) }

// Message handles one message from the client.
func (cl *client) Message(data []byte, binary bool) (room <-chan struct{}) {
	cl.message(data, binary)
	return cl.backpressure()
}

func (cl *client) message(data []byte, binary bool) {
	if cl.broken {
		return
	}
	cl.partial += len(data)
	p, ok, err := cl.dec.Decode(data, binary)
	if err != nil {
		if limit, ok := errors.AsType[*parser.LimitError](err); ok {
			cl.srv.stats.hit(limitInParser + limit.Limit)
		}
		cl.fail(ReasonParseError, err)
		return
	}
	if !ok {
		cl.partCame()
		return
	}
	size := cl.partial
	if size > len(data) {
		cl.assembly.complete()
	}
	cl.partial = 0
	if p.Type == parser.Connect {
		cl.connect(p, size)
		return
	}
	s, asked := cl.socket(p.Namespace)
	switch {
	case !asked:
		cl.fail(ReasonParseError, fmt.Errorf("socketio: %v packet for namespace %.100q, which the client is not in", p.Type, p.Namespace))
	case s == nil: // it has left or was refused; the client may not know yet
		cl.useless()
	case p.Type == parser.Event:
		cl.event(s, p, size)
	case p.Type == parser.Ack:
		if !s.hearsFrom(cl) || !s.answered(p.ID, p.Args) {
			cl.unexpected()
		}
	case p.Type == parser.Disconnect:
		if cl.throttle() == flood {
			cl.fail(ReasonTransportError, cl.srv.errTooFast())
			return
		}
		s.leaveSeat(cl.seatOf(p.Namespace), ReasonClientDisconnect, nil, false, false)
	default:
		cl.fail(ReasonParseError, fmt.Errorf("socketio: %v packet, which clients do not send", p.Type))
	}
}

// event queues an event for its handler.
func (cl *client) event(s *Socket, p parser.Packet, size int) {
	if parser.Reserved(p.Event) {
		cl.fail(ReasonParseError, fmt.Errorf("socketio: event %.100q, a name reserved by the protocol", p.Event))
		return
	}
	cl.srv.stats.of(cl).in.Add(1)
	c := &Context{Socket: s, event: p.Event, args: p.Args, id: p.ID, hasID: p.HasID, details: &cl.details}
	switch cl.throttle() {
	case tooFast:
		c.kind = kindDropped
	case flood:
		cl.fail(ReasonTransportError, cl.srv.errTooFast())
		return
	}
	if cl.enqueue(c, footprint(p, size)) {
		cl.srv.queue(s.box(), c)
	}
}

// fail closes the connection because of what the client did. Events that wait for a
// handler are dropped.
func (cl *client) fail(reason Reason, err error) {
	cl.broken = true
	if cl.srv.debugs() {
		cl.srv.log.Debug("socketio: closing connection", "connection", short(cl.conn.ID()), "reason", reason, "error", err)
	}
	cl.conn.Close(reason, err)
}

// Closed makes every socket of the connection leave. If the client closed the
// connection or lost it, events that wait are still handled. If the server closed it,
// they are dropped.
func (cl *client) Closed(reason Reason, err error) {
	cl.broken = cl.broken || cl.stuck.Load() || reason == ReasonParseError || reason == ReasonSlowClient ||
		reason == ReasonServerShutdown || reason == ReasonServerDisconnect
	cl.stopTimer()
	if cl.assembly != nil {
		cl.assembly.timer.Stop()
	}
	var closed *engineio.CloseError
	if errors.As(err, &closed) { // DisconnectError says the same
		err = closed.Err
	}
	cl.end()
	cl.leaveAll(reason, err, cl.broken, true)
	cl.watchRest()
	if hs := cl.srv.hooks.Load(); hs != nil {
		hs.closed(cl, reason, err)
	}
}

// Upgraded calls the hooks. The engine calls it when the connection has been upgraded to
// WebSocket.
func (cl *client) Upgraded() {
	if hs := cl.srv.hooks.Load(); hs != nil {
		hs.upgraded(cl)
	}
}

// stopTimer stops the timer of Options.ConnectTimeout: a namespace has been joined, or
// the connection has ended.
func (cl *client) stopTimer() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.timer != nil {
		cl.timer.Stop()
		cl.timer = nil // frees its memory
	}
}

// disconnect makes the client leave everything, and closes its connection.
func (cl *client) disconnect() {
	cl.leaveAll(ReasonServerDisconnect, nil, true, false)
	for _, s := range cl.awaySockets() {
		s.leave(ReasonServerDisconnect, nil, true)
	}
	cl.conn.Close(ReasonServerDisconnect, nil)
}

func (cl *client) leaveAll(reason Reason, err error, drop, lost bool) {
	cl.mu.Lock()
	seats := slices.Clone(cl.seats)
	cl.mu.Unlock()
	for _, st := range seats {
		if s := cl.occupant(st); s != nil {
			s.leaveSeat(st, reason, err, drop, lost)
		}
	}
}

// occupant returns the socket of a seat, nil if there is none.
func (cl *client) occupant(st *seat) *Socket {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return st.sock
}

// socket returns the connection's socket in a namespace, nil if there is none. asked
// reports whether the client has ever asked to connect to the namespace.
func (cl *client) socket(ns string) (s *Socket, asked bool) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if st := cl.seat(ns); st != nil {
		return st.sock, true
	}
	return nil, false
}

// seat finds the seat for a namespace, nil if there is none. The caller holds cl.mu. A
// connection has few seats, so a slice is fast enough.
func (cl *client) seat(ns string) *seat {
	for _, st := range cl.seats {
		if st.ns == ns {
			return st
		}
	}
	return nil
}

// vacate removes a socket that leaves from its seat.
func (cl *client) vacate(s *Socket) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if st := s.at.Load(); st.sock == s {
		st.sock = nil
	}
}

// connect handles a CONNECT packet: it makes a socket and queues the call of the connect
// handler, which accepts or refuses it.
func (cl *client) connect(p parser.Packet, size int) {
	ns := p.Namespace
	if cl.srv.closing.Load() {
		// Do not refuse: clients reconnect by themselves only when they lose the
		// connection.
		cl.drain()
		return
	}
	switch cl.throttle() {
	case tooFast:
		cl.refuse(ns, errTooManyEvents)
		return
	case flood:
		cl.fail(ReasonTransportError, cl.srv.errTooFast())
		return
	}
	if len(ns) > maxName || !cl.srv.accepts(ns) {
		cl.logNoNamespace(ns)
		cl.useless()
		cl.refuse(ns, &Error{Message: revision.InvalidNamespace})
		return
	}
	st, old := cl.takeSeat(ns)
	if st == nil {
		cl.srv.stats.hit(limitNamespaces)
		cl.useless()
		cl.refuse(ns, &Error{Message: "Too many namespaces"})
		return
	}
	c := &Context{kind: kindConnect, event: "connect", args: p.Args, details: &cl.details}
	in := cl.arrival(p, c)
	if old != nil && ns == "/" && cl.revision().JoinsMain() { // some clients ask for it all the same
		cl.useless()
		return
	}
	if old != nil && !old.comesBackAs(in, st) {
		// The official client sends a second CONNECT after disconnect() and connect(), if
		// the first one has not been answered. It gets no answer to the first one any
		// more.
		old.leaveSeat(st, ReasonClientDisconnect, nil, false, false)
		old.depart() // another goroutine may be making it leave
	}
	if cl.enqueue(c, footprint(p, size)) {
		cl.enter(st, in)
	}
}

// takeSeat returns the seat for a namespace, and its socket if there is one. It returns
// nil if the client has too many seats. It is called on the read side.
func (cl *client) takeSeat(ns string) (*seat, *Socket) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	st := cl.seat(ns)
	if st == nil {
		if most := cl.srv.opts.Limits.MaxNamespaces; len(cl.seats) >= most && !cl.dropSeat() &&
			(len(cl.seats) >= 2*most || cl.occupied() >= most) {
			return nil, nil
		}
		st = &seat{client: cl, ns: ns}
		st.box = &st.own
		if cl.recoverable {
			st.box = new(box) // a session may have it for longer than the connection
		}
		cl.seats = append(cl.seats, st)
	}
	st.fetching = nil // the newest CONNECT packet counts
	return st, st.sock
}

// occupied returns how many namespaces the client is in. The caller holds cl.mu.
func (cl *client) occupied() (n int) {
	for _, st := range cl.seats {
		if st.sock != nil {
			n++
		}
	}
	return n
}

// dropSeat removes the oldest seat without a socket and without events, and reports
// whether there was one. The seat of a socket whose disconnect handler has not returned
// stays, so that the next socket in the namespace waits for that. The caller holds cl.mu.
func (cl *client) dropSeat() bool {
	for i, st := range cl.seats {
		if st.sock == nil && st.fetching == nil && st.box.Idle() {
			cl.seats = slices.Delete(cl.seats, i, i+1)
			return true
		}
	}
	return false
}
