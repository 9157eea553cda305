package socketio

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/seed-d124fa34/socketio/engineio"
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
	sc.args = appendArgs(append(sc.args[:0], sc.name), data)
	p, err := srv.encodeWith(sc, h, sc.args, compress)
	clear(sc.args)
	scratches.Put(sc)
	if err != nil {
		return packet{}, fmt.Errorf("socketio: emit %q: %w", event, err)
	}
	return p, nil
}

// appendArgs appends what Emit was given as data: nothing for nil, several for Args.
func appendArgs(args []any, data any) []any {
	switch d := data.(type) {
	case nil:
		return args
	case Args:
		return append(args, d...)
	}
	return append(args, data)
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
	if from != nil && len(opts) == 0 && !from.remote() { // the most frequent
		p, err := srv.encodeEvent(parser.Header{Type: parser.Event, Namespace: ns}, event, data, true)
		if err != nil {
			return err
		}
		sent, err := from.deliver(p, false, nil)
		if sent {
			srv.stats.of(from.client).out.Add(1)
		}
		if hs := srv.hooks.Load(); hs != nil {
			told := &Emission{Namespace: ns, Event: event, From: from, Size: p.size, data: data}
			if sent {
				hs.reached(from, told)
			}
			hs.emitted(told)
		}
		return err
	}
	e, err := newEmission(from, ns, opts)
	if err != nil {
		return err
	}
	defer e.free()
	from = from.local()
	h := parser.Header{Type: parser.Event, Namespace: e.ns}
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
	hs, told := srv.emission(from, e, p, event, data)
	var failed error
	var refused *CallError // by MaxPendingAcks, and nobody else hears of it
	direct := e.direct(from)
	reached := uint64(0)
	srv.each(e, from != nil, self, func(s *Socket, via *place) error {
		var sent bool
		var err error
		if cb == nil {
			sent, err = s.deliver(p, e.volatile, via)
		} else if sent, err = cb.ask(recipient{s, via}, p, e.volatile); !sent && err != errLeftRoom && (err == nil || !direct) {
			refused = cb.missed(s, err, refused)
		}
		if err != nil {
			failed = err
			if !direct {
				s.closeIfFull(err)
			}
		}
		if sent {
			reached++
			if hs != nil {
				hs.reached(s, told)
			}
		}
		return err
	})
	srv.stats.of(nil).out.Add(reached)
	if hs != nil {
		hs.emitted(told)
	}
	if cb != nil {
		cb.arm(srv)
	}
	switch {
	case direct && failed == errAlreadyFailed:
		if cb.hears() {
			return nil // it is told
		}
		return self.leftError()
	case direct:
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

// direct reports whether the sender itself is the target.
func (e *emission) direct(from *Socket) bool { return from != nil && !e.targeted && !e.broadcast }

// self returns the socket, in the namespace of the emission, of the client that
// emits: nil if there is none.
func (e *emission) self(from *Socket) (*Socket, error) {
	if from == nil || from.name == e.ns {
		return from, nil
	}
	s, _ := from.client.socket(e.ns)
	if s == nil && e.direct(from) {
		return nil, fmt.Errorf("%w: the client of this socket is not in %s", ErrUnknownSocket, e.ns)
	}
	return s, nil
}
