package socketio

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/internal/session"
)

// Socket is one client in one namespace, from its connect handler to its
// disconnect handler. All methods may be called from any goroutine, at any
// time, also after the socket has left. A [Context] embeds the socket of its event.
//
// [Server.Socket] returns a nil *Socket for an unknown session id. Its methods may be
// called: those that return an error return [ErrUnknownSocket], the others do nothing or
// return a zero value.
type Socket struct {
	server *Server
	// at is the socket's seat on its connection; nil if it stands for a client of
	// another server.
	at       atomic.Pointer[seat]
	recovery *recoverable // nil: its client cannot come back
	sid      string
	name     string // of the namespace
	// state is written with mu held. The flags are beside it to save memory, since there is
	// a Socket for each client.
	state     atomic.Int32
	departed  bool // its disconnect event is in the mailbox; client.mu guards it
	announced bool // the client has been sent the CONNECT packet; mu guards it
	accepted  bool // its disconnect handler will run; mu guards it
	drop      bool // events that wait are not handled; mu guards it

	entered atomic.Int64 // when its connect handler accepted it, in ns of Unix time; 0 until then
	events  sync.WaitGroup
	// sending is read-locked while a packet is handed to the engine, which never
	// waits. It is locked when the socket leaves, so that nothing is queued behind its
	// DISCONNECT packet. It is taken after mu.
	sending sync.RWMutex

	mu         sync.Mutex
	reason     Reason // why it leaves; empty until then
	cause      error
	membership rooms.Member[*Socket] // of the namespace and its rooms
	held       []packet              // sent when the socket is accepted
	heldSize   int64
	acks       map[uint64]ackTarget
	ackBox     *box // callbacks of OnAck
	ctx        context.Context
	cancel     context.CancelCauseFunc
}

// States of a socket.
const (
	stateConnecting int32 = iota // the connect handler has not decided
	stateAdmitting               // in the namespace; packets are held until the CONNECT packet is queued
	stateJoined                  // in the namespace
	stateAway                    // its client has lost its connection and may come back; see comeback.go
	stateLeaving                 // nothing reaches it; its disconnect handler has not returned
	stateGone                    // refused, or the disconnect handler has returned
)

func newSocket(st *seat) *Socket {
	s := &Socket{server: st.client.srv, name: st.ns, sid: st.client.revision().SID(st.ns, st.client.conn.ID())}
	s.at.Store(st)
	if st.client.recoverable {
		s.recovery = &recoverable{box: st.box, values: st.client.session}
	}
	s.membership.Init(s, s.name, s.sid)
	return s
}

// ID returns the session id: 27 characters, different for every namespace and
// every connection. It is also the name of a room that only this socket is in.
// Flask-SocketIO: request.sid. Socket.IO protocol: Connection to a namespace.
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

// Request returns the HTTP request of the connection's handshake, with its headers,
// cookies and query. It has no body. It must not be changed. In [Namespace.OnExpired] it
// may be empty or another user's, as Context says. Flask-SocketIO: request.
func (s *Socket) Request() *http.Request {
	if s == nil || s.remote() {
		return noRequest()
	}
	return s.client().conn.Request()
}

// Transport returns the client's present transport: "polling" or "websocket".
func (s *Socket) Transport() string {
	if s == nil || s.remote() {
		return ""
	}
	return s.client().conn.Transport()
}

// Session returns the values that are kept for this connection. Flask-SocketIO: session.
func (s *Socket) Session() *Session {
	if s == nil || s.remote() {
		return new(Session)
	}
	if r := s.recovery; r != nil {
		return r.values
	}
	return s.client().session
}

// Session keeps values for as long as a connection lives. The namespaces of one connection
// share it, like Flask-SocketIO's managed session. It starts with what [Options].Session
// returned. Changes do not reach the HTTP session. All methods may be called from any
// goroutine:
//
//	Get(key string) any                   // nil if there is no such value; see SessionValue
//	Set(key string, value any)
//	Delete(key string)
//	Add(key string, n int) int            // adds to a number, and returns the sum
//	Update(key string, f func(old any) any) any // atomic; f may be called several times
//	Values() map[string]any               // a copy
//
// A session that goes to another server with its client ([Options].Recovery) has its
// values in JSON on the way. There [SessionValue] returns them with their types again; the
// other methods see what encoding/json makes of them, a number as a float64 for example. A
// value that cannot be encoded is missing there, which is logged.
type Session = session.Session // an alias, because the values need not know sockets

