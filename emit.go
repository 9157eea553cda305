package socketio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/parser"
)

// scratch is what encoding a packet takes besides the packet: reused, since
// every event needs it.
type scratch struct {
	buf  []byte
	args []any
	name any // the name of the event encoded last: most are like the one before
}

var scratches = sync.Pool{New: func() any { return &scratch{buf: make([]byte, 0, 512)} }}

// maxScratch is the size from which a buffer is left to the garbage collector.
const maxScratch = 64 << 10

// clientAttachments is how many attachments of one packet the official clients
// take: with more they close the connection.
const clientAttachments = 10

// encode makes a packet ready to be sent to any number of connections.
func (srv *Server) encode(h parser.Header, args []any, compress bool) (packet, error) {
	sc := scratches.Get().(*scratch)
	p, err := srv.encodeWith(sc, h, args, compress)
	scratches.Put(sc)
	return p, err
}

func (srv *Server) encodeWith(sc *scratch, h parser.Header, args []any, compress bool) (p packet, err error) {
	defer func() { // the codec's, the parser's, or that of a MarshalJSON method
		if v := recover(); v != nil {
			p, err = packet{}, srv.recovered("encoding", v, "namespace", h.Namespace, "packet", h.Type)
		}
	}()
	text, attachments, err := srv.opts.Parser.Encode(sc.buf, h, args)
	if err != nil {
		return packet{}, err
	}
	if cap(text) > 0 && cap(text) <= maxScratch {
		sc.buf = text[:0]
	}
	if len(attachments) > clientAttachments && !srv.opts.ownParser {
		srv.notices.Warn(context.Background(), "attachments", fmt.Sprintf(
			"socketio: a packet with %d attachments was sent: JavaScript clients take %d and close the connection above that; put the bytes together, or send several events", len(attachments), clientAttachments),
			"namespace", h.Namespace)
	}
	return newPacket(text, attachments, compress), nil
}

// encodeEvent encodes an EVENT packet.
func (srv *Server) encodeEvent(h parser.Header, event string, data any, compress bool) (packet, error) {
	if parser.Reserved(event) {
		return packet{}, reservedError(event)
	}
	sc := scratches.Get().(*scratch)
	if name, ok := sc.name.(string); !ok || name != event {
		sc.name = event
	}
	sc.args = append(append(sc.args[:0], sc.name), argsOf(data)...)
	p, err := srv.encodeWith(sc, h, sc.args, compress)
	clear(sc.args)
	scratches.Put(sc)
	if err != nil {
		return packet{}, fmt.Errorf("socketio: emit %q: %w", event, err)
	}
	return p, nil
}

// argsOf says what the one value stands for that Emit is given, or a handler returns:
// nil is no argument, Args are several, anything else is one.
func argsOf(data any) Args {
	switch d := data.(type) {
	case nil:
		return nil
	case Args:
		return d
	}
	return Args{data}
}

// newPacket makes a packet of encoded messages, copies of them. A parser may do
// without text.
func newPacket(text []byte, attachments [][]byte, compress bool) packet {
	size := len(text)
	for _, a := range attachments {
		size += len(a)
	}
	var frames *engineio.Frames
	if len(text) > 0 || len(attachments) == 0 {
		frames = engineio.TextFrames(text, attachments...)
	} else {
		frames = engineio.BinaryFrames(attachments[0], attachments[1:]...)
	}
	if !compress {
		frames.WithoutCompression()
	}
	return packet{frames, size}
}

func reservedError(event string) error {
	return fmt.Errorf("socketio: emit %q: the protocol reserves this name; choose another", event)
}

