package socketio

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/parser"
)

// packet is an encoded packet.
type packet = packets.Packet

// newEncoder returns what encodes the packets of a server.
func newEncoder(srv *Server) packets.Encoder {
	e := packets.Encoder{
		Parser: srv.opts.Parser, OwnParser: srv.opts.ownParser,
		Panicked: func(v any, h parser.Header) error {
			return srv.recovered("encoding", v, "namespace", h.Namespace, "packet", h.Type)
		},
		ManyAttachments: func(h parser.Header, n, limit int) {
			srv.notices.Warn(context.Background(), "attachments", fmt.Sprintf(
				"socketio: a packet with %d attachments was sent: JavaScript clients accept %d and close the connection if there are more; join the bytes, or send several events", n, limit),
				"namespace", h.Namespace)
		},
		Failed: func(h parser.Header, event string, err error) {
			srv.log.Error("socketio: the parser cannot encode an event with an offset (Options.Recovery)", "namespace", h.Namespace, "event", printable(event), "error", err)
		},
	}
	if srv.recovery != nil {
		e.NextOffset = srv.recovery.NextOffset
	}
	return e
}

// encode makes a packet ready to be sent to any number of connections.
func (srv *Server) encode(h parser.Header, args []any, compress bool) (packet, error) {
	return srv.packets.Encode(h, args, compress)
}

// encodeEvent encodes an EVENT packet.
func (srv *Server) encodeEvent(h parser.Header, event string, data any, compress bool) (packet, error) {
	if parser.Reserved(event) {
		return packet{}, reservedError(event)
	}
	p, err := srv.packets.Event(h, event, argsOf(data), compress)
	if err != nil {
		return packet{}, fmt.Errorf("socketio: emit %q: %w", event, err)
	}
	return p, nil
}

// encodeForms encodes an EVENT packet for any clients, those among them that can come back.
func (srv *Server) encodeForms(h parser.Header, event string, data any, e *emitOptions) (packet, error) {
	if srv.recovery == nil {
		return srv.encodeEvent(h, event, data, !e.noCompress)
	}
	if h.HasID || e.volatile || srv.opts.ownParser || srv.mixed.Load() || parser.Reserved(event) {
		p, err := srv.encodeEvent(h, event, data, !e.noCompress)
		return srv.packets.WithForms(h, event, argsOf(data), p, !e.noCompress), err
	}
	p, err := srv.packets.EventToKeep(h, event, argsOf(data), !e.noCompress)
	if err != nil {
		return packet{}, fmt.Errorf("socketio: emit %q: %w", event, err)
	}
	return p, nil
}

// encodeFor encodes an EVENT packet for one client.
func (srv *Server) encodeFor(s *Socket, h parser.Header, event string, data any) (packet, error) {
	if s.recovery == nil || parser.Reserved(event) {
		return srv.encodeEvent(h, event, data, true)
	}
	p, err := srv.packets.EventToKeep(h, event, argsOf(data), true)
	if err != nil {
		return packet{}, fmt.Errorf("socketio: emit %q: %w", event, err)
	}
	return p, nil
}

// argsOf returns the arguments that the value given to Emit, or returned by a handler,
// stands for: none for nil, several for Args, one for anything else.
func argsOf(data any) Args {
	switch d := data.(type) {
	case nil:
		return nil
	case Args:
		return d
	}
	return Args{data}
}

func reservedError(event string) error {
	return fmt.Errorf("socketio: emit %q: the protocol reserves this name; choose another", event)
}