// SessionValue returns the value of key as a T. ok is false if there is none, or if it
// has another type.
func SessionValue[T any](s *Session, key string) (value T, ok bool) { return session.Value[T](s, key) }

// Context returns a context with the values of the handshake request's context. It is
// cancelled when the client leaves, with a [*DisconnectError] as its cause. Use
// [context.WithoutCancel] for work that must be finished nevertheless. In
// [Namespace.OnExpired] it has no values if the session has come from another server, and
// those of the new request if the client was coming back: keep the user in Session.
func (s *Socket) Context() context.Context {
	if s == nil {
		return unknownContext
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil { // made when first needed, which is rare
		s.ctx, s.cancel = context.WithCancelCause(context.WithoutCancel(s.connectionContext()))
		if err := s.endLocked(); err != nil {
			s.cancel(err)
		}
	}
	return s.ctx
}

// Emit sends an event to this client, or to the clients that the options select. Nil
// data is no argument, [Args] are several, anything else that the JSON codec can encode
// is one. A []byte anywhere in it is sent as binary. Data is encoded before Emit returns,
// and may be changed afterwards.
//
// What one goroutine emits arrives in that order, and before the acknowledgement of the
// event that the goroutine handles. Emit sends nothing and returns an error if data
// cannot be encoded, if the protocol reserves the event's name, or if the options
// contradict each other. The error is [ErrClosed] if the client has left, and
// [ErrSendQueueFull] if too much already waits for it. With [To] or [Broadcast] such
// clients are left out, and the error is nil. Flask-SocketIO: emit. Socket.IO protocol:
// Sending and receiving data.
func (s *Socket) Emit(event string, data any, opts ...EmitOption) error {
	if s == nil {
		return ErrUnknownSocket
	}
	return s.srv().emit(s, s.name, event, data, opts)
}

// Send calls Emit with the event name "message". Flask-SocketIO: send.
func (s *Socket) Send(data any, opts ...EmitOption) error {
	return s.Emit("message", data, opts...)
}

// Call emits an event to this client, or to the one client that the options
// select, and waits for its acknowledgement. The wait ends with the context, or with a
// [*DisconnectError] when the client leaves. Call may be used in a handler, but not in a
// connect handler: its client is sent nothing before it returns. A client of another
// server is asked as by [Namespace.Call]. [Call] decodes the answer; Namespace.Call asks
// several clients. Flask-SocketIO: call. Socket.IO protocol: Acknowledgement.
func (s *Socket) Call(ctx context.Context, event string, data any, opts ...EmitOption) (Reply, error) {
	if s == nil {
		return Reply{}, ErrUnknownSocket
	}
	return s.srv().callOne(ctx, s, event, data, opts)
}

// Connected reports whether the client is in the namespace: its connect handler has
// accepted it, and it has not left. It is false for a client of another server: see
// Remote and [Cluster.Connected].
func (s *Socket) Connected() bool { return s != nil && s.present() }

// Remote reports whether the socket stands for a client of another server on the
// broker, as in the Context of an [OnAck] handler: its request and session are
// empty, and what is emitted to it goes through the broker.
func (s *Socket) Remote() bool { return s != nil && s.elsewhere() }

// Disconnect makes the client leave the namespace. Its connection, and its
// sockets in other namespaces, stay, and it may connect again, as a new socket.
// Disconnect returns at once: the disconnect handler runs after the handler
// that runs now, and events that wait are dropped. In a connect handler it
// refuses the client. A second call has no effect. Flask-SocketIO: disconnect. Socket.IO
// protocol: Disconnection from a namespace.
func (s *Socket) Disconnect() {
	if s == nil {
		return
	}
	if s.elsewhere() {
		_ = s.Namespace().Disconnect(s.sid) // the other server reports no errors
		return
	}
	s.leave(ReasonServerDisconnect, nil, true)
}

// CloseConnection makes the client leave all its namespaces, as Disconnect does for one,
// and then closes its connection, after what has been emitted to it so far. It returns
// at once.
func (s *Socket) CloseConnection() {
	if s == nil {
		return
	}
	if s.elsewhere() {
		s.Disconnect()
		return
	}
	cl := s.client()
	cl.disconnect()
	if s.recovery == nil {
		return
	}
	s.mu.Lock()
	back := s.recovery.back
	s.mu.Unlock()
	if back != nil && back.seat.client != cl {
		back.seat.client.disconnect()
	}
}

// unknownContext is the context of a nil *Socket.
var unknownContext = func() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(ErrUnknownSocket)
	return ctx
}()

