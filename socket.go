package socketio

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/internal/sessionid"
)

// Socket is one client in one namespace, from its connect handler to its
// disconnect handler. All methods may be called from any goroutine, at any
// time, and it may be kept: of a socket that left nothing remains but its
// fields. Embedded in [Context] it is the socket of the event.
//
// A nil *Socket, which [Server.Socket] returns for an unknown session id, is one
// that nobody is behind: what returns an error returns [ErrUnknownSocket], all
// else does nothing or returns what is empty.
type Socket struct {
	server *Server
	// at is the socket's seat on its connection; nil if it stands for a client of
	// another server.
	at atomic.Pointer[seat]
	// departed: its disconnect event is in the mailbox. Guarded by client.mu.
	departed bool
	sid      string
	name     string       // of the namespace
	state    atomic.Int32 // written with mu held
	events   sync.WaitGroup
	// sending is read-locked while a packet is handed to the engine, which
	// never waits, and locked when the socket leaves: nothing is queued behind
	// its DISCONNECT packet. It is taken after mu.
	sending sync.RWMutex

	mu         sync.Mutex
	announced  bool   // the client knows that it is, or was, connected
	accepted   bool   // its disconnect handler will run
	reason     Reason // why it leaves; empty until then
	cause      error
	drop       bool                  // events that wait are not handled
	membership rooms.Member[*Socket] // of the namespace and its rooms
	held       []packet              // to be sent when accepted
	heldSize   int64
	acks       map[uint64]ackTarget
	ackBox     *box // callbacks of OnAck
	ctx        context.Context
	cancel     context.CancelCauseFunc
}

// States of a socket.
const (
	stateConnecting int32 = iota // the connect handler has not decided
	stateAdmitting               // in the namespace; packets are held until the client has been told
	stateJoined                  // in the namespace
	stateLeaving                 // nothing reaches it; its disconnect handler is to run
	stateGone                    // refused, or the disconnect handler has returned
)

func newSocket(st *seat) *Socket {
	s := &Socket{server: st.client.srv, name: st.ns, sid: sessionid.New()}
	s.at.Store(st)
	s.membership.Init(s, s.name, s.sid)
	return s
}

// ID returns the session id: 27 characters, different for every namespace and
// every connection. It is also a room in which the socket always is, alone.
func (s *Socket) ID() string {
	if s == nil {
		return ""
	}
	return s.sid
}

// Namespace returns the namespace the socket is in.
func (s *Socket) Namespace() *Namespace {
	if s == nil {
		return &Namespace{namespace{err: ErrUnknownSocket}}
	}
	return &Namespace{namespace{srv: s.srv(), name: s.name}}
}

// Request returns the HTTP request of the connection's handshake: its headers,
// cookies and query. Its body is closed. It must not be changed.
func (s *Socket) Request() *http.Request {
	if s == nil || s.remote() {
		return noRequest()
	}
	return s.client().conn.Request()
}

// Transport returns how the client is connected at the moment: "polling" or
// "websocket".
func (s *Socket) Transport() string {
	if s == nil || s.remote() {
		return ""
	}
	return s.client().conn.Transport()
}

// Session returns the values kept for this connection.
func (s *Socket) Session() *Session {
	if s == nil || s.remote() {
		return new(Session)
	}
	return s.client().session
}

// Context returns a context with the values of the handshake request's,
// cancelled when the client leaves; its cause is a [*DisconnectError] then. For
// work to be finished nevertheless, see [context.WithoutCancel].
func (s *Socket) Context() context.Context {
	if s == nil {
		return unknownContext
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil { // few sockets need one
		s.ctx, s.cancel = context.WithCancelCause(context.WithoutCancel(s.connectionContext()))
		if s.reason != "" {
			s.cancel(&DisconnectError{s.reason, s.cause})
		}
	}
	return s.ctx
}

// Emit sends an event to this client, or to whom the options say. Nil data is
// no argument, [Args] are several, anything else is one: what the JSON codec
// encodes, with []byte anywhere in it sent as binary. It is encoded before Emit
// returns and may be changed afterwards.
//
// What one goroutine emits arrives in that order, whole, and before the
// acknowledgement of the event it handles. Nothing is sent if data cannot be
// encoded, if the protocol reserves the event's name, or if the options
// contradict each other. A client that is not there any more is [ErrClosed],
// one for which too much waits already [ErrSendQueueFull]; with [To] or [Broadcast] such
// clients are left out and the error is nil.
func (s *Socket) Emit(event string, data any, opts ...EmitOption) error {
	if s == nil {
		return ErrUnknownSocket
	}
	return s.srv().emit(s, s.name, event, data, opts)
}

// Send is Emit with the event name "message".
func (s *Socket) Send(data any, opts ...EmitOption) error {
	return s.Emit("message", data, opts...)
}

// Call emits an event to this client, or to the one client that the options
// select, and waits for its acknowledgement, until the context ends or the
// client leaves, which is a [*DisconnectError]. It may be called in a handler,
// except in a connect handler, whose client hears nothing before it returns.
// A client of another server is found and asked as by [Namespace.Call].
// [Call] decodes the answer; Namespace.Call asks several clients.
func (s *Socket) Call(ctx context.Context, event string, data any, opts ...EmitOption) (Reply, error) {
	if s == nil {
		return Reply{}, ErrUnknownSocket
	}
	return s.srv().callOne(ctx, s, event, data, opts)
}

// Connected reports whether the client is in the namespace: its connect handler has
// accepted it, and it has not left. It is false for a client of another server,
// of which nothing is known here: see Remote and [Cluster.Connected].
func (s *Socket) Connected() bool { return s != nil && s.present() }

// Remote reports whether the socket stands for a client of another server on the
// broker, as in the Context of an [OnAck] handler: its request and session are
// empty, and what is emitted to it goes through the broker.
func (s *Socket) Remote() bool { return s != nil && s.remote() }

// Disconnect makes the client leave the namespace. Its connection, and its
// sockets in other namespaces, stay, and it may connect again, as a new socket.
// Disconnect returns at once: the disconnect handler runs after the handler
// that runs now, and events that wait are dropped. In a connect handler it
// refuses the client. Calling it again is fine.
func (s *Socket) Disconnect() {
	if s == nil {
		return
	}
	if s.remote() {
		_ = s.Namespace().Disconnect(s.sid) // whether it is there nobody knows
		return
	}
	s.leave(ReasonServerDisconnect, nil, true)
}

// CloseConnection makes the client leave all its namespaces, as Disconnect
// does, and then closes its connection, after what has been emitted to it so
// far. Disconnecting one namespace leaves the client free to go on using the
// others; this is for a client that shall go altogether. It returns at once.
func (s *Socket) CloseConnection() {
	if s == nil {
		return
	}
	if s.remote() {
		s.Disconnect()
		return
	}
	s.client().disconnect()
}

// unknownContext is the context of a nil *Socket.
var unknownContext = func() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(ErrUnknownSocket)
	return ctx
}()

