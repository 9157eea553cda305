package socketio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/parser"
)

// EmitterOptions configures an [Emitter]. The zero value, and nil, are the
// defaults. NewEmitter copies it.
type EmitterOptions struct {
	// Channel is [Options].Cluster.Channel of the servers. Zero means "flask-socketio".
	Channel string
	// QueueLimit bounds, in bytes, what waits to be published. Zero
	// means 8 MiB. See [Options].
	QueueLimit int
	// ReplayLimit bounds, in bytes, what is kept while the broker is
	// away. Zero means that nothing is kept. See [Options].
	ReplayLimit int
	// JSON replaces encoding/json for the arguments of events.
	JSON parser.Codec
	// Logger gets the losses of the connection at level warn. Zero means
	// [slog.Default].
	Logger *slog.Logger
}

// Emitter emits to the clients of all servers on a [Broker], Flask-SocketIO's
// included, from a process that has none: a worker, a scheduled job, an HTTP
// service. It only writes: it has no handlers, and hears no answers. All methods
// may be called from any goroutine. Flask-SocketIO:
// SocketIO(message_queue=url), without an app.
type Emitter struct {
	core *emitterCore
	ns   string
	err  error // what is wrong with ns
}

// emitterCore is what the Emitters of several namespaces share.
type emitterCore struct{ uplink }

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
	core := &emitterCore{newUplink(b, newHost(), o.Channel, o.QueueLimit, o.ReplayLimit, parser.New(o.JSON), o.Logger, true)}
	return &Emitter{core: core, ns: "/"}
}

// Namespace returns the Emitter of a namespace; "" is "/", and a missing slash is added.
// It shares everything else with this one, Close included.
func (m *Emitter) Namespace(name string) *Emitter {
	ns, err := namespaceName(name)
	if name == anyName {
		err = errors.New(`Namespace("*") is for handlers; name one`)
	}
	if err != nil {
		return &Emitter{core: m.core, ns: name, err: fmt.Errorf("socketio: %w", err)}
	}
	return &Emitter{core: m.core, ns: ns}
}

// Emit sends an event to everyone in the namespace, or to whom the options say;
// see [Socket.Emit] for data. It does not wait for the network: the error is
// that the event cannot be encoded, or [ErrBrokerUnavailable]. The options
// [SkipSelf], [Local] and [OnAck] are refused. Servers of Flask-SocketIO do not
// know [Except], [Volatile] and [Compress].
func (m *Emitter) Emit(event string, data any, opts ...EmitOption) error {
	if m.err != nil {
		return m.err
	}
	e, err := newEmission(nil, m.ns, opts)
	if err != nil {
		return err
	}
	defer e.free()
	switch {
	case e.local:
		return errors.New("socketio: an Emitter has no clients: Local reaches nobody; leave it out")
	case e.ack != nil:
		return errors.New("socketio: an Emitter hears no answers: OnAck needs a Server with a Broker")
	case parser.Reserved(event):
		return reservedError(event)
	}
	o := outgoing{
		ns: e.ns, everyone: !e.targeted, rooms: e.rooms, skip: e.skip, except: e.except,
		volatile: e.volatile, noCompress: e.noCompress,
	}
	if o.event, o.args, o.attachments, err = encodeJSON(m.core.codec, event, data); err != nil {
		return err
	}
	if e.targeted && len(o.rooms) == 0 {
		return nil // nobody
	}
	return m.core.putEvent(&o)
}

// Send is Emit with the event name "message".
func (m *Emitter) Send(data any, opts ...EmitOption) error { return m.Emit("message", data, opts...) }

// JoinRoom adds a socket to a room, wherever it is. Nobody says whether there
// is such a socket. The error is [ErrUnknownSocket] or [ErrRoomName] for an
// empty name, and [ErrBrokerUnavailable].
func (m *Emitter) JoinRoom(sid, room string) error { return m.socket("enter_room", sid, room) }

// LeaveRoom removes a socket from a room, wherever it is. The errors are those
// of JoinRoom.
func (m *Emitter) LeaveRoom(sid, room string) error { return m.socket("leave_room", sid, room) }

// Disconnect makes a client leave the namespace, wherever it is. The errors are
// those of JoinRoom.
func (m *Emitter) Disconnect(sid string) error { return m.socket("disconnect", sid, "") }

func (m *Emitter) socket(method, sid, room string) error {
	if m.err != nil {
		return m.err
	}
	if err := checkSocket(method, m.ns, sid, room); err != nil {
		if err == errNothingToDo {
			return nil
		}
		return err
	}
	return m.core.putSocket(method, m.ns, sid, room)
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
	return m.core.putCloseRoom(m.ns, room)
}

// BrokerStatus tells how the Emitter gets on with its broker.
func (m *Emitter) BrokerStatus() broker.Status { return m.core.out.Status() }

// Close publishes what waits, until the context ends; the error says how many
// messages were lost. What is emitted from now on is refused with
// [ErrBrokerUnavailable]. It does not close the broker.
func (m *Emitter) Close(ctx context.Context) error { return m.core.out.Close(ctx) }