// emit is the common part of all Emit methods. from is nil for a server or namespace.
func (srv *Server) emit(from *Socket, ns, event string, data any, opts []EmitOption) error {
	h := parser.Header{Type: parser.Event, Namespace: ns}
	if from != nil && len(opts) == 0 && !from.elsewhere() { // the most frequent case
		p, err := srv.encodeFor(from, h, event, data)
		if err != nil {
			return err
		}
		f := srv.newFanout(from, nil, p, event, data)
		_, err = f.send(recipient{from, nil}, nil)
		f.end()
		if err == nil || !from.movedAway() { // meanwhile
			return err
		}
	}
	e, err := newEmitOptions(from, ns, opts)
	if err != nil {
		return err
	}
	defer e.free()
	from, h.Namespace, e.arrived = from.local(), e.ns, srv.arrived.Load()
	var cb *ackCallback
	if e.ack != nil {
		h.ID, h.HasID = srv.ackIDs.Add(1), true
		cb = srv.newAckCallback(e, event, h.ID)
	}
	p, err := srv.encodeForms(h, event, data, e)
	if err != nil {
		return err
	}
	self, err := e.self(from)
	if err != nil {
		return err
	}
	f := srv.newFanout(from, e, p, event, data)
	refused, failed := f.emit(e, self, cb)
	switch {
	case e.direct(from) && failed == errAlreadyFailed:
		if cb.takesError() {
			return nil // the callback gets it
		}
		return self.leftError()
	case e.direct(from) && failed != nil && self.movedAway(): // meanwhile
		return srv.emit(self, e.ns, event, data, opts)
	case e.direct(from):
		return failed
	}
	if srv.cluster != nil && !e.local {
		err = srv.emitElsewhere(e, self, p, event, data, cb)
	}
	switch {
	case refused == nil:
		return err // recipients that could not be reached are leaving
	case err == nil:
		return refused
	}
	return errors.Join(refused, err)
}

// recipient is a socket, and its place in the room through which it is reached. The
// place is nil if the socket is reached directly.
type recipient struct {
	s   *Socket
	via *place
}

// asker sends an event to a recipient and registers for its acknowledgement. If sent is
// false, no acknowledgement of the recipient is waited for.
type asker interface {
	ask(r recipient, p packet, volatile bool) (sent bool, err error)
}

// fanout sends one event to its recipients on this server, counts them and calls the
// hooks.
type fanout struct {
	srv      *Server
	from     *Socket // nil if a server, a namespace or another server emits
	packet   packet
	volatile bool
	sent     uint64
	counts   *eventCounts
	hooks    *hooks    // nil if there are none
	shown    *Emission // the event as hooks see it; nil without hooks
}

// newFanout returns the fanout of an event; e is nil if it is for from alone.
func (srv *Server) newFanout(from *Socket, e *emitOptions, p packet, event string, data any) fanout {
	f := fanout{srv: srv, from: from, packet: p, hooks: srv.hooks.Load()}
	if e == nil {
		f.counts = srv.stats.of(from.client())
	} else {
		f.counts, f.volatile = srv.stats.of(nil), e.volatile
	}
	if f.hooks == nil {
		return f
	}
	f.shown = &Emission{Event: event, From: from, Size: p.Size, data: data}
	if e == nil {
		f.shown.Namespace = from.name
	} else {
		f.shown.Namespace, f.shown.Rooms = e.ns, slices.Clone(e.rooms)
		f.shown.Broadcast = !e.targeted && !e.direct(from)
	}
	return f
}

// send sends the event to one recipient. If a is not nil, it also asks for an
// acknowledgement.
func (f *fanout) send(r recipient, a asker) (sent bool, err error) {
	if a == nil {
		sent, err = r.s.deliver(f.packet, f.volatile, r.via)
	} else {
		sent, err = a.ask(r, f.packet, f.volatile)
	}
	if sent {
		f.sent++
		if f.hooks != nil {
			f.hooks.reached(r.s, f.shown)
		}
	}
	return sent, err
}

// end ends the fan-out, when the event has been sent to all recipients.
func (f *fanout) end() {
	f.counts.out.Add(f.sent)
	if f.hooks != nil {
		f.hooks.emitted(f.shown)
	}
}

