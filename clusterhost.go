package socketio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/internal/wire/flask"
	"github.com/seed-d124fa34/socketio/parser"
)

// Broker connects servers, see package broker, which has what implementing one
// takes. The alias is for programs that pass a broker on: they need no second import.
type Broker = broker.Broker

// ErrBrokerUnavailable: the [Broker] is away, or too slow, and the message
// was dropped; see [Options].Cluster.ReplayLimit.
var ErrBrokerUnavailable = cluster.ErrUnavailable

// clusterHost is a server as its cluster sees it.
type clusterHost struct{ srv *Server }

var _ cluster.Host = clusterHost{}

// joinCluster makes the server one of those on its broker.
func (srv *Server) joinCluster(id string) {
	o := &srv.opts.Cluster
	c := cluster.New(cluster.Options{
		Host: clusterHost{srv}, ID: id, Wire: flask.New(id, o.Channel), Broker: o.Broker,
		Codec: srv.opts.queue, Logger: srv.log,
		ProbeChannel: o.Channel, Limit: o.QueueLimit, Keep: o.ReplayLimit, AckTimeout: o.AckTimeout,
	})
	srv.cluster = c
	c.Start(srv.newFleet(id, c), fleetChannel(o.Channel))
}

// BrokerStatus tells how the server gets on with its broker; without one it is
// all zero. Health checks of servers that are useless without the others look
// at Connected.
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

// Busy makes WaitIdle and Shutdown wait.
func (h clusterHost) Busy() (done func()) {
	h.srv.workers.Begin()
	return h.srv.workers.End
}

// Panicked logs a panic.
func (h clusterHost) Panicked(v any) { h.srv.recovered("handling a message from the broker", v) }

// Deliver sends an event of another server to the clients of this one.
func (h clusterHost) Deliver(in *wire.Event, q *cluster.Question) error {
	srv := h.srv
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
	f := srv.newFanout(nil, e, out, decoded.Event, nil)
	if f.shown != nil {
		f.shown.Elsewhere, f.shown.args = true, decoded.Args
	}
	srv.each(e, false, nil, func(s *Socket, via *place) error {
		_, err := f.send(recipient{s, via}, a)
		s.closeIfFull(err) // others who cannot be reached are leaving
		return err
	})
	if target != nil {
		target.arm()
	}
	f.end()
	return nil
}

// assemble makes a packet of an event from another server: the arguments go in as
// they are, if clients speak JSON. Decoding checks them.
func (srv *Server) assemble(head parser.Header, in *wire.Event, compress bool) (packet, parser.Packet, error) {
	text := make([]byte, 0, 64+len(in.Namespace)+len(in.Name)+len(in.Args))
	text = parser.AppendText(text, head, len(in.Attachments), in.Name, in.Args)
	decoded, err := parser.DecodeAll(srv.opts.queue, cluster.PacketLimits, text, in.Attachments)
	if err != nil {
		return packet{}, decoded, err
	}
	if !srv.opts.ownParser {
		return newPacket(text, in.Attachments, compress), decoded, nil
	}
	out, err := srv.encode(head, append(Args{decoded.Event}, decodeAll(decoded.Args)...), compress)
	return out, decoded, err
}

// wireEvent returns the event that other servers get, without rooms and payload.
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

// emitElsewhere publishes an event that has been encoded as p for the clients here.
func (srv *Server) emitElsewhere(e *emitOptions, self *Socket, p packet, event string, data any, cb *ackCallback) error {
	var ask *cluster.Ask
	if cb != nil {
		ask = srv.askElsewhere(e, cb)
	}
	err := srv.publish(e, self, p, event, data, ask)
	if !errors.Is(err, ErrBrokerUnavailable) {
		return err
	}
	if ask != nil && ask.Failures {
		for sid := range ask.Clients {
			cb.failed(srv.remoteSocket(e.ns, sid), err)
		}
	}
	return nil // the clients here have it; BrokerStatus tells
}

// publish publishes an event for the clients of other servers, if it can be for any.
// If ask is not nil, they are to acknowledge it.
func (srv *Server) publish(e *emitOptions, self *Socket, p packet, event string, data any, ask *cluster.Ask) error {
	out := e.wireEvent()
	for _, room := range e.rooms {
		if s := srv.findSocket(room); s == nil || s.name != e.ns { // a socket here is nowhere else
			out.Rooms = append(out.Rooms, room)
		}
	}
	if e.targeted && len(out.Rooms) == 0 {
		return nil
	}
	if e.skipSelf && self != nil {
		out.Skip = append(slices.Clip(e.skip), self.sid)
	}
	if srv.opts.ownParser {
		if err := encodeWire(out, srv.opts.queue, event, data); err != nil {
			return fmt.Errorf("for other servers: %w", err)
		}
	} else {
		var text []byte
		text, out.Attachments = p.frames.Message()
		out.Name, out.Args = parser.SplitEvent(text)
	}
	return srv.cluster.Emit(out, ask)
}

// elsewhere publishes what is to be done with a socket that is not here.
func (n *namespace) elsewhere(do wire.Action, sid, room string) error {
	switch {
	case n.err != nil:
		return n.err
	case n.srv.cluster == nil || n.name == anyName:
		return fmt.Errorf("%w: %q in %.100s", ErrUnknownSocket, short(sid), n.name)
	}
	return doElsewhere(n.srv.cluster.Do, wire.Command{Do: do, Namespace: n.name, SID: sid, Room: room})
}

// doElsewhere publishes what is to be done with a socket, if that is anything.
func doElsewhere(publish func(wire.Command) error, c wire.Command) error {
	switch {
	case c.SID == "":
		return fmt.Errorf("%w: %q in %s", ErrUnknownSocket, c.SID, c.Namespace)
	case c.Do == wire.Disconnect:
	case c.Room == "":
		return errEmptyRoom
	case c.Room == c.SID:
		return nil // every socket is in its own room, for ever
	}
	return publish(c)
}

// Requests of a session that another server has are handed over to it, see
// Options.Cluster.PeerURL. The session's id names its server by the name that it has on
// the broker (host), and each server says in its signs of life where it is: so
// nobody has to be asked, and no session id is published.

// refuseAway says that nobody knows of a server, and nobody can be heard.
var refuseAway = &engineio.Refusal{Status: http.StatusServiceUnavailable, Code: 1,
	Message: "Session ID unknown",
	Detail:  "session ID unknown here, and it cannot be known which server has the session: the broker is away: connect again"}

// checkPeerURL checks the options about other servers.
func (s *settings) checkPeerURL() error {
	if s.Cluster.PeerURL == "" {
		if s.Cluster.PeerTransport != nil {
			return errors.New("field Options.Cluster.PeerTransport is set without PeerURL: set PeerURL to where the other servers reach this one")
		}
		return nil
	}
	u, err := fleet.ParseEndpoint(s.Cluster.PeerURL)
	if err != nil {
		return fmt.Errorf("field Options.Cluster.PeerURL is %.200q: %w", s.Cluster.PeerURL, err)
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && addr.IsUnspecified() {
		return fmt.Errorf("field Options.Cluster.PeerURL is %q: nobody can be reached at %s: set the address that this server has for the others", s.Cluster.PeerURL, addr)
	}
	return nil
}

// findPeer is engineio.Options.PeerURL.
func (srv *Server) findPeer(ctx context.Context, host string) (*url.URL, error) {
	if len(host) != cluster.HostLen {
		return nil, nil
	}
	u, err := srv.cluster.Endpoint(ctx, host)
	if errors.Is(err, fleet.ErrUnavailable) {
		err = refuseAway
	}
	return u, err
}
