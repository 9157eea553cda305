package socketio

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/census"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/internal/rooms"
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
	c := cluster.New(co)
	srv.cluster, srv.offsets = c, recovery.NewOffsets()
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
		target = &remoteTarget{question: q, id: head.ID, waiting: make(map[*Socket]struct{})}
		a = target
	}
	out, decoded, err := srv.assemble(head, in, !e.noCompress)
	if err != nil {
		return err
	}
	if srv.recovery != nil {
		out = srv.packets.WithForms(head, decoded.Event, decodeIf(srv.opts.ownParser, decoded.Args), out, !e.noCompress).WithOffset(wireOffset(in.ID))
	}
	f := srv.newFanout(nil, e, out, decoded.Event, nil)
	if f.shown != nil {
		f.shown.Elsewhere, f.shown.args = true, decoded.Args
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

// assemble makes a packet of an event from another server. Unless Options.Parser is set,
// the encoded arguments go in unchanged. Decoding checks them.
func (srv *Server) assemble(head parser.Header, in *wire.Event, compress bool) (packet, parser.Packet, error) {
	text := make([]byte, 0, 64+len(in.Namespace)+len(in.Name)+len(in.Args))
	text = parser.AppendText(text, head, len(in.Attachments), in.Name, in.Args)
	decoded, err := parser.DecodeAll(srv.opts.queue, cluster.PacketLimits, text, in.Attachments)
	if err != nil {
		return packet{}, decoded, err
	}
	if !srv.opts.ownParser {
		return packets.New(text, in.Attachments, compress), decoded, nil
	}
	out, err := srv.encode(head, append(Args{decoded.Event}, decodeAll(decoded.Args)...), compress)
	return out, decoded, err
}

// decodeIf returns decoded arguments, or nil.
func decodeIf(needed bool, args parser.Args) Args {
	if !needed {
		return nil
	}
	return decodeAll(args)
}

// wireEvent returns the event for other servers, without rooms and payload.
func (e *emitOptions) wireEvent() *wire.Event {
	e.out = wire.Event{
		Namespace: e.ns, Everyone: !e.targeted, Skip: e.skip, Except: e.except,
		Volatile: e.volatile, NoCompress: e.noCompress,
	}
	return &e.out
}

// encodeWire encodes an event for other servers.
func encodeWire(out *wire.Event, codec parser.Parser, event string, data any) error {
	text, attachments, err := codec.Encode(nil, parser.Header{Type: parser.Event, Namespace: "/"}, append([]any{event}, argsOf(data)...))
	if err != nil {
		return fmt.Errorf("socketio: emit %q: %w", event, err)
	}
	out.Name, out.Args = parser.SplitEvent(text)
	out.Attachments = attachments
	return nil
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
			cb.failed(srv.remoteSocket(e.ns, sid), err)
		}
	}
	return nil // the clients of this server have it; BrokerStatus reports the failure
}

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
	if err := srv.fillWire(out, p, event, data); err != nil {
		return err
	}
	out.ID = srv.eventID(e, p)
	e.published = ask == nil
	return srv.cluster.Emit(out, ask)
}

// eventID returns the id of an event for other servers: the offset with which clients here get it.
// Nobody keeps a volatile one. Without Options.Recovery the event has one, too: other servers may
// have that.
func (srv *Server) eventID(e *emitOptions, p packet) []byte {
	if e.volatile {
		return nil
	}
	offset := p.Offset()
	if offset.IsZero() {
		offset = srv.offsets.Next()
	}
	return offset.Append(e.id[:0])
}

// elsewhere publishes a command for a socket that is not on this server.
func (n *namespace) elsewhere(do wire.Action, sid, room string) error {
	switch {
	case n.err != nil:
		return n.err
	case n.srv.cluster == nil || n.name == anyName:
		return fmt.Errorf("%w: %q in %.100s", ErrUnknownSocket, short(sid), n.name)
	}
	return doElsewhere(n.srv.cluster.Do, wire.Command{Do: do, Namespace: n.name, SID: sid, Room: room})
}

