package socketio

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/grace"
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

// emit is the common part of all Emit methods. from is nil for a server or namespace.
func (srv *Server) emit(from *Socket, ns, event string, data any, opts []EmitOption) error {
	h := parser.Header{Type: parser.Event, Namespace: ns}
	if from != nil && len(opts) == 0 && !from.elsewhere() { // the most frequent case
		if err := srv.emitToSelf(from, h, event, data); err == nil || !from.movedAway() { // meanwhile
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
	elsewhere := srv.cluster != nil && !e.local && !e.direct(from)
	f := srv.newFanout(from, e, p, event, data)
	f.begin(h, elsewhere)
	defer f.release()
	ordered := f.step != nil
	refused, failed := f.emit(e, self, cb)
	if ordered { // all of it is one step
		if elsewhere {
			err = srv.emitElsewhere(e, self, p, event, data, cb)
		}
		f.endOrdered(e, self, event, data, cb)
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

// emitToSelf is emit for the sender alone, without options.
func (srv *Server) emitToSelf(from *Socket, h parser.Header, event string, data any) error {
	to := packets.NobodyComesBack
	if from.recovery != nil {
		to = packets.MostComeBack
	}
	p, err := srv.encodeEvent(to, h, event, data, true)
	if err != nil {
		return err
	}
	f := srv.newFanout(from, nil, p, event, data)
	f.begin(h, false)
	_, err = f.send(recipient{from, directly}, nil)
	if f.step != nil {
		f.record(&wire.Event{Namespace: from.name, Rooms: []string{from.sid}}, event, data)
	}
	f.end()
	return err
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
	hooks    *hooks       // nil if there are none
	emission *Emission    // the event as hooks see it; nil without hooks
	step     *step        // nil unless the event is a step in the order of the server, see begin
	round    *grace.Round // of Mover.Emits; nil unless release ends it
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
	f.emission = &Emission{Event: event, From: from, Size: p.Size, data: data}
	if e == nil {
		f.emission.Namespace = from.name
	} else {
		f.emission.Namespace, f.emission.Rooms = e.ns, slices.Clone(e.rooms)
		f.emission.Broadcast = !e.targeted && !e.direct(from)
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
			f.hooks.reached(r.s, f.emission)
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
		f.hooks.emitted(f.emission)
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
		if direct {
			via = directly
		}
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

// step has the work that waits for the end of an event that is a step in the order of the server.
type step struct {
	head    parser.Header
	reached []*Socket // for which hooks will be called
	full    []*Socket // whose connections will be closed
	ending  []*Socket // whose sessions will end
}

// begin makes the event a step in the order of the server, if sessions are written down. Until end no other
// event is sent to the clients of this server or handed to the outbox, and no code of the application runs.
// If the event will be published for other servers, handOver waits until release.
func (f *fanout) begin(h parser.Header, published bool) {
	if published && f.srv.mover != nil {
		f.round = f.srv.mover.Emits.Begin()
	}
	q := f.srv.sequence
	if q == nil || f.volatile || f.packet.Forms == nil {
		return
	}
	q.Lock()
	f.step = &step{head: h}
	f.packet.WithOffset(q.Next()).WithStep(q.Now().Step())
}

// beginReceived is begin for an event of another server.
func (f *fanout) beginReceived() {
	q := f.srv.sequence
	if q == nil {
		return
	}
	q.Lock()
	f.step = new(step)
	q.Count()
	f.packet.WithStep(q.Now().Step())
}

// release unlocks the sequence after a panic, and lets handOver go on.
func (f *fanout) release() {
	if f.step != nil {
		f.srv.sequence.Unlock()
	}
	if f.round != nil {
		f.srv.mover.Emits.End(f.round)
	}
}

// endStep ends begin, and does the work that can run code of the application.
func (f *fanout) endStep() {
	st := f.step
	f.step = nil
	f.srv.sequence.Unlock()
	for _, s := range st.reached {
		f.hooks.reached(s, f.emission)
	}
	for _, s := range st.full {
		s.closeIfFull(ErrSendQueueFull)
	}
	for _, s := range st.ending {
		s.end(ExpiredSessionLimit, "", errSessionLimit)
	}
}

// endOrdered is endEmit for an event that is a step in the order of the server.
func (f *fanout) endOrdered(e *emitOptions, self *Socket, event string, data any, cb *ackCallback) {
	if !e.published {
		f.record(e.recorded(e.direct(f.from), self), event, data)
	}
	f.endEmit(cb)
}

// record publishes the event for the history, if clients of this server may need it after the server was
// killed, and the event is not published for other servers in a form that has it.
func (f *fanout) record(out *wire.Event, event string, data any) {
	if f.step == nil || !f.packet.IsKept() {
		return
	}
	out.ID = f.packet.Offset().Append(nil)
	if f.step.head.HasID {
		out.Ask = &wire.Ask{ID: f.step.head.ID}
	}
	if f.srv.packets.ToWire(out, &f.packet, event, argsOf(data)) == nil {
		_ = f.srv.cluster.Record(out) // lost with the broker, as any message
	}
}

// recorded returns the recipients of an event, for record.
func (e *emitOptions) recorded(direct bool, self *Socket) *wire.Event {
	out := &wire.Event{Namespace: e.ns, Everyone: !e.targeted && !direct, Rooms: e.rooms, Skip: e.skip, Except: e.except, NoCompress: e.noCompress}
	switch {
	case direct:
		out.Rooms = []string{self.sid}
	case e.skipSelf && self != nil:
		out.Skip = append(slices.Clip(e.skip), self.sid)
	}
	return out
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
