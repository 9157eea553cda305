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
	"github.com/seed-d124fa34/socketio/internal/stall"
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
	backlog stall.Backlog
	gone    bool // the connection has ended; guarded by mu

	slow        bool   // ControlRate is exceeded: the server is to pause reading; read side
	broken      bool   // the connection is being closed; what still arrives is ignored; read side
	recoverable bool   // Options.Recovery is for this client, too
	slot        uint16 // of Server.workers

	// deferred counts the acknowledgements that DeferAck has deferred.
	deferred atomic.Int32
	// draining is 0 until Shutdown closes the client. Then it is one more than the
	// number of events that are still accepted, or drainOver. See drain.
	draining atomic.Int32

	// Read side.
	dec     parser.Decoder
	events  pace.Bucket  // Options.Limits.EventRate
	dropped pace.Bucket  // the same for the events that are dropped because of EventRate
	useless pace.Bucket  // Options.Limits.ControlRate
	partial int          // bytes of the packet being received
	parts   *stall.Parts // nil until a packet came in parts

	details contextDetails // of the events that come on the connection
	async   chan struct{}  // holds one for each event that runs; nil without Options.AsyncHandlers

	mu    sync.Mutex
	timer *time.Timer // closes a connection that joins no namespace; nil if it cannot fire
	seats []*seat     // of the namespaces that this connection has asked for, in that order
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
	cl.dec = cl.revision().Decoder(srv.opts.Parser.NewDecoder(srv.opts.Limits.Packet), !srv.opts.ownParser)
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

// Closed makes every socket of the connection leave. If the client closed the
// connection or lost it, events that wait are still handled. If the server closed it,
// they are dropped.
func (cl *client) Closed(reason Reason, err error) {
	cl.broken = cl.broken || cl.backlog.Stuck() || reason == ReasonParseError || reason == ReasonSlowClient ||
		reason == ReasonServerShutdown || reason == ReasonServerDisconnect
	cl.stopTimer()
	if cl.parts != nil {
		cl.parts.Stop()
	}
	var closed *engineio.CloseError
	if errors.As(err, &closed) { // DisconnectError says the same
		err = closed.Err
	}
	cl.end()
	cl.leaveAll(reason, err, cl.broken, true)
	cl.backlog.Leave(&cl.srv.opts.stall, cl)
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

// How a packet gets to the client: it is handed to the connection, held until the client is
// in the namespace, and kept if the client can come back (Socket.deliverKept).

// errLogFull: the client is away, and there is more for it than can be kept. The caller ends its session.
var errLogFull = errors.New("socketio: more than can be kept")

// errLeftRoom: the socket has left the room that a packet was for.
var errLeftRoom = errors.New("socketio: left the room")

// deliver queues a packet for the client, or holds it until the CONNECT packet is
// queued. It drops a volatile packet that cannot be sent now; sent is false then. via is
// the socket's place in the room that the packet is for, nil if it is for the socket
// alone. The error is errLeftRoom if the socket has left the room.
func (s *Socket) deliver(p packet, volatile bool, via *place) (sent bool, err error) {
	if s.recovery != nil {
		return s.deliverKept(p, volatile, via, false)
	}
	if s.state.Load() != stateJoined {
		held, err := s.hold(p, volatile, via)
		if held || err != nil {
			return held, err
		}
		if volatile {
			s.srv().stats.volatileDropped.Add(1)
			return false, nil
		}
	}
	s.sending.RLock()
	switch {
	case via.Left():
		s.sending.RUnlock()
		return false, errLeftRoom
	case s.state.Load() != stateJoined:
		err = engineio.ErrClosed
	case volatile:
		sent, err = s.at.Load().client.conn.SendVolatile(p.Frames())
	default:
		sent, err = true, s.at.Load().client.conn.Send(p.Frames())
	}
	s.sending.RUnlock()
	if err != nil {
		return false, s.sendError(err)
	}
	return sent, nil
}

// hold keeps a packet for a socket whose CONNECT packet is not queued. If it returns
// false and no error, the caller may send the packet, or drop a volatile one.
func (s *Socket) hold(p packet, volatile bool, via *place) (held bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case via.Left():
		return false, errLeftRoom
	case s.state.Load() == stateJoined || s.state.Load() == stateAway: // meanwhile
		return false, nil
	case s.reason != "":
		return false, &DisconnectError{s.reason, s.cause}
	case volatile: // it cannot be sent now, so deliver drops it
		return false, nil
	}
	size := int64(p.Size) + packetOverhead
	cl := s.client()
	waiting := cl.held.Load() + int64(cl.conn.Buffered())
	if waiting > 0 && waiting+size > int64(s.srv().opts.Limits.SendQueueLimit) {
		return false, ErrSendQueueFull
	}
	s.heldSize += size
	cl.held.Add(size)
	s.held = append(s.held, p)
	return true, nil
}

// packetOverhead is what a held packet counts besides its bytes.
const packetOverhead = 96

// takeHeld removes the packets that are held, and returns them. The caller holds s.mu.
func (s *Socket) takeHeld() []packet {
	batch := s.held
	s.client().held.Add(-s.heldSize)
	s.held, s.heldSize = nil, 0
	return batch
}

// closeIfFull closes the connection of a socket if err says that its queue is full. It
// is for emits that cannot wait for this client, such as those to a room. A client that
// is not connected yet stays.
func (s *Socket) closeIfFull(err error) {
	if errors.Is(err, ErrSendQueueFull) && s.state.Load() == stateJoined {
		s.client().conn.Close(ReasonSlowClient, engineio.ErrSendQueueFull)
	}
}
