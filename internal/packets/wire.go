package packets

import (
	"fmt"

	"github.com/seed-d124fa34/socketio/internal/goargs"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/parser"
)

// ToWire puts the payload of an event into its form for other servers.
func ToWire(out *wire.Event, codec parser.Parser, event string, args []any) error {
	text, attachments, err := codec.Encode(nil, parser.Header{Type: parser.Event, Namespace: "/"}, append([]any{event}, args...))
	if err != nil {
		return fmt.Errorf("socketio: emit %q: %w", event, err)
	}
	out.Name, out.Args = parser.SplitEvent(text)
	out.Attachments = attachments
	return nil
}

// ToWire is the function ToWire for an event that has been encoded as a packet. Other servers get the
// bytes that clients get, unless OwnParser is set.
func (e *Encoder) ToWire(out *wire.Event, p *Packet, event string, args []any) error {
	if e.OwnParser {
		if err := ToWire(out, e.Codec, event, args); err != nil {
			return fmt.Errorf("for other servers: %w", err)
		}
		return nil
	}
	var text []byte
	text, out.Attachments = p.Message()
	out.Name, out.Args = parser.SplitEvent(text)
	return nil
}

// FromWire makes a packet of an event from another server. Unless OwnParser is set, the encoded
// arguments go in unchanged; decoding checks them.
func (e *Encoder) FromWire(h parser.Header, in *wire.Event) (p Packet, decoded parser.Packet, err error) {
	text := make([]byte, 0, 64+len(in.Namespace)+len(in.Name)+len(in.Args))
	text = parser.AppendText(text, h, len(in.Attachments), in.Name, in.Args)
	decoded, err = parser.DecodeAll(e.Codec, e.WireLimits, text, in.Attachments)
	if err != nil {
		return Packet{}, decoded, err
	}
	var args []any
	if e.OwnParser {
		args = goargs.Decode(decoded.Args)
		p, err = e.Event(h, decoded.Event, args, !in.NoCompress)
	} else {
		p = New(text, in.Attachments, !in.NoCompress)
	}
	if err != nil || e.NextOffset == nil {
		return p, decoded, err
	}
	return e.WithForms(h, decoded.Event, args, p, !in.NoCompress).WithOffset(WireOffset(in)), decoded, nil
}

// WireOffset returns the offset of an event of another server, which is the same on every server: the offset
// that its own server has given it, or else its position in the broker's history. It is zero without both.
func WireOffset(in *wire.Event) (o recovery.Offset) {
	for _, c := range in.ID {
		if c < '-' || c > 'z' || c == '\\' { // it goes into JSON as it is
			return o
		}
	}
	switch {
	case len(in.ID) > 0:
		o, _ = recovery.ParseOffset(string(in.ID))
	case in.At != "":
		o = recovery.OffsetAt(in.At)
	}
	return o
}