func (s *Socket) srv() *Server { return s.server }

// client returns the connection of the socket; nil if it stands for a client of another
// server.
func (s *Socket) client() *client {
	if st := s.at.Load(); st != nil {
		return st.client
	}
	return nil
}

// leftError says why the socket cannot be reached.
func (s *Socket) leftError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	reason, cause := s.reason, s.cause
	if reason == "" { // the engine knows before we are told
		if e, ok := errors.AsType[*engineio.CloseError](context.Cause(s.client().conn.Context())); ok {
			reason, cause = e.Reason, e.Err
		}
	}
	return &DisconnectError{reason, cause}
}

// packet is an encoded packet and its size in bytes.
type packet struct {
	frames *engineio.Frames
	size   int
}

// errLeftRoom: the socket has left the room through which a packet was to reach it.
var errLeftRoom = errors.New("socketio: left the room")

// deliver queues a packet for the client, or holds it until the client has been
// told that it is connected. volatile packets are sent only if that can be done
// now, which sent tells. via is the socket's place in the room that the packet is
// for, nil if it is for the socket: the error is errLeftRoom if it has left.
func (s *Socket) deliver(p packet, volatile bool, via *place) (sent bool, err error) {
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
		sent, err = s.at.Load().client.conn.SendVolatile(p.frames)
	default:
		sent, err = true, s.at.Load().client.conn.Send(p.frames)
	}
	s.sending.RUnlock()
	if err != nil {
		return false, s.sendError(err)
	}
	return sent, nil
}

// hold keeps a packet of a socket whose client has not been told that it is
// connected. Without an error and not held, it is to be sent.
func (s *Socket) hold(p packet, volatile bool, via *place) (held bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case via.Left():
		return false, errLeftRoom
	case s.state.Load() == stateJoined: // by now
		return false, nil
	case s.reason != "":
		return false, &DisconnectError{s.reason, s.cause}
	case volatile: // dropped: it cannot be sent now
		return false, nil
	}
	size := int64(p.size) + packetOverhead
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

// packetOverhead is what a packet that is held counts besides its bytes.
const packetOverhead = 96

// takeHeld returns the packets that are held, with s.mu held.
func (s *Socket) takeHeld() []packet {
	batch := s.held
	s.client().held.Add(-s.heldSize)
	s.held, s.heldSize = nil, 0
	return batch
}

// closeIfFull closes the connection of a socket that nobody can do anything for
// when its queue is full: an event for a room does not wait for one of its members. A
// client that has not been sent anything yet stays.
func (s *Socket) closeIfFull(err error) {
	if errors.Is(err, ErrSendQueueFull) && s.state.Load() == stateJoined {
		s.client().conn.Close(ReasonSlowClient, engineio.ErrSendQueueFull)
	}
}

var (
	errFlushRemote  = errors.New("socketio: Flush: the client is connected to another server, which alone knows what waits for it")
	errFlushConnect = errors.New("socketio: Flush: what a connect handler emits is sent when it has returned: it cannot wait for that; flush in a handler of an event, or in a goroutine that starts after the client has been accepted")
)

// Buffered returns how many bytes wait to be sent to this client: what was
// emitted, in all its namespaces, and has not yet been handed to the network. It
// is 0 for a socket of another server.
func (s *Socket) Buffered() int {
	if s == nil || s.remote() {
		return 0
	}
	cl := s.client()
	return cl.conn.Buffered() + int(cl.held.Load())
}

// Flush waits until what was emitted to this client before the call has been
// handed to the network, so that a producer sends no faster than the client
// takes it. To polling clients that is the answer to a request. It returns the
// error of ctx if that ends first, and a [*DisconnectError] if the client leaves
// or has left. In a connect handler, whose client is sent nothing before
// it returns, and for a socket of another server it returns an error at once, and
// [ErrUnknownSocket] for a nil Socket.
func (s *Socket) Flush(ctx context.Context) error {
	switch {
	case s == nil:
		return ErrUnknownSocket
	case s.remote():
		return errFlushRemote
	}
	switch s.state.Load() {
	case stateConnecting, stateAdmitting:
		return errFlushConnect
	case stateJoined:
	default:
		return s.leftError()
	}
	err := s.client().conn.Flush(ctx)
	if errors.Is(err, engineio.ErrClosed) {
		return s.leftError()
	}
	return err
}
