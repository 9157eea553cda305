package socketio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/acks"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/migration"
	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/internal/sessionid"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/internal/wire/flask"
	"github.com/seed-d124fa34/socketio/parser"
)

// Broker connects servers. Package broker says how to implement one. The alias lets
// programs pass a broker on without importing that package.
type Broker = broker.Broker

// clusterHost is a Server in the form of a cluster.Host, and of the census.Sockets that
// other servers ask about.
type clusterHost struct{ srv *Server }

var _ cluster.Host = clusterHost{}

// joinCluster connects the server with the others on its broker.
func (srv *Server) joinCluster(id string) {
	o := &srv.opts.Cluster
	srv.startSurvival()
	co := cluster.Options{
		Host: clusterHost{srv}, ID: id, Wire: flask.New(id, o.Channel), Broker: o.Broker,
		Codec: srv.opts.queue, Logger: srv.log,
		ProbeChannel: o.Channel, Limit: o.QueueLimit, Keep: o.ReplayLimit, AckTimeout: o.AckTimeout,
		Replay: flask.New("", o.Channel), CaptureLimit: o.QueueLimit,
	}
	if srv.sequence != nil {
		co.Sequence, co.Journal = srv.sequence, flask.New(id, journalChannel(o.Channel))
	}
	if _, keeps := o.Broker.(broker.History); !keeps && srv.recovery == nil {
		srv.offsets = recovery.NewOffsets()
	}
	c := cluster.New(co)
	srv.cluster = c
	srv.startMoving(c, id)
	c.Start(srv.newFleet(id, c), fleetChannel(o.Channel))
}

// BrokerStatus returns the state of the server's connection with its broker, all zero
// if it has none. Use the field Connected in the health check of a server that is
// useless without the others.
func (srv *Server) BrokerStatus() broker.Status {
	if srv.cluster == nil {
		return broker.Status{}
	}
	return srv.cluster.Status()
}

// Interested reports whether an event can reach a client of this server.
func (h clusterHost) Interested(e *wire.Event) bool {
	if e.Everyone {
		return h.srv.occupied(e.Namespace, rooms.Everyone)
	}
	for _, room := range e.Rooms {
		if h.srv.occupied(e.Namespace, room) {
			return true
		}
	}
	return false
}

// Apply carries out a command.
func (h clusterHost) Apply(c wire.Command) error {
	if c.Do == wire.CloseRoom {
		h.srv.closeRoom(c.Namespace, c.Room)
		return nil
	}
	s := h.srv.findSocket(c.SID)
	if s == nil || s.name != c.Namespace {
		return nil
	}
	switch c.Do {
	case wire.Disconnect:
		s.Disconnect()
	case wire.Join:
		if err := s.Join(c.Room); err != nil && !errors.Is(err, ErrClosed) {
			return err
		}
	case wire.Leave:
		s.Leave(c.Room)
	}
	return nil
}

// WaitIdle waits for the callbacks of OnAck.
func (h clusterHost) WaitIdle(ctx context.Context) error { return h.srv.workers.Wait(ctx) }

// Busy makes WaitIdle and Shutdown wait until done is called.
func (h clusterHost) Busy() (done func()) {
	h.srv.workers.Begin()
	return h.srv.workers.End
}

// Panicked logs a panic.
func (h clusterHost) Panicked(v any) { h.srv.recovered("handling a message from the broker", v) }

// Deliver sends an event of another server to the clients of this one.
func (h clusterHost) Deliver(in *wire.Event, q *cluster.Question) error {
	return h.srv.deliverFrom(in, q, func(e *emitOptions, visit func(*Socket, *place) error) {
		h.srv.each(e, false, nil, visit)
	})
}

