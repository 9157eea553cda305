package socketio

import (
	"context"
	"fmt"

	"github.com/seed-d124fa34/socketio/internal/migration"
	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/wire"
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
	if srv.sequence != nil || h.HasID || e.volatile || srv.opts.ownParser || srv.mixed.Load() || parser.Reserved(event) {
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
	if srv.sequence != nil { // the offset is known later
		p, err := srv.encodeEvent(h, event, data, true)
		return srv.packets.WithForms(h, event, argsOf(data), p, true), err
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

// encodeMissed returns an event of the history as a client gets it. Nobody waits for an acknowledgement
// any more.
func (srv *Server) encodeMissed(e *wire.Event, asks bool) (m migration.Packet, err error) {
	head := parser.Header{Type: parser.Event, Namespace: e.Namespace}
	if asks {
		head.ID, head.HasID = srv.ackIDs.Add(1), true
	}
	out, decoded, err := srv.assemble(head, e, !e.NoCompress)
	if err != nil {
		return m, err
	}
	out = srv.packets.WithForms(head, decoded.Event, decodeIf(srv.opts.ownParser, decoded.Args), out, !e.NoCompress).WithOffset(wireOffset(e.ID)).Fixed()
	m = packets.ToMove(out.Kept)
	m.Ask = 0
	return m, nil
}
