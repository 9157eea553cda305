package socketio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/handlers"
	"github.com/seed-d124fa34/socketio/internal/outbox"
	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/internal/wire/flask"
	"github.com/seed-d124fa34/socketio/parser"
)

// EmitOption says to whom and how an event is sent, see [Socket.Emit]. The
// order of options does not matter. Without [To] or [Broadcast] a [Socket] and a
// [Context] emit to their client, a [Namespace] and a [Server] to everyone.
//
// Several arguments of an event are one value of type [Args]: c.Emit("y",
// socketio.Args{1, 2}). For c.Emit("y", 1, 2), which does not compile, the compiler's
// message contains the name of the method below.
type EmitOption interface {
	severalArgumentsGoIntoOneArgs(*emitOptions)
}

// emitOptions are those of one Emit or Call.
type emitOptions struct {
	ns         string
	rooms      []string
	room       [1]string // backs rooms if there is one room
	targeted   bool      // To was given, though perhaps without rooms
	broadcast  bool
	skipSelf   bool
	skip       []string
	except     []string
	ack        *ackOption
	ackTimeout time.Duration // 0 if there is none
	volatile   bool
	local      bool
	noCompress bool
	published  bool   // the other servers get it as it is
	arrived    uint64 // Server.arrived before the event was sent to anybody
	err        error
	out        wire.Event // for other servers; a field saves its allocation
	id         [24]byte   // backs out.ID
}

type optionFunc func(*emitOptions)

func (f optionFunc) severalArgumentsGoIntoOneArgs(e *emitOptions) { f(e) }

// To selects everyone in at least one of the rooms, each once. A room may be a
// session id. Several To options add up. The sender is included if it is in one of the
// rooms, see [SkipSelf]. To without a room selects nobody. If a name is empty, nothing
// is sent and the error is [ErrRoomName]. Flask-SocketIO: to, room.
func To(rooms ...string) EmitOption {
	if len(rooms) == 1 {
		return roomOption(rooms[0])
	}
	return roomsOption(slices.Clone(rooms)) // a clone, so that rooms stays on the caller's stack
}

// roomOption is To with one room, the most frequent case.
type roomOption string

func (o roomOption) severalArgumentsGoIntoOneArgs(e *emitOptions) {
	e.targeted = true
	if e.rooms == nil {
		e.room[0] = string(o)
		e.rooms = e.room[:]
		return
	}
	e.rooms = append(e.rooms, string(o))
}

type roomsOption []string

func (o roomsOption) severalArgumentsGoIntoOneArgs(e *emitOptions) {
	e.targeted = true
	e.rooms = append(e.rooms, o...)
}

// Broadcast selects everyone in the namespace, including the sender, see
// [SkipSelf]. It has no effect with [To]. Flask-SocketIO: broadcast=True.
func Broadcast() EmitOption { return broadcastOption }

// SkipSelf leaves out the client of the socket that emits.
// Flask-SocketIO: include_self=False.
func SkipSelf() EmitOption { return skipSelfOption }

// Volatile sends the event only to clients that can take it now. For a client whose
// connection is busy it is dropped instead of queued.
func Volatile() EmitOption { return volatileOption }

// Local sends the event to clients of this server only, even if a broker connects it
// with others. Flask-SocketIO: ignore_queue.
func Local() EmitOption { return localOption }

var (
	broadcastOption  = optionFunc(func(e *emitOptions) { e.broadcast = true })
	skipSelfOption   = optionFunc(func(e *emitOptions) { e.skipSelf = true })
	volatileOption   = optionFunc(func(e *emitOptions) { e.volatile = true })
	localOption      = optionFunc(func(e *emitOptions) { e.local = true })
	noCompressOption = optionFunc(func(e *emitOptions) { e.noCompress = true })
	compressOption   = optionFunc(func(e *emitOptions) { e.noCompress = false })
)

// Skip leaves out the sockets with these session ids. Flask-SocketIO: skip_sid.
func Skip(sids ...string) EmitOption {
	return optionFunc(func(e *emitOptions) { e.skip = append(e.skip, sids...) })
}

// Except leaves out everyone in at least one of these rooms. If a name is empty, nothing
// is sent and the error is [ErrRoomName].
func Except(rooms ...string) EmitOption {
	return optionFunc(func(e *emitOptions) { e.except = append(e.except, rooms...) })
}

// InNamespace emits in another namespace. The sender is then the socket of the same
// connection in that namespace. If an emit is for the sender and there is no such socket,
// the error is [ErrUnknownSocket]. Flask-SocketIO: namespace.
func InNamespace(name string) EmitOption {
	return optionFunc(func(e *emitOptions) {
		var err error
		if e.ns, err = handlers.Namespace(name); err != nil {
			e.err = fmt.Errorf("socketio: InNamespace: %w", err)
		}
	})
}