// doElsewhere checks a command for a socket and publishes it, unless it has no effect.
func doElsewhere(publish func(wire.Command) error, c wire.Command) error {
	switch {
	case c.SID == "":
		return fmt.Errorf("%w: %q in %s", ErrUnknownSocket, c.SID, c.Namespace)
	case c.Do == wire.Disconnect:
	case c.Room == "":
		return errEmptyRoom
	case c.Room == c.SID:
		return nil // every socket is always in its own room
	}
	return publish(c)
}

// fleetChannel returns the channel on which Go servers find each other and ask each
// other. channel is the one that they share for their clients.
func fleetChannel(channel string) string { return channel + "#servers" }

// newFleet returns the server's place among the Go servers on the broker.
func (srv *Server) newFleet(id string, c *cluster.Cluster) *fleet.Fleet {
	channel := fleetChannel(srv.opts.Cluster.Channel)
	o := fleet.Options{
		Host: id, Name: serverName(id), Answer: srv.answerServer,
		Publish: func(data []byte) error { return c.PutTransient(channel, data) },
		Lost: func(host string, err error) {
			c.Lost(host, err, err != fleet.ErrInterrupted)
		},
	}
	if opts := &srv.opts; opts.Cluster.PeerURL != "" {
		o.Endpoint = strings.TrimSuffix(opts.Cluster.PeerURL, "/") + opts.Path
	}
	return fleet.New(o)
}

// serverName returns a name of this process that people can read.
func serverName(host string) string {
	machine, _ := os.Hostname() // may be unknown
	name := fmt.Sprintf("%.100s/%d", machine, os.Getpid())
	if host != "" {
		name += "/" + host[:8]
	}
	return name
}

// answerServer answers a question of another server.
func (srv *Server) answerServer(from string, content []byte, answer func(fleet.Answer)) {
	if srv.mover == nil || !srv.mover.Answer(from, content, answer) {
		answer(srv.answerContent(content))
	}
}

// answerContent returns the answer to a question of another server. There is one in every
// case, because the other server waits.
func (srv *Server) answerContent(content []byte) (a fleet.Answer) {
	defer func() {
		if v := recover(); v != nil { // of a hook
			a = fleet.Answer{Err: srv.recovered("answering another server", v).Error()}
		}
	}()
	return census.AnswerContent(content, clusterHost{srv})
}

var _ census.Sockets = clusterHost{}

// Members returns the session ids in a room.
func (h clusterHost) Members(ns, room string, away bool) []string {
	return h.srv.sidsIn(ns, room, away)
}

// Count returns how many sockets are in a room.
func (h clusterHost) Count(ns, room string, away bool) int { return h.srv.countIn(ns, room, away) }

// Rooms returns the rooms of a socket.
func (h clusterHost) Rooms(ns, sid string) (names []string, found, connected bool) {
	n := namespace{srv: h.srv, name: ns}
	s := n.Socket(sid)
	if !s.Connected() && !s.Away() {
		return nil, false, false
	}
	return s.Rooms(), true, s.Connected()
}

// Select returns the session ids that an event reaches.
func (h clusterHost) Select(q *census.Question) (sids []string) {
	e := &emitOptions{ns: q.Namespace, targeted: !q.Everyone, rooms: q.Rooms, skip: q.Skip, except: q.Except}
	h.srv.each(e, false, nil, func(s *Socket, _ *place) error {
		sids = append(sids, s.sid)
		return nil
	})
	return sids
}

// Disconnect makes everyone in a room leave the namespace.
func (h clusterHost) Disconnect(ns, room string) (n int) {
	for s := range h.srv.socketsIn(ns, room, true) {
		s.Disconnect()
		n++
	}
	return n
}

// Move makes everyone in a room join another one, and leave the first.
func (h clusterHost) Move(ns, from, to string) (n int, err error) {
	for s := range h.srv.socketsIn(ns, from, true) {
		switch failed := s.Join(to); {
		case failed == nil:
			if from != to && from != rooms.Everyone {
				s.Leave(from)
			}
			n++
		case !errors.Is(failed, ErrClosed):
			err = failed
		}
	}
	return n, err
}
