package socketio

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/internal/standby"
)

// Recovery lets clients that have lost their connection come back: to the same session,
// with its session id, rooms and [Session] values, and with every event that was emitted
// to them meanwhile, each once and in order. See [Options].Recovery.
//
// While its client is away, a socket stays a member of its rooms: it can join and
// leave rooms, the server keeps events for it, and waits for its acknowledgements. It
// is not counted among the clients that are connected, see [IncludeAway], and
// [Socket.Away] is true. The disconnect handler runs when the connection is lost,
// and the connect handler when the client is back, with [Socket.Recovered] true: it
// checks the client as any other, and an error ends the session.
//
// A client can come back only after an accident: the connection ends with
// [ReasonTransportClose], [ReasonTransportError] or [ReasonPingTimeout], or the client
// closes it without leaving the namespace. A client that leaves, or that the server makes
// leave, comes back as a new one.
//
// A client takes part if it speaks the protocol of the official client from version 4.6.
// Its events then have an additional last argument, a string, which the official client
// passes to event handlers as well. Clients that do not use the string pass it on, too: see
// For.
type Recovery struct {
	// Window is how long a client may be away. Zero means 2 minutes.
	Window time.Duration
	// SessionLimit bounds, in bytes, the events that are kept for one client. If there
	// are more for a client that is away, its session ends, see [Namespace.OnExpired],
	// and it comes back as a new client. For a client that is connected the newest events
	// are kept. Each event counts about 100 bytes besides its own. Zero means 4 MiB.
	SessionLimit int
	// Budget bounds, in bytes, what is kept for all clients of the server together; an
	// event that is kept for several of them counts once. When it is used up, the
	// server ends the sessions for which it keeps most, until an eighth of it is free.
	// Zero means 128 MiB, or four times SessionLimit if that is more; a negative value
	// means no bound but SessionLimit.
	Budget int
	// For, if set, is called with the request of each handshake and reports whether
	// the client takes part. A client for which it returns false gets no additional
	// argument, and comes back as a new one. For is called once for each connection, in
	// the goroutine that serves the request. Nil means that all clients take part. Clients
	// that speak revision 3 of Engine.IO (Socket.IO 2) never do.
	For func(r *http.Request) bool
}

const (
	defaultRecoveryWindow = 2 * time.Minute
	defaultSessionLimit   = 4 << 20
	defaultRecoveryBudget = 128 << 20
)

// checkRecovery checks Options.Recovery, copies it and fills in the defaults.
func (s *settings) checkRecovery() error {
	if s.Recovery == nil {
		return nil
	}
	r := *s.Recovery
	s.Recovery = &r
	switch {
	case r.Window < 0:
		return fmt.Errorf("field Options.Recovery.Window is %v: set a positive duration, or leave it 0 for the default of %v", r.Window, defaultRecoveryWindow)
	case r.SessionLimit < 0:
		return fmt.Errorf("field Options.Recovery.SessionLimit is %d: set a positive number, or leave it 0 for the default", r.SessionLimit)
	}
	if r.Window == 0 {
		s.Recovery.Window = defaultRecoveryWindow
	}
	if r.SessionLimit == 0 {
		s.Recovery.SessionLimit = defaultSessionLimit
	}
	switch {
	case r.Budget == 0:
		s.Recovery.Budget = max(defaultRecoveryBudget, 4*s.Recovery.SessionLimit)
	case r.Budget > 0 && r.Budget < s.Recovery.SessionLimit:
		return fmt.Errorf("field Options.Recovery.Budget is %d, less than SessionLimit (%d): set it to what all clients together may take", r.Budget, s.Recovery.SessionLimit)
	}
	return nil
}

// Expiry says why the session of a client that was away has ended.
type Expiry string

const (
	// ExpiredWindow: the client has not come back within [Recovery].Window.
	ExpiredWindow Expiry = "window"
	// ExpiredSessionLimit: more than [Recovery].SessionLimit was emitted to the client.
	ExpiredSessionLimit Expiry = "session limit"
	// ExpiredBudget: [Recovery].Budget was used up, and most was kept for this client.
	ExpiredBudget Expiry = "budget"
	// ExpiredOffset: the client is back, but some of what it has missed is not kept any more.
	ExpiredOffset Expiry = "offset"
	// ExpiredRefused: the client is back, and the connect handler has refused it.
	ExpiredRefused Expiry = "refused"
	// ExpiredClientDisconnect: the client has left while it came back, or its CONNECT packet did not fit its session.
	ExpiredClientDisconnect Expiry = "client disconnect"
	// ExpiredServerDisconnect: [Socket.Disconnect] or [Socket.CloseConnection] was called.
	ExpiredServerDisconnect Expiry = "server disconnect"
	// ExpiredShutdown: [Server.Shutdown] was called, no other server has taken the session, and the
	// broker does not keep it.
	ExpiredShutdown Expiry = "server shutdown"
	// ExpiredMove: the session came from another server, and what was emitted to the client
	// meanwhile could not be kept.
	ExpiredMove Expiry = "move"
)