// Compress says whether the packet may be compressed, on connections that can. Without
// this option it may. Use Compress(false) for data that is already compressed.
func Compress(on bool) EmitOption {
	if on {
		return compressOption
	}
	return noCompressOption
}

var emitOptionsPool = sync.Pool{New: func() any { return new(emitOptions) }}

// free returns the options to the pool. They must not be used after that.
func (e *emitOptions) free() {
	*e = emitOptions{}
	emitOptionsPool.Put(e)
}

// newEmitOptions combines and checks the options. If there is no error, the caller
// must free them.
func newEmitOptions(from *Socket, ns string, opts []EmitOption) (*emitOptions, error) {
	e := emitOptionsPool.Get().(*emitOptions)
	e.ns = ns
	for _, opt := range opts {
		if opt != nil {
			opt.severalArgumentsGoIntoOneArgs(e)
		}
	}
	err := e.err
	switch {
	case err != nil:
	case e.ns == anyName:
		err = errors.New(`socketio: Namespace("*") is for handlers; emit in a namespace by its name`)
	case slices.Contains(e.rooms, ""):
		err = fmt.Errorf("socketio: To: %w", errEmptyRoom)
	case slices.Contains(e.except, ""):
		err = fmt.Errorf("socketio: Except: %w", errEmptyRoom)
	case e.ackTimeout != 0 && e.ack == nil:
		err = errors.New("socketio: AckTimeout without OnAck: there is no acknowledgement to wait for; a Call is bounded by its context")
	case from == nil && e.skipSelf:
		err = errors.New("socketio: SkipSelf needs a sender; emit on a Socket or a Context, or use Skip(sid)")
	}
	if err != nil {
		e.free()
		return nil, err
	}
	if from != nil && from.elsewhere() {
		if from.sid == "" && (e.direct(from) || e.skipSelf) {
			e.free()
			return nil, fmt.Errorf("%w: the Flask-SocketIO server did not say which client answered", ErrUnknownSocket)
		}
		if e.direct(from) {
			e.targeted, e.rooms = true, []string{from.sid}
		}
		if e.skipSelf {
			e.skip = append(e.skip, from.sid)
		}
	}
	return e, nil
}

// direct reports whether the sender itself is the target.
func (e *emitOptions) direct(from *Socket) bool { return from != nil && !e.targeted && !e.broadcast }

// self returns the socket of the emitting client in the namespace of the emit, nil if
// there is none.
func (e *emitOptions) self(from *Socket) (*Socket, error) {
	if from == nil || from.name == e.ns {
		return from, nil
	}
	s, _ := from.client().socket(e.ns)
	if s == nil && e.direct(from) {
		return nil, fmt.Errorf("%w: the client of this socket is not in %s", ErrUnknownSocket, e.ns)
	}
	return s, nil
}

// leavesOut reports whether Skip or Except leaves a socket out.
func (e *emitOptions) leavesOut(s, self *Socket) bool {
	if s == nil {
		return false
	}
	if len(e.skip) > 0 && slices.Contains(e.skip, s.sid) {
		return true
	}
	return len(e.except) > 0 && s.inOneOf(e.except, s == self)
}

// EmitterOptions configures an [Emitter]. The zero value, and nil, are the
// defaults. NewEmitter copies it.
type EmitterOptions struct {
	// Channel is [Options].Cluster.Channel of the servers. Zero means "flask-socketio".
	// Flask-SocketIO: channel.
	Channel string
	// QueueLimit bounds, in bytes, what waits to be published. Zero
	// means 8 MiB. See [ClusterOptions].
	QueueLimit int
	// ReplayLimit bounds, in bytes, what is kept while the broker is not available.
	// Zero means that nothing is kept. See [ClusterOptions].
	ReplayLimit int
	// JSON replaces encoding/json for the arguments of events.
	JSON parser.Codec
	// Logger gets a line at level warn when the connection is lost. Zero means
	// [slog.Default].
	Logger *slog.Logger
}

// Emitter emits to the clients of all servers on a [Broker], including those of
// Flask-SocketIO, from a process that has no clients: a worker, a scheduled job, an HTTP
// service. It only publishes: it has no handlers and gets no answers. All methods may
// be called from any goroutine. Flask-SocketIO: SocketIO(message_queue=url), without an
// app.
type Emitter struct {
	offsets   *recovery.Offsets  // of the events; shared as publisher
	publisher *cluster.Publisher // shared by the Emitters of all namespaces
	codec     parser.Parser      // JSON
	ns        string
	err       error // why ns is not valid
}

