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
	"github.com/seed-d124fa34/socketio/parser"
)

// client is one connection and the sockets on it. Its methods Message, Upgraded
// and Closed are called by the engine, one at a time; they never block and call
// no user code but hooks. What they alone use needs no lock.
type client struct {
	srv     *Server
	conn    *engineio.Conn
	session *Session
	held    atomic.Int64 // bytes of the packets that wait for connect handlers to return
	queued  atomic.Int64 // bytes of the backlog, see limits.go
	watched atomic.Bool  // handlers that return are to call progress; changed with mu held
	stuck   atomic.Bool  // the connection is closed because they do not
	// deferred counts acknowledgements that DeferAck has put off.
	deferred atomic.Int64
	// draining is not 0 when the client is to go because of Shutdown: how many
	// more events are taken, and one. See Drain.
	draining atomic.Int32

	// Read side.
	dec      parser.Decoder
	events   pace.Bucket // Options.Limits.EventRate
	dropped  pace.Bucket // the same for the events that are dropped because of it
	wasted   pace.Bucket // Options.Limits.ControlRate
	slow     bool        // because of it
	partial  int         // bytes of the packet being received
	assembly *assembly   // nil until a packet came in parts
	broken   bool        // the connection is being closed; what still arrives is ignored

	slot    uint16         // of Server.workers
	details contextDetails // of the events that come on the connection
	async   chan struct{}  // holds one for each event that runs; nil without Options.AsyncHandlers

	mu    sync.Mutex
	timer *time.Timer // closes a connection that joins no namespace; nil: never, or not any more
	seats []*seat     // namespaces that this connection asked for, by first CONNECT
	watch *watch      // nil until there was a backlog to watch
}

// seat is the place of one connection in one namespace. It stays when the
// socket leaves: what is in flight for it is then ignored, and the events of
// the next socket wait until the disconnect handler of this one has returned.
type seat struct {
	client *client
	ns     string
	sock   *Socket // guarded by client.mu; nil when left or refused
	box    box
}

var _ engineio.Receiver = (*client)(nil)

// eventOverhead is what an event counts besides its bytes.
const eventOverhead = 256

// newClient is called by the engine for each new connection.
func (srv *Server) newClient(conn *engineio.Conn) (engineio.Receiver, error) {
	cl := &client{srv: srv, conn: conn, session: new(Session), dec: srv.opts.Parser.NewDecoder(srv.opts.Limits.Packet), slot: srv.workers.NextSlot()}
	cl.details.client = cl
	if srv.opts.AsyncHandlers {
		cl.async = make(chan struct{}, srv.opts.Limits.AsyncLimit)
	}
	if seed := srv.opts.Session; seed != nil {
		values, err := srv.seedSession(seed, conn.Request())
		if err != nil {
			return nil, &engineio.Refusal{Status: http.StatusInternalServerError, Message: "Session not available"}
		}
		cl.session.values = values
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
	return cl, nil
}

// Message takes one message from the client.
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
	case s == nil: // left or refused, which the client may not know yet
		cl.useless()
	case p.Type == parser.Event:
		cl.event(s, p, size)
	case p.Type == parser.Ack:
		if !s.answered(p.ID, p.Args) {
			cl.unexpected()
		}
	case p.Type == parser.Disconnect:
		if cl.throttle() == flood {
			cl.fail(ReasonTransportError, cl.srv.errTooFast())
			return
		}
		s.leave(ReasonClientDisconnect, nil, false)
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
		cl.srv.queue(&s.at.Load().box, c)
	}
}

// fail closes the connection because of what the client did. What waits for a
// handler is dropped.
func (cl *client) fail(reason Reason, err error) {
	cl.broken = true
	if cl.srv.debugs() {
		cl.srv.log.Debug("socketio: closing connection", "connection", short(cl.conn.ID()), "reason", reason, "error", err)
	}
	cl.conn.Close(reason, err)
}

// Closed makes every socket of the connection leave. What clients sent before
// they went is still handled, what the server cut off is not.
func (cl *client) Closed(reason Reason, err error) {
	cl.broken = cl.broken || cl.stuck.Load() || reason == ReasonParseError || reason == ReasonSlowClient ||
		reason == ReasonServerShutdown || reason == ReasonServerDisconnect
	cl.stopTimer()
	if cl.assembly != nil {
		cl.assembly.timer.Stop()
	}
	var closed *engineio.CloseError
	if errors.As(err, &closed) { // ours says the same
		err = closed.Err
	}
	cl.leaveAll(reason, err, cl.broken)
	cl.watchRest()
	if hs := cl.srv.hooks.Load(); hs != nil {
		hs.closed(cl, reason, err)
	}
}

// Upgraded is called by the engine when the connection goes on as WebSocket.
func (cl *client) Upgraded() {
	if hs := cl.srv.hooks.Load(); hs != nil {
		hs.upgraded(cl)
	}
}

// stopTimer is called when a namespace has been joined, or at the end.
func (cl *client) stopTimer() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.timer != nil {
		cl.timer.Stop()
		cl.timer = nil // its memory is worth more
	}
}