// emit sends the event to all its recipients, and asks them for acknowledgements if cb
// is not nil. failed is the error of the last recipient that was not reached. refused
// names the recipients that owe too many acknowledgements, unless the callback gets
// those errors.
func (f *fanout) emit(e *emitOptions, self *Socket, cb *ackCallback) (refused *CallError, failed error) {
	direct := e.direct(f.from)
	var a asker
	if cb != nil {
		a = cb
	}
	f.srv.each(e, f.from != nil, self, func(s *Socket, via *place) error {
		sent, err := f.send(recipient{s, via}, a)
		if cb != nil && !sent && err != errLeftRoom && (err == nil || !direct) {
			refused = cb.missed(s, err, refused)
		}
		if err != nil {
			failed = err
			if !direct {
				s.closeIfFull(err)
			}
		}
		return err
	})
	f.end()
	if cb != nil {
		cb.arm()
	}
	return refused, failed
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

// socketSets are sets of the sockets that an emit to several rooms has reached.
var socketSets rooms.SetPool[Socket]

// each calls visit once for every recipient, with its place in the room it was found
// in; the place is nil if it was found by its session id. No lock is held, so a socket
// that joins meanwhile may be missed. If a socket has left the room, visit returns
// errLeftRoom; it may then be found again through another room. A socket whose connect
// handler has not decided is reached only by its own emits and by its session id.
func (srv *Server) each(e *emitOptions, fromSocket bool, self *Socket, visit func(*Socket, *place) error) {
	if fromSocket && !e.targeted && !e.broadcast {
		if !e.skipSelf && !e.leavesOut(self, self) {
			_ = visit(self, nil)
		}
		return
	}
	leavesOut := e.skipSelf || len(e.skip) > 0 || len(e.except) > 0
	if !e.targeted || len(e.rooms) == 1 {
		room := rooms.Everyone
		if e.targeted {
			room = e.rooms[0]
		}
		srv.inRoom(e.ns, room, self, func(s *Socket, via *place) {
			if !leavesOut || !(e.skipSelf && s == self) && !e.leavesOut(s, self) {
				_ = visit(s, via)
			}
		})
		return
	}
	seen := socketSets.Get()
	for i, room := range e.rooms {
		last := i == len(e.rooms)-1 // what it finds need not be remembered
		srv.inRoom(e.ns, room, self, func(s *Socket, via *place) {
			if i > 0 && seen.Has(s) || leavesOut && (e.skipSelf && s == self || e.leavesOut(s, self)) {
				return
			}
			if err := visit(s, via); err != errLeftRoom && !last {
				seen.Add(s)
			}
		})
	}
	socketSets.Put(seen)
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

// recipients returns the sockets that each visits.
func (srv *Server) recipients(e *emitOptions, fromSocket bool, self *Socket) (all []recipient) {
	srv.each(e, fromSocket, self, func(s *Socket, via *place) error {
		all = append(all, recipient{s, via})
		return nil
	})
	return all
}

// inOneOf reports whether the socket is in one of the rooms. With joining, the rooms
// count that it will be in when its connect handler accepts it.
func (s *Socket) inOneOf(rooms []string, joining bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, room := range rooms {
		if s.membership.In(room) || joining && s.membership.Has(room) || room == s.sid {
			return true
		}
	}
	return false
}

// inRoom calls visit for every socket in a room, with its place there. The place is nil
// for a socket in the room of its session id, and for self if that will be in the room
// when its connect handler accepts it.
func (srv *Server) inRoom(ns, room string, self *Socket, visit func(s *Socket, via *place)) {
	if s := srv.ownRoom(ns, room); s != nil {
		if s.state.Load() < stateLeaving {
			visit(s, nil)
		}
		return
	}
	for p := range srv.index.Members(ns, room).All() {
		visit(p.Member(), p)
	}
	if self != nil && self.awaits(room) {
		visit(self, nil)
	}
}

// awaits reports whether the socket will be in a room when its connect handler accepts
// it. room may be rooms.Everyone.
func (s *Socket) awaits(room string) bool {
	if s.state.Load() != stateConnecting {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Load() != stateConnecting {
		return false
	}
	return s.membership.Has(room) || room == rooms.Everyone
}