// deliverFrom sends an event of another server to clients of this one: to each whom each visits.
func (srv *Server) deliverFrom(in *wire.Event, q *cluster.Question, each func(e *emitOptions, visit func(*Socket, *place) error)) error {
	e := emitOptionsPool.Get().(*emitOptions)
	defer e.free()
	e.ns, e.rooms, e.targeted = in.Namespace, in.Rooms, !in.Everyone
	e.skip, e.except, e.volatile, e.noCompress = in.Skip, in.Except, in.Volatile, in.NoCompress
	head := parser.Header{Type: parser.Event, Namespace: e.ns}
	var target *remoteTarget
	var a asker
	if q != nil {
		head.ID, head.HasID = srv.ackIDs.Add(1), true
		target = &remoteTarget{question: q, id: head.ID}
		a = target
	}
	out, decoded, err := srv.packets.FromWire(head, in)
	if err != nil {
		return err
	}
	f := srv.newFanout(nil, e, out, decoded.Event, nil)
	if f.emission != nil {
		f.emission.Elsewhere, f.emission.args = true, decoded.Args
	}
	f.beginReceived()
	defer f.release()
	var published int64 // of an event that comes late; clients that have come since do not get it
	if in.Age > 0 {
		published = time.Now().Add(-in.Age).UnixNano()
	}
	each(e, func(s *Socket, via *place) error {
		if published != 0 && s.entered.Load() > published {
			return nil
		}
		_, err := f.send(recipient{s, via}, a)
		f.closeIfFull(s, err) // a socket with another error is leaving
		return err
	})
	if target != nil {
		target.arm()
	}
	f.end()
	return nil
}

// remoteTarget collects the acknowledgements of one event for another server. It knows
// which clients owe one, and releases them when the other server waits no more.
type remoteTarget struct {
	inquiry  // empty, because the other server calls its own hooks
	question *cluster.Question
	id       uint64
	waiting  acks.Waiting[*Socket]
}

// ask asks one recipient of the event.
func (t *remoteTarget) ask(r recipient, p packet, volatile bool) (sent bool, err error) {
	t.waiting.Add(r.s)
	sent, err = r.s.ask(p, volatile, t.id, t, r.via)
	switch {
	case sent:
	case err == errLeftRoom:
		t.waiting.Remove(r.s)
	case err != errAlreadyFailed:
		t.failed(r.s, err)
	}
	return sent, err
}

// arm lets the other server, or its timeout, end the wait. It is called when all
// recipients have been asked.
func (t *remoteTarget) arm() {
	t.waiting.Arm(func() acks.Stopper {
		t.question.Wait(t.end)
		return t
	})
}

// Stop ends the question: all clients have answered or left, for acks.Waiting.
func (t *remoteTarget) Stop() bool {
	t.question.Done()
	return true
}

// end ends the wait for the clients that have not answered.
func (t *remoteTarget) end() {
	for s := range t.waiting.Take() {
		s.takeAck(t.id)
	}
}

func (t *remoteTarget) answered(s *Socket, args parser.Args) {
	t.waiting.Remove(s)
	if err := t.question.Answered(s.sid, args); err != nil {
		s.srv().log.Warn("socketio: the acknowledgement for another server cannot be sent", "namespace", s.name, "sid", short(s.sid), "error", err)
	}
}

func (t *remoteTarget) failed(s *Socket, err error) {
	t.waiting.Remove(s)
	most := 0
	if limit, ok := errors.AsType[*LimitError](err); ok {
		most = limit.Max
	}
	t.question.Failed(s.sid, most)
}

// wireEvent returns the event for other servers, without rooms and payload.
func (e *emitOptions) wireEvent() *wire.Event {
	e.out = wire.Event{
		Namespace: e.ns, Everyone: !e.targeted, Skip: e.skip, Except: e.except,
		Volatile: e.volatile, NoCompress: e.noCompress,
	}
	return &e.out
}

// emitElsewhere publishes an event for the clients of other servers. p is the event as
// encoded for the clients of this one.
func (srv *Server) emitElsewhere(e *emitOptions, self *Socket, p packet, event string, data any, cb *ackCallback) error {
	var ask *cluster.Ask
	if cb != nil {
		ask = srv.askElsewhere(e, cb)
	}
	err := srv.publish(e, self, p, event, data, ask)
	if cb == nil && !e.volatile && srv.arrived.Load() != e.arrived {
		srv.emitToArrived(e, self, p)
	}
	if !errors.Is(err, ErrBrokerUnavailable) {
		return err
	}
	if ask != nil && ask.Failures {
		for sid := range ask.Clients {
			ask.Asker.Failed(sid, err)
		}
	}
	return nil // the clients of this server have it; BrokerStatus reports the failure
}

// askElsewhere returns the cluster.Ask for the clients of other servers that an event
// with OnAck is for.
func (srv *Server) askElsewhere(e *emitOptions, cb *ackCallback) *cluster.Ask {
	ask := &cluster.Ask{
		ID: cb.id, Namespace: e.ns, Asker: &remoteAsker{srv: srv, ns: e.ns, target: cb},
		Timeout: cb.limit, Failures: cb.takesError(),
	}
	if !e.targeted || len(e.rooms) != 1 || len(e.except) > 0 {
		return ask
	}
	switch name := e.rooms[0]; {
	case !sessionid.Is(name):
		ask.PerhapsOne = sessionid.MayBePython(name)
	case srv.findSocket(name) == nil && !slices.Contains(e.skip, name):
		ask.Clients = map[string]string{name: ""}
	}
	return ask
}