// expiries are all values of Expiry.
var expiries = [...]Expiry{
	ExpiredWindow, ExpiredSessionLimit, ExpiredBudget, ExpiredOffset,
	ExpiredRefused, ExpiredClientDisconnect, ExpiredServerDisconnect, ExpiredShutdown, ExpiredMove,
}

var (
	errWindow       = errors.New("socketio: the client has not come back within Options.Recovery.Window")
	errSessionLimit = errors.New("socketio: more was emitted to a client that is away than Options.Recovery.SessionLimit")
	errBudget       = errors.New("socketio: Options.Recovery.Budget was used up, and most was kept for this client")
	errOffset       = errors.New("socketio: some of what the client has missed is not kept any more")
	errTakenOver    = errors.New("socketio: the client has come back over another connection")
	errExpired      = errors.New("socketio: the session ended while its client came back")
)

// OnExpired registers a function that is called when a session of the namespace has ended
// while its client was away ([Options].Recovery): a client that comes back after that is a
// new one. It is called once for each such session, after the disconnect handler, in the
// goroutine of the socket's handlers. The socket is in its rooms until the function has
// returned, but nothing can be sent to it. If the namespace has no such function, that of
// Namespace("*") is called. A panic is logged.
func (n *namespace) OnExpired(handler func(s *Socket, why Expiry)) {
	n.mustBeValid("OnExpired", caller(1))
	n.srv.register(n.name, func(sp *space) { sp.onExpired = handler })
}

// Away reports whether the client has lost its connection and may come back
// ([Options].Recovery). Connected is false meanwhile. In a disconnect handler and in
// [Hooks].SocketDisconnected, Away is true if something follows: the client comes back, to
// this server or another one, or [Namespace.OnExpired] is called. That includes a session
// that has ended before the handler was called. But if this server is killed, and the client
// does not come back, nothing follows. Away is false for a client of another server.
func (s *Socket) Away() bool {
	return s != nil && (s.state.Load() == stateAway || s.awaitsMove() || s.recovery != nil && s.recovery.losing.Load())
}

// Recovered reports whether the client's present connection, or its last one, has
// continued a session that began with another one ([Options].Recovery). In a connect handler it
// tells whether the client is back: it is in its rooms then, and [Socket.Session] has
// what was there before.
func (s *Socket) Recovered() bool {
	return s != nil && s.recovery != nil && s.recovery.recovered.Load()
}

// recoverable has the fields of a socket whose client can come back.
type recoverable struct {
	session   recovery.Session[*Socket, packets.Kept] // Log is guarded by Socket.sending
	values    *Session
	order     *standby.Order  // nil unless its server was killed; written before the session can be claimed
	box       *box            // for the events of all its connections
	startsAt  recovery.Offset // the offset that the client has when the session begins
	recovered atomic.Bool
	// losing: the disconnect handler or hook of a lost connection runs.
	losing atomic.Bool
	// admitted is the connection on which events are handled: from when its connect
	// handler has accepted it until its disconnect handler runs.
	admitted atomic.Pointer[client]
	// overflowed: something could not be kept. Guarded by Socket.sending.
	overflowed bool
	// belated are events of arrivals that are about to go into the log. Guarded by Socket.sending.
	belated recovery.Pending[packets.Kept]
	// moved: the session goes on on another server. Written with Socket.mu and Socket.sending locked.
	moved atomic.Bool

	// Guarded by Socket.mu.
	departure *departure       // nil unless the session goes to another server
	came      bool             // the session has come from another server, and its client is not back yet
	arrival   uint64           // Server.arrived when the session came; written before the socket is in the index
	changed   map[string]bool  // rooms joined or left since then; nil unless that matters, see arrivals
	recorder  standby.Recorder // records nothing unless the session is written down
	claim     uint64           // of the connection that the socket is on, see recovery.Store
	back      *comeback        // the client is about to be back; nil if not
	lost      *DisconnectError // how the connection was lost last
	why       Expiry           // why the session has ended, if the client was away
}

// startRecovery makes the server keep sessions, if Options.Recovery says so.
func (srv *Server) startRecovery() {
	o := srv.opts.Recovery
	if o == nil {
		return
	}
	srv.recovery = recovery.NewStore[*Socket, packets.Kept](recovery.Options[*Socket]{
		Window: o.Window, SessionLimit: int64(o.SessionLimit), Budget: int64(o.Budget),
		Size:       (*Socket).keptSize,
		Expired:    func(s *Socket) { s.end(ExpiredWindow, "", errWindow) },
		OverBudget: (*Socket).overBudget,
	})
}

// takesPart reports whether the client of a connection can come back.
func (srv *Server) takesPart(conn *engineio.Conn) (yes bool) {
	switch {
	case srv.recovery == nil || conn.Revision() < 4:
		return false
	case srv.opts.Recovery.For == nil:
		return true
	}
	defer func() {
		if v := recover(); v != nil {
			_ = srv.recovered("Options.Recovery.For", v)
			yes = false
		}
	}()
	return srv.opts.Recovery.For(conn.Request())
}