// NewEmitter returns an Emitter for "/". It starts a goroutine that [Emitter.Close] ends.
// It panics if the broker is nil or a limit is negative.
func NewEmitter(b Broker, opts *EmitterOptions) *Emitter {
	var o EmitterOptions
	if opts != nil {
		o = *opts
	}
	switch {
	case b == nil:
		panic("socketio: NewEmitter: the broker is nil")
	case o.QueueLimit < 0 || o.ReplayLimit < 0:
		panic("socketio: NewEmitter: QueueLimit and ReplayLimit cannot be negative; leave them 0 for the defaults")
	}
	if o.Channel == "" {
		o.Channel = broker.DefaultChannel
	}
	if o.QueueLimit == 0 {
		o.QueueLimit = broker.DefaultQueueLimit
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Emitter{
		offsets: recovery.NewOffsets(),
		publisher: cluster.NewPublisher(flask.New(cluster.NewHost(), o.Channel), outbox.Options{
			Broker: b, Channel: o.Channel, Limit: o.QueueLimit, Keep: o.ReplayLimit, Logger: o.Logger, WriteOnly: true,
		}),
		codec: parser.New(o.JSON), ns: "/",
	}
}

// Namespace returns the Emitter of a namespace; "" is "/", and a missing slash is added.
// It shares everything else with this one: Close closes both.
func (m *Emitter) Namespace(name string) *Emitter {
	other := *m
	other.err = nil
	var err error
	if other.ns, err = handlers.Namespace(name); name == anyName {
		err = errors.New(`Namespace("*") is for handlers; name one`)
	}
	if err != nil {
		other.ns, other.err = name, fmt.Errorf("socketio: %w", err)
	}
	return &other
}

// Emit sends an event to everyone in the namespace, or to the clients that the options
// select; see [Socket.Emit] for data. It does not wait for the network. The error says
// that the event cannot be encoded, or is [ErrBrokerUnavailable]. The options
// [SkipSelf], [Local] and [OnAck] are refused. Flask-SocketIO's servers ignore
// [Except], [Volatile] and [Compress].
func (m *Emitter) Emit(event string, data any, opts ...EmitOption) error {
	if m.err != nil {
		return m.err
	}
	e, err := newEmitOptions(nil, m.ns, opts)
	if err != nil {
		return err
	}
	defer e.free()
	switch {
	case e.local:
		return errors.New("socketio: an Emitter has no clients: Local reaches nobody; leave it out")
	case e.ack != nil:
		return errors.New("socketio: an Emitter gets no answers: OnAck needs a Server with a Broker")
	case parser.Reserved(event):
		return reservedError(event)
	}
	out := e.wireEvent()
	out.Rooms = e.rooms
	if err := packets.ToWire(out, m.codec, event, argsOf(data)); err != nil {
		return err
	}
	if e.targeted && len(out.Rooms) == 0 {
		return nil // nobody
	}
	if !e.volatile {
		out.ID = m.offsets.Next().Append(e.id[:0])
	}
	return m.publisher.Publish(out)
}

// Send calls Emit with the event name "message".
func (m *Emitter) Send(data any, opts ...EmitOption) error { return m.Emit("message", data, opts...) }

// JoinRoom adds a socket to a room, on whatever server the socket is. No server reports
// whether there is such a socket. The error is [ErrUnknownSocket] for an empty sid,
// [ErrRoomName] for an empty room, or [ErrBrokerUnavailable].
func (m *Emitter) JoinRoom(sid, room string) error { return m.do(wire.Join, sid, room) }

// LeaveRoom removes a socket from a room, on whatever server the socket is. The errors
// are those of JoinRoom.
func (m *Emitter) LeaveRoom(sid, room string) error { return m.do(wire.Leave, sid, room) }

// Disconnect makes a client leave the namespace, on whatever server the client is. The
// errors are those of JoinRoom.
func (m *Emitter) Disconnect(sid string) error { return m.do(wire.Disconnect, sid, "") }

func (m *Emitter) do(action wire.Action, sid, room string) error {
	if m.err != nil {
		return m.err
	}
	return doElsewhere(m.publisher.Do, wire.Command{Do: action, Namespace: m.ns, SID: sid, Room: room})
}

// CloseRoom removes everyone from a room, on every server. The error is
// [ErrRoomName] or [ErrBrokerUnavailable].
func (m *Emitter) CloseRoom(room string) error {
	switch {
	case m.err != nil:
		return m.err
	case room == "":
		return errEmptyRoom
	}
	return m.publisher.Do(wire.Command{Do: wire.CloseRoom, Namespace: m.ns, Room: room})
}

// BrokerStatus returns the state of the Emitter's connection with its broker.
func (m *Emitter) BrokerStatus() broker.Status { return m.publisher.Status() }

// Close publishes what waits, until the context ends; the error says how many
// messages were lost. After Close, Emit returns [ErrBrokerUnavailable]. Close does not
// close the broker.
func (m *Emitter) Close(ctx context.Context) error { return m.publisher.Close(ctx) }

func reservedError(event string) error {
	return fmt.Errorf("socketio: emit %q: the protocol reserves this name; choose another", event)
}
