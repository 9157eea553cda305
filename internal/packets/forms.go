package packets

import (
	"reflect"
	"slices"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/parser"
)

// OffsetEvent is the name of the event that carries the offset of the one before it.
const OffsetEvent = "$offset"

// Forms are the forms of an event for clients that can come back. Such an event has an offset,
// by which a client says what it had received when it lost its connection. The official client
// takes the last argument of an event for its offset if that is a string. Therefore:
//
//   - an event has its offset as an additional last argument;
//   - an event that asks for an acknowledgement, whose last argument is a function at the
//     client, is followed by an [OffsetEvent];
//   - a volatile event, which is not kept and has no offset, gets null as an additional last
//     argument if its own last one is a string.
//
// Each form is made once for all recipients, when the first of them is reached, by the
// goroutine that emits.
type Forms struct {
	encoder  *Encoder
	head     parser.Header
	event    string
	args     []any // with Encoder.OwnParser
	compress bool
	offset   recovery.Offset // zero: made when needed
	step     uint64
	plain    Packet
	kept     *KeptPacket
	volatile *engineio.Frames
}

// WithForms adds what clients that can come back need to the packet of an event. args are
// its arguments, which must not change until all recipients have been reached.
func (e *Encoder) WithForms(h parser.Header, event string, args []any, p Packet, compress bool) Packet {
	if e.NextOffset == nil {
		return p
	}
	f := &Forms{encoder: e, head: h, event: event, compress: compress, plain: p}
	if e.OwnParser {
		f.args = slices.Clone(args)
	}
	p.Forms = f
	return p
}

// WithOffset gives the event an offset that another server has chosen. Call it before the
// forms are used.
func (p Packet) WithOffset(o recovery.Offset) Packet {
	if p.Forms != nil {
		p.Forms.offset = o
	}
	return p
}

// WithStep notes the step of the event in the order of the server.
func (p Packet) WithStep(step uint64) Packet {
	if p.Forms != nil {
		p.Forms.step = step
	}
	return p
}

// IsKept reports whether the form that is kept has been made.
func (p *Packet) IsKept() bool { return p.Kept != nil || p.Forms != nil && p.Forms.kept != nil }

// Offset returns the offset of the event, zero for a packet that is never kept.
func (p *Packet) Offset() recovery.Offset {
	switch {
	case p.Kept != nil:
		return p.Kept.Offset
	case p.Forms != nil:
		return p.Forms.eventOffset()
	}
	return recovery.Offset{}
}

// eventOffset returns the offset of the event.
func (f *Forms) eventOffset() recovery.Offset {
	if f.offset.IsZero() {
		f.offset = f.encoder.NextOffset()
	}
	return f.offset
}

// Fixed makes the form that is kept, and returns the packet with it. Any goroutine may use
// what it returns.
func (p Packet) Fixed() Packet {
	if p.Kept == nil && p.Forms != nil {
		p.Kept, p.Forms = p.Forms.keep(), nil
	}
	return p
}

// VolatileFrames returns the packet for a client that can come back if the packet is not kept.
func (p Packet) VolatileFrames() *engineio.Frames {
	if p.Forms != nil {
		return p.Forms.forVolatile()
	}
	return p.Frames()
}

// keep returns the form of the event that is kept.
func (f *Forms) keep() *KeptPacket {
	if f.kept != nil {
		return f.kept
	}
	offset, kept := f.eventOffset(), new(keptFrames)
	k := Kept{Frames: f.withOffset(&kept.frames, offset), Step: f.step}
	if k.Frames == nil {
		k.Frames = f.followed(offset)
	}
	if f.head.HasID {
		k.Ask = f.head.ID
	}
	kept.Init(k, offset, f.plain.Size)
	f.kept = &kept.KeptPacket
	return f.kept
}

// withOffset returns the event with its offset as an additional last argument. It returns nil for an
// event that asks for an acknowledgement, and if the parser fails. See newPacket for into.
func (f *Forms) withOffset(into *engineio.Frames, offset recovery.Offset) *engineio.Frames {
	if f.head.HasID {
		return nil
	}
	if f.encoder.OwnParser {
		return f.encode(f.event, append(slices.Clip(f.args), offset.String()))
	}
	text, attachments := f.plain.frames.Message()
	longer := appendOffset(append(make([]byte, 0, len(text)+offsetRoom), text...), offset)
	return newPacket(into, longer, attachments, f.compress).frames
}

// offsetRoom is the largest number of bytes that an offset adds to a packet.
const offsetRoom = 32

// appendOffset appends an offset to the list with which a text ends.
func appendOffset(text []byte, offset recovery.Offset) []byte {
	text = append(text[:len(text)-1], `,"`...)
	return append(offset.Append(text), `"]`...)
}

// offsetLen is the number of bytes that appendOffset adds.
func offsetLen(offset recovery.Offset) int {
	var room [offsetRoom]byte
	return len(offset.Append(room[:0])) + len(`,""`)
}

// followed returns the event, followed by one with its offset.
func (f *Forms) followed(offset recovery.Offset) *engineio.Frames {
	marker := f.marker(offset)
	if marker == nil {
		return f.plain.frames
	}
	return engineio.Append(f.plain.frames, marker)
}

func (f *Forms) marker(offset recovery.Offset) *engineio.Frames {
	if f.encoder.OwnParser {
		return f.encode(OffsetEvent, []any{offset.String()})
	}
	buf := make([]byte, 0, len(f.head.Namespace)+2*offsetRoom)
	text := parser.AppendText(buf, parser.Header{Type: parser.Event, Namespace: f.head.Namespace}, 0, []byte(`"`+OffsetEvent+`"`), nil)
	return New(appendOffset(text, offset), nil, f.compress).frames
}

func (f *Forms) forVolatile() *engineio.Frames {
	if f.volatile == nil {
		f.volatile = f.withoutOffset()
	}
	return f.volatile
}

func (f *Forms) withoutOffset() *engineio.Frames {
	if f.head.HasID {
		return f.plain.frames
	}
	if f.encoder.OwnParser {
		if len(f.args) > 0 && !mayBeString(f.args[len(f.args)-1]) {
			return f.plain.frames
		}
		if frames := f.encode(f.event, append(slices.Clip(f.args), nil)); frames != nil {
			return frames
		}
		return f.plain.frames
	}
	text, attachments := f.plain.frames.Message()
	if text[len(text)-2] != '"' {
		return f.plain.frames
	}
	longer := append(append(make([]byte, 0, len(text)+len(",null")), text[:len(text)-1]...), ",null]"...)
	return New(longer, attachments, f.compress).frames
}

// mayBeString reports whether a parser may encode a value as a string.
func mayBeString(v any) bool {
	switch v.(type) {
	case nil, []byte, []any, map[string]any:
		return false
	}
	t := reflect.TypeOf(v)
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return t.NumMethod() > 0
	}
	return true
}

// encode encodes an event in the namespace of this one. If it cannot, it reports that and returns nil.
func (f *Forms) encode(event string, args []any) *engineio.Frames {
	h := parser.Header{Type: parser.Event, Namespace: f.head.Namespace}
	p, err := f.encoder.Event(h, event, args, f.compress)
	if err != nil {
		f.encoder.Failed(h, event, err)
		return nil
	}
	return p.frames
}