// emit is every Emit. from is nil for a server or namespace.
func (srv *Server) emit(from *Socket, ns, event string, data any, opts []EmitOption) error {
	h := parser.Header{Type: parser.Event, Namespace: ns}
	if from != nil && len(opts) == 0 && !from.remote() { // the most frequent
		p, err := srv.encodeEvent(h, event, data, true)
		if err != nil {
			return err
		}
		f := srv.newFanout(from, nil, p, event, data)
		_, err = f.send(recipient{from, nil}, nil)
		f.end()
		return err
	}
	e, err := newEmitOptions(from, ns, opts)
	if err != nil {
		return err
	}
	defer e.free()
	from, h.Namespace = from.local(), e.ns
	var cb *ackCallback
	if e.ack != nil {
		h.ID, h.HasID = srv.ackIDs.Add(1), true
		cb = srv.newAckCallback(e, event, h.ID)
	}
	p, err := srv.encodeEvent(h, event, data, !e.noCompress)
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
	case e.direct(from):
		return failed
	}
	if srv.cluster != nil && !e.local {
		err = srv.emitElsewhere(e, self, p, event, data, cb)
	}
	switch {
	case refused == nil:
		return err // those who could not be reached are leaving
	case err == nil:
		return refused
	}
	return errors.Join(refused, err)
}

// recipient is a socket, and its place in the room through which it is reached, or nil.
type recipient struct {
	s   *Socket
	via *place
}

// asker asks recipients of an event to acknowledge it. Without sent, nobody waits for
// the recipient.
type asker interface {
	ask(r recipient, p packet, volatile bool) (sent bool, err error)
}

// fanout is an event on its way to the clients of this server that it is for, whoever
// emits it: it counts them and calls the hooks.
type fanout struct {
	srv      *Server
	from     *Socket // nil: a server, a namespace, or another server
	packet   packet
	volatile bool
	sent     uint64
	counts   *eventCounts
	hooks    *hooks    // nil: none
	shown    *Emission // what they get; nil without hooks
}

// newFanout begins to send an event; e is nil if it is for from alone.
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
	f.shown = &Emission{Event: event, From: from, Size: p.size, data: data}
	if e == nil {
		f.shown.Namespace = from.name
	} else {
		f.shown.Namespace, f.shown.Rooms = e.ns, slices.Clone(e.rooms)
		f.shown.Broadcast = !e.targeted && !e.direct(from)
	}
	return f
}

// send sends the event to one recipient. If a is not nil, it asks the recipient.
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

// end is called when everybody has been sent the event.
func (f *fanout) end() {
	f.counts.out.Add(f.sent)
	if f.hooks != nil {
		f.hooks.emitted(f.shown)
	}
}

// emit sends the event to everyone it is for, and asks them if cb is not nil. failed is
// why the last one that is not reached is not; refused names those that owe too many
// acknowledgements, unless the callback gets that.
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

// self returns the socket, in the namespace of the emit, of the client that
// emits: nil if there is none.
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

// socketSets are for emits to several rooms: whom they have reached.
var socketSets rooms.SetPool[Socket]

// each calls visit for every recipient, once, with its place in the room it was
// found in, if it is one. No lock is held: who joins meanwhile may be missed. If a
// socket has left the room, visit returns errLeftRoom; it may then be found again
// through another room. A socket whose connect handler has not decided is
// reached by its own emits and by its session id only.
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
		last := i == len(e.rooms)-1 // whom it finds nobody looks for any more
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

// leavesOut reports whether Skip or Except leave a socket out.
func (e *emitOptions) leavesOut(s, self *Socket) bool {
	if s == nil {
		return false
	}
	if len(e.skip) > 0 && slices.Contains(e.skip, s.sid) {
		return true
	}
	return len(e.except) > 0 && s.inOneOf(e.except, s == self)
}

// recipients returns whom each visits.
func (srv *Server) recipients(e *emitOptions, fromSocket bool, self *Socket) (all []recipient) {
	srv.each(e, fromSocket, self, func(s *Socket, via *place) error {
		all = append(all, recipient{s, via})
		return nil
	})
	return all
}

// inOneOf reports whether the socket is in one of the rooms. joining counts those
// that it will be in when its connect handler accepts it.
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

// inRoom calls visit for everyone in a room, with the place there if it has one:
// a socket in the room of its session id has none, and neither has self, if it
// will be in the room when its connect handler accepts it.
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

// awaits reports whether the socket will be in a room, or everyone's, when its
// connect handler accepts it.
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