// remoteSocket returns a socket that stands for a client of another server. Only its
// session id is known.
func (srv *Server) remoteSocket(ns, sid string) *Socket {
	s := &Socket{server: srv, name: ns, sid: sid}
	s.state.Store(stateGone)
	return s
}

// remote reports whether the socket stands for a client of another server.
func (s *Socket) remote() bool { return s.at.Load() == nil }

// local returns the socket, nil if it stands for a client of another server.
func (s *Socket) local() *Socket {
	if s == nil || s.elsewhere() {
		return nil
	}
	return s
}

// elsewhere reports whether the client is reached through the broker.
func (s *Socket) elsewhere() bool { return s.remote() || s.movedAway() }

// noRequest returns the request of a client that is connected to another server: an
// empty one.
func noRequest() *http.Request {
	return &http.Request{Method: http.MethodGet, URL: new(url.URL), Header: http.Header{}, Body: http.NoBody}
}

// connectionContext returns the context of the connection.
func (s *Socket) connectionContext() context.Context {
	if cl := s.client(); cl != nil {
		return cl.conn.Context()
	}
	return context.Background()
}

func (s *Socket) srv() *Server { return s.server }

// client returns the connection of the socket; nil if it stands for a client of another
// server.
func (s *Socket) client() *client {
	if st := s.at.Load(); st != nil {
		return st.client
	}
	return nil
}

// endLocked says why the client is not connected: it has left, or lost its connection. It
// is nil for a client that is, or is about to be. The caller holds s.mu.
func (s *Socket) endLocked() error {
	switch r := s.recovery; {
	case s.reason != "":
		return &DisconnectError{s.reason, s.cause}
	case r != nil && s.state.Load() == stateAway && (r.back == nil || r.back.seat != s.at.Load()):
		return r.lost
	}
	return nil
}

// hasLeft reports whether the socket has left its namespace, or is leaving.
func (s *Socket) hasLeft() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason != ""
}

// present reports whether the socket is in its namespace.
func (s *Socket) present() bool {
	state := s.state.Load()
	return state == stateAdmitting || state == stateJoined
}

// leftError says why the socket cannot be reached.
func (s *Socket) leftError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	reason, cause := s.reason, s.cause
	if err := s.endLocked(); err != nil {
		return err
	}
	if reason == "" { // the engine has closed the connection, and has not called Closed yet
		if e, ok := errors.AsType[*engineio.CloseError](context.Cause(s.client().conn.Context())); ok {
			reason, cause = e.Reason, e.Err
		}
	}
	return &DisconnectError{reason, cause}
}

var (
	errFlushRemote  = errors.New("socketio: Flush: the client is connected to another server, and only that one knows what waits for it")
	errFlushConnect = errors.New("socketio: Flush: what a connect handler emits is sent when it has returned, so it cannot wait for that; call Flush in the handler of an event, or in a goroutine that starts after the client has been accepted")
)

// Buffered returns how many bytes wait to be sent to this client: those that were
// emitted in all its namespaces and have not yet been handed to the network. It is 0 for
// a socket of another server.
func (s *Socket) Buffered() int {
	if s == nil || s.remote() {
		return 0
	}
	cl := s.client()
	return cl.conn.Buffered() + int(cl.held.Load())
}

// Flush waits until what was emitted to this client before the call has been handed to
// the network; over polling, until it has been written as the answer to a request. With
// it, a producer sends no faster than the client takes. Flush returns the error of ctx if
// that ends first, and a [*DisconnectError] if the client leaves or has left. It returns
// an error at once in a connect handler, whose client is sent nothing before it returns,
// and for a socket of another server, and [ErrUnknownSocket] for a nil Socket.
func (s *Socket) Flush(ctx context.Context) error {
	switch {
	case s == nil:
		return ErrUnknownSocket
	case s.remote():
		return errFlushRemote
	}
	for s.state.Load() == stateAdmitting { // for some microseconds
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	switch s.state.Load() {
	case stateConnecting:
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
