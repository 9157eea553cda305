package outgoing

import (
	"sync"

	"github.com/seed-d124fa34/socketio/engineio/internal/protocol"
	"github.com/seed-d124fa34/socketio/engineio/internal/revision3"
	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

// Form is the form of binary messages for a client. Text messages have one form.
type Form uint8

// The forms.
const (
	Current Form = iota // of revision 4: binary messages without a type
	Typed               // of revision 3: binary messages with their type in front
	Base64              // of revision 3 for clients that cannot read binary data: as text
)

// oldForms are the forms of a unit with binary messages for clients of revision 3. Each is
// made when it is first asked for, once for all connections.
type oldForms struct {
	wires, payloads [Base64 + 1]lazy
}

type lazy struct {
	once  sync.Once
	bytes []byte
}

// WireIn returns the unit as WebSocket frames of a form. It must not be changed.
func (u *Unit) WireIn(f Form) []byte {
	if f == Current || u.several == nil {
		return u.wire
	}
	return u.oldWire(f)
}

func (u *Unit) oldForms() *oldForms {
	old := u.several.old.Load()
	if old == nil {
		u.several.old.CompareAndSwap(nil, new(oldForms))
		old = u.several.old.Load()
	}
	return old
}

func (u *Unit) oldWire(f Form) []byte {
	wire := &u.oldForms().wires[f]
	wire.once.Do(func() {
		out := make([]byte, 0, len(u.wire)+16*len(u.several.frames))
		for p, binary := range u.MessagesIn(f) {
			first := finText
			if binary {
				first = finBinary
			}
			n := len(out)
			out = append(out, make([]byte, wsframe.HeaderLen(len(p)))...)
			wsframe.PutHeader(out[n:], first, len(p))
			out = append(out, p...)
		}
		wire.bytes = out
		u.several.forms.Grow(int64(cap(out)))
	})
	return wire.bytes
}

// MessagesIn returns the unit's messages in a form, as Messages does.
func (u *Unit) MessagesIn(f Form) func(yield func(payload []byte, binary bool) bool) {
	if f == Current {
		return u.Messages
	}
	return func(yield func(payload []byte, binary bool) bool) {
		for p, binary := range u.Messages {
			switch {
			case !binary:
			case f == Typed:
				p = revision3.AppendBinary(make([]byte, 0, 1+len(p)), p)
			default:
				p, binary = revision3.AppendBase64Packet(nil, p), false
			}
			if !yield(p, binary) {
				return
			}
		}
	}
}

// PlainText reports whether the unit can be read as a payload of text by every client of
// revision 3. The early ones misread texts that are not ASCII there, but not where each
// packet is framed.
func (u *Unit) PlainText() bool {
	return u.several == nil && revision3.IsASCII(u.wire[u.first:])
}

// AppendOldPayload appends the unit as a part of a payload of revision 3: framed for the
// form Typed, as text for Base64. There, ascii, unless nil, appends a text in ASCII.
func (u *Unit) AppendOldPayload(dst []byte, f Form, ascii func(dst, text []byte) []byte) []byte {
	if u.several == nil {
		return appendOld(dst, u.wire[u.first:], false, f, ascii)
	}
	return append(dst, u.OldPayload(f, ascii)...)
}

// OldPayload returns what AppendOldPayload appends, if that is kept for all connections.
// It must not be changed. It is nil for a text, which is not kept.
func (u *Unit) OldPayload(f Form, ascii func(dst, text []byte) []byte) []byte {
	if u.several == nil {
		return nil
	}
	payload := &u.oldForms().payloads[f]
	payload.once.Do(func() {
		for p, binary := range u.Messages {
			payload.bytes = appendOld(payload.bytes, p, binary, f, ascii)
		}
		u.several.forms.Grow(int64(cap(payload.bytes)))
	})
	return payload.bytes
}

func appendOld(dst, p []byte, binary bool, f Form, ascii func(dst, text []byte) []byte) []byte {
	switch {
	case f == Typed && binary:
		return revision3.AppendFramedBinary(dst, p)
	case f == Typed:
		return revision3.AppendFramedText(dst, p)
	case binary:
		return revision3.AppendBase64(dst, p)
	case ascii != nil && p[0] == protocol.Message && !revision3.IsASCII(p):
		p = ascii([]byte{p[0]}, p[1:])
	}
	return revision3.AppendText(dst, p)
}
