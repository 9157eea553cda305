package socketio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/outbox"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/internal/wire/flask"
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
	publisher *cluster.Publisher // shared by the Emitters of all namespaces
	codec     parser.Parser      // JSON
	ns        string
	err       error // what is wrong with ns
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
		publisher: cluster.NewPublisher(flask.New(cluster.NewHost(), o.Channel), outbox.Options{
			Broker: b, Channel: o.Channel, Limit: o.QueueLimit, Keep: o.ReplayLimit, Logger: o.Logger, WriteOnly: true,
		}),
		codec: parser.New(o.JSON), ns: "/",
	}
}

// Namespace returns the Emitter of a namespace; "" is "/", and a missing slash is added.
// It shares everything else with this one, Close included.
func (m *Emitter) Namespace(name string) *Emitter {
	other := *m
	other.err = nil
	var err error
	if other.ns, err = namespaceName(name); name == anyName {
		err = errors.New(`Namespace("*") is for handlers; name one`)
	}
	if err != nil {
		other.ns, other.err = name, fmt.Errorf("socketio: %w", err)
	}
	return &other
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
	e, err := newEmitOptions(nil, m.ns, opts)
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
	out := e.wireEvent()
	out.Rooms = e.rooms
	if err := encodeWire(out, m.codec, event, data); err != nil {
		return err
	}
	if e.targeted && len(out.Rooms) == 0 {
		return nil // nobody
	}
	return m.publisher.Publish(out)
}

// Send is Emit with the event name "message".
func (m *Emitter) Send(data any, opts ...EmitOption) error { return m.Emit("message", data, opts...) }

// JoinRoom adds a socket to a room, wherever it is. Nobody says whether there
// is such a socket. The error is [ErrUnknownSocket] or [ErrRoomName] for an
// empty name, and [ErrBrokerUnavailable].
func (m *Emitter) JoinRoom(sid, room string) error { return m.do(wire.Join, sid, room) }

// LeaveRoom removes a socket from a room, wherever it is. The errors are those
// of JoinRoom.
func (m *Emitter) LeaveRoom(sid, room string) error { return m.do(wire.Leave, sid, room) }

// Disconnect makes a client leave the namespace, wherever it is. The errors are
// those of JoinRoom.
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

// BrokerStatus tells how the Emitter gets on with its broker.
func (m *Emitter) BrokerStatus() broker.Status { return m.publisher.Status() }

// Close publishes what waits, until the context ends; the error says how many
// messages were lost. What is emitted from now on is refused with
// [ErrBrokerUnavailable]. It does not close the broker.
func (m *Emitter) Close(ctx context.Context) error { return m.publisher.Close(ctx) }