// endRecovery ends the sessions of clients that are away, because of Shutdown.
func (srv *Server) endRecovery() {
	if srv.recovery == nil {
		return
	}
	for _, s := range srv.recovery.Close() {
		s.end(ExpiredShutdown, ReasonServerShutdown, nil)
	}
}

// audience says which clients an emit is for, as far as its encoding depends on that.
func (srv *Server) audience(e *emitOptions) packets.Audience {
	switch {
	case srv.recovery == nil:
		return packets.NobodyComesBack
	case e.volatile || srv.opts.ownParser || srv.mixed.Load():
		return packets.SomeComeBack
	}
	return packets.MostComeBack
}

// keptSize is recovery.Options.Size.
func (s *Socket) keptSize() int64 {
	s.sending.RLock()
	defer s.sending.RUnlock()
	return s.recovery.session.Log.Size()
}

// overBudget is recovery.Options.OverBudget.
func (s *Socket) overBudget() {
	s.sending.Lock()
	connected := s.state.Load() == stateJoined
	if connected {
		s.recovery.session.Log.Clear()
	}
	s.sending.Unlock()
	if !connected {
		s.end(ExpiredBudget, "", errBudget)
	}
}

// deliverKept is deliver for a socket whose client can come back. An event that is not volatile
// is kept, in the order of sending. While the client is away it is only kept. With once, nothing
// happens if the socket has the event already.
func (s *Socket) deliverKept(p packet, volatile bool, via *place, once bool) (sent bool, err error) {
	if !volatile {
		p = p.Fixed()
	}
	if s.state.Load() < stateJoined {
		held, err := s.hold(p, volatile, via)
		if held || err != nil {
			return held, err
		}
	}
	var conn *engineio.Conn
	var ask, full bool
	s.sending.Lock()
	switch state := s.state.Load(); {
	case via.Left():
		err = errLeftRoom
	case once && (p.Kept == nil || s.recovery.has(p.Kept.Offset)):
	case state == stateAway && p.Kept != nil && !volatile:
		sent, full = true, !s.recovery.keep(p.Kept, via)
		s.recovery.overflowed = s.recovery.overflowed || full
	case volatile && state < stateLeaving && state != stateJoined:
		s.srv().stats.volatileDropped.Add(1)
	case state != stateJoined:
		err = engineio.ErrClosed
	case volatile:
		sent, err = s.client().conn.SendVolatile(p.VolatileFrames())
	case p.Kept == nil:
		sent, err = true, s.client().conn.Send(p.Frames())
	default:
		conn = s.client().conn
		sent, ask, err = s.sendKept(conn, p.Kept)
		if err != nil && via != directly && p.Kept.Payload.Ask == 0 && errors.Is(err, engineio.ErrSendQueueFull) {
			s.recovery.overflowed = true // the connection is about to be closed for that, and may be lost or replaced before
		}
	}
	s.sending.Unlock()
	switch {
	case ask:
		conn.Ping()
	case full:
		err = errLogFull
	}
	if err == errLeftRoom || err == errLogFull {
		return false, err
	}
	if err != nil {
		return false, s.sendError(err)
	}
	return sent, nil
}

// directly stands for the room of an event for its emitter alone, who gets the error if it cannot be sent.
var directly = new(place)

// keep keeps a packet for a client that is away, with Socket.sending locked.
func (r *recoverable) keep(p *packets.KeptPacket, via *place) (ok bool) {
	if via == belated {
		r.belated.Add(p)
		return true
	}
	return r.session.Log.Keep(p)
}

// has reports whether an event is kept, or the client has it, with Socket.sending locked.
func (r *recoverable) has(offset recovery.Offset) bool {
	return r.belated.Has(offset) || r.session.Log.Has(offset)
}

// sendKept sends a packet and keeps it, with s.sending locked. ask is set if the client must be
// asked what it has received.
func (s *Socket) sendKept(conn *engineio.Conn, k *packets.KeptPacket) (sent, ask bool, err error) {
	log := &s.recovery.session.Log
	n, err := conn.SendNumbered(k.Payload.Frames)
	switch {
	case err == nil:
		return true, log.Sent(k, n), nil
	case !errors.Is(err, engineio.ErrClosed):
		return false, false, err
	}
	// The connection has ended, and Closed is about to be called.
	if !log.Keep(k) {
		s.recovery.overflowed = true
	}
	return true, false, nil
}

func (hs *hooks) expired(s *Socket, rooms []string, why Expiry) {
	for _, room := range rooms {
		hs.left(s, room)
	}
	for _, h := range hs.all {
		switch {
		case why == expiryMoved && h.Moved != nil:
			hs.call("Moved", func() { h.Moved(s) })
		case why != expiryMoved && h.Expired != nil:
			hs.call("Expired", func() { h.Expired(s, why) })
		}
	}
}

// resumeUnpublished is Log.Resume for the offset of an event that a server has not published before it was
// killed. Socket.sending is locked.
func (r *recoverable) resumeUnpublished(offset recovery.Offset) bool {
	if r.order == nil || !r.session.Log.Resume(r.order.KnownOffset(offset)) {
		return false
	}
	r.session.Log.Restart(offset, true)
	return true
}