// disconnect makes the client leave everything, and closes its connection.
func (cl *client) disconnect() {
	cl.leaveAll(ReasonServerDisconnect, nil, true)
	cl.conn.Close(ReasonServerDisconnect, nil)
}

func (cl *client) leaveAll(reason Reason, err error, drop bool) {
	cl.mu.Lock()
	seats := slices.Clone(cl.seats)
	cl.mu.Unlock()
	for _, st := range seats {
		if s := cl.occupant(st); s != nil {
			s.leave(reason, err, drop)
		}
	}
}

// occupant returns the socket of a seat, nil if it is empty.
func (cl *client) occupant(st *seat) *Socket {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return st.sock
}

// socket returns the connection's socket in a namespace. asked is set if there
// is or was one, or one was refused.
func (cl *client) socket(ns string) (s *Socket, asked bool) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if st := cl.seat(ns); st != nil {
		return st.sock, true
	}
	return nil, false
}

// seat finds a seat with cl.mu held. Connections have few, so a slice serves.
func (cl *client) seat(ns string) *seat {
	for _, st := range cl.seats {
		if st.ns == ns {
			return st
		}
	}
	return nil
}

// vacate empties the seat of a socket that leaves.
func (cl *client) vacate(s *Socket) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if st := s.at.Load(); st.sock == s {
		st.sock = nil
	}
}

// connect answers a CONNECT packet: it seats a new socket, whose connect
// handler then decides.
func (cl *client) connect(p parser.Packet, size int) {
	ns := p.Namespace
	if cl.srv.closing.Load() {
		// A refusal would be final: clients reconnect by themselves only when
		// they lose the connection.
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
		cl.refuse(ns, &Error{Message: "Invalid namespace"})
		return
	}
	st, old := cl.takeSeat(ns)
	if st == nil {
		cl.srv.stats.hit(limitNamespaces)
		cl.useless()
		cl.refuse(ns, &Error{Message: "Too many namespaces"})
		return
	}
	if old != nil {
		// The client has disconnected before it heard that it was connected, and says
		// so by connecting again. The decision about the first time may still be under
		// way; it is not told of it any more.
		old.leave(ReasonClientDisconnect, nil, false)
		old.depart() // somebody else may have made it leave just now
	}
	s := newSocket(st)
	c := &Context{Socket: s, kind: kindConnect, event: "connect", args: p.Args, details: &cl.details}
	if !cl.enqueue(c, footprint(p, size)) {
		return
	}
	// Whoever finds the socket in its seat may make it leave at once: it has to be
	// complete by then, and its connect handler first in the mailbox.
	cl.srv.workers.Begin() // until Socket.finish
	cl.srv.index.Add(&s.membership)
	cl.mu.Lock()
	defer cl.mu.Unlock()
	st.sock = s
	cl.srv.queue(&st.box, c)
}

// takeSeat returns the seat for a namespace and its socket, if there is one; no
// seat if the client has too many. It is called on the read side.
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
		cl.seats = append(cl.seats, st)
	}
	return st, st.sock
}

// occupied is how many namespaces the client is in, with cl.mu held.
func (cl *client) occupied() (n int) {
	for _, st := range cl.seats {
		if st.sock != nil {
			n++
		}
	}
	return n
}

// dropSeat forgets the oldest seat that is empty and has nothing to run any more,
// with cl.mu held. That of a socket whose disconnect handler still runs stays, so that
// the next one in the namespace comes behind it; there are no more of these than
// of sockets.
func (cl *client) dropSeat() bool {
	for i, st := range cl.seats {
		if st.sock == nil && st.box.Idle() {
			cl.seats = slices.Delete(cl.seats, i, i+1)
			return true
		}
	}
	return false
}

// refuse sends a CONNECT_ERROR packet.
func (cl *client) refuse(ns string, e *Error) {
	cl.srv.stats.connectErrors.Add(1)
	if hs := cl.srv.hooks.Load(); hs != nil {
		hs.refused(cl, ns, e)
	}
	p, err := cl.srv.encode(parser.Header{Type: parser.ConnectError, Namespace: ns}, []any{e}, true)
	if err != nil {
		cl.srv.log.Warn("socketio: a refusal's data cannot be encoded; sent without", "namespace", ns, "error", err)
		p, err = cl.srv.encode(parser.Header{Type: parser.ConnectError, Namespace: ns}, []any{&Error{Message: e.Message}}, true)
	}
	if err == nil {
		err = cl.sendRequired(p)
	}
	if err != nil {
		cl.srv.log.Debug("socketio: a refusal could not be sent", "namespace", ns, "error", err)
	}
}

// sendRequired sends a packet that the protocol requires. A client that does not
// take even that is closed.
func (cl *client) sendRequired(p packet) error {
	err := cl.conn.Send(p.frames)
	if errors.Is(err, engineio.ErrSendQueueFull) {
		cl.conn.Close(ReasonSlowClient, err)
	}
	return err
}
