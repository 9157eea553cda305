package socketio

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/parser"
)

// packet is an encoded packet.
type packet = packets.Packet

// encodeEvent encodes an EVENT packet.
func (srv *Server) encodeEvent(to packets.Audience, h parser.Header, event string, data any, compress bool) (packet, error) {
	if parser.Reserved(event) {
		return packet{}, reservedError(event)
	}
	p, err := srv.packets.EventFor(to, h, event, argsOf(data), compress)
	if err != nil {
		return packet{}, fmt.Errorf("socketio: emit %q: %w", event, err)
	}
	return p, nil
}

func reservedError(event string) error {
	return fmt.Errorf("socketio: emit %q: the protocol reserves this name; choose another", event)
}

// audience says how the clients of an emit are to get it.
func (srv *Server) audience(e *emitOptions) packets.Audience {
	switch {
	case srv.recovery == nil:
		return packets.NobodyComesBack
	case e.volatile || srv.opts.ownParser || srv.mixed.Load():
		return packets.SomeComeBack
	}
	return packets.MostComeBack
}

// emit is the common part of all Emit methods. from is nil for a server or namespace.
func (srv *Server) emit(from *Socket, ns, event string, data any, opts []EmitOption) error {
	h := parser.Header{Type: parser.Event, Namespace: ns}
	if from != nil && len(opts) == 0 && !from.elsewhere() { // the most frequent case
		to := packets.NobodyComesBack
		if from.recovery != nil {
			to = packets.MostComeBack
		}
		p, err := srv.encodeEvent(to, h, event, data, true)
		if err != nil {
			return err
		}
		f := srv.newFanout(from, nil, p, event, data)
		f.begin(h)
		_, err = f.send(recipient{from, nil}, nil)
		if f.step != nil {
			f.record(&wire.Event{Namespace: from.name, Rooms: []string{from.sid}}, event, data)
		}
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
	p, err := srv.encodeEvent(srv.audience(e), h, event, data, !e.noCompress)
	if err != nil {
		return err
	}
	self, err := e.self(from)
	if err != nil {
		return err
	}
	f := srv.newFanout(from, e, p, event, data)
	f.begin(h)
	defer f.release()
	ordered := f.step != nil
	refused, failed := f.emit(e, self, cb)
	elsewhere := srv.cluster != nil && !e.local && !e.direct(from)
	if ordered { // all of it is one step
		if elsewhere {
			err = srv.emitElsewhere(e, self, p, event, data, cb)
		}
		if !e.published {
			f.record(e.recorded(e.direct(from), self), event, data)
		}
		f.endEmit(cb)
	}
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
	if elsewhere && !ordered {
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
	step     *step     // nil unless the event is a step in the order of the server, see begin
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
		switch {
		case f.hooks == nil:
		case f.step != nil:
			f.step.reached = append(f.step.reached, r.s)
		default:
			f.hooks.reached(r.s, f.shown)
		}
	}
	if err == errLogFull {
		if f.step != nil {
			f.step.ending = append(f.step.ending, r.s)
		} else {
			r.s.end(ExpiredSessionLimit, "", errSessionLimit)
		}
		err = r.s.sendError(engineio.ErrClosed)
	}
	return sent, err
}

// closeIfFull is Socket.closeIfFull, at the end of the fan-out if need be.
func (f *fanout) closeIfFull(s *Socket, err error) {
	switch {
	case f.step == nil:
		s.closeIfFull(err)
	case errors.Is(err, ErrSendQueueFull):
		f.step.full = append(f.step.full, s)
	}
}

// end ends the fan-out, when the event has been sent to all recipients.
func (f *fanout) end() {
	if f.step != nil {
		f.endStep()
	}
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
				f.closeIfFull(s, err)
			}
		}
		return err
	})
	if f.step == nil {
		f.endEmit(cb)
	}
	return refused, failed
}

// endEmit is end, and begins the wait for acknowledgements.
func (f *fanout) endEmit(cb *ackCallback) {
	f.end()
	if cb != nil {
		cb.arm()
	}
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