// remoteAsker passes on the answers of clients of other servers.
type remoteAsker struct {
	srv     *Server
	ns      string
	target  ackTarget
	sockets map[string]*Socket // the sockets that the target waits for, by session id; nil if it knows none
}

// socket returns the socket that stands for the client that answered. Its session id is
// empty if sid may be the name of a room: an emit to the socket would reach everyone
// there.
func (a *remoteAsker) socket(sid string) *Socket {
	if a.sockets != nil {
		return a.sockets[sid]
	}
	if !sessionid.Is(sid) {
		sid = ""
	}
	return a.srv.remoteSocket(a.ns, sid)
}

func (a *remoteAsker) Answered(sid string, args parser.Args) {
	if s := a.socket(sid); s != nil {
		a.target.answered(s, args)
	}
}

func (a *remoteAsker) Failed(sid string, err error) {
	if s := a.socket(sid); s != nil {
		a.target.failed(s, explainElsewhere(a.target, err))
	}
}

// explainElsewhere translates the error of package cluster for a client of another server that does not answer.
func explainElsewhere(target ackTarget, err error) error {
	if most, limit := errors.AsType[cluster.LimitError](err); limit {
		return &LimitError{limitPendingAcks, int(most)}
	}
	switch err {
	case cluster.ErrTimeout:
		return target.late()
	case cluster.ErrLeft:
		return errLeftElsewhere
	case fleet.ErrLeft:
		return fmt.Errorf("%w: %w", errLeftElsewhere, err)
	case fleet.ErrUnavailable:
		return ErrBrokerUnavailable
	case fleet.ErrSilent, fleet.ErrInterrupted:
		return fmt.Errorf("socketio: the client is on another server: %w", err)
	}
	return err
}

// errLeftElsewhere: a client of another server left before it answered.
var errLeftElsewhere = fmt.Errorf("%w, on another server", ErrClosed)

// publish publishes an event for the clients of other servers, unless it can only be
// for clients of this one. If ask is not nil, the clients are asked for acknowledgements.
func (srv *Server) publish(e *emitOptions, self *Socket, p packet, event string, data any, ask *cluster.Ask) error {
	out := e.wireEvent()
	for _, room := range e.rooms {
		if s := srv.findSocket(room); s == nil || s.name != e.ns { // a socket of this server is on no other one
			out.Rooms = append(out.Rooms, room)
		}
	}
	if e.targeted && len(out.Rooms) == 0 {
		return nil
	}
	if srv.sequence != nil { // the history is to have it for clients of this server, too
		out.Rooms = e.rooms
	}
	if e.skipSelf && self != nil {
		out.Skip = append(slices.Clip(e.skip), self.sid)
	}
	if err := srv.packets.ToWire(out, &p, event, argsOf(data)); err != nil {
		return err
	}
	out.ID = srv.eventID(e, p)
	e.published = ask == nil
	return srv.cluster.Emit(out, ask)
}

// eventID returns the id of an event for other servers: the offset with which clients of this server get
// it, nil for a volatile one, which is not kept. Without Options.Recovery the event has an id, too, because
// other servers may have that option, unless they identify it by its place in the broker's history.
func (srv *Server) eventID(e *emitOptions, p packet) []byte {
	switch {
	case e.volatile:
	case srv.recovery != nil:
		return p.Offset().Append(e.id[:0])
	case srv.offsets != nil:
		return srv.offsets.Next().Append(e.id[:0])
	}
	return nil
}

// journalChannel returns the channel of events that only clients of their own server get, see fanout.record.
func journalChannel(channel string) string { return channel + "#sessions" }

// encodeMissed returns an event of the history in the form in which a client gets it. The wait for its
// acknowledgements has ended with its server.
func (srv *Server) encodeMissed(e *wire.Event, asks bool) (m migration.Packet, err error) {
	head := parser.Header{Type: parser.Event, Namespace: e.Namespace}
	if asks {
		head.ID, head.HasID = srv.ackIDs.Add(1), true
	}
	out, _, err := srv.packets.FromWire(head, e)
	if err != nil {
		return m, err
	}
	m = packets.ToMove(out.Fixed().Kept)
	m.Ask = 0
	return m, nil
}
