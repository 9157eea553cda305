// Package packets encodes packets, each once for any number of clients, and makes the
// forms of an event that different clients get. It knows no socket.
package packets

import (
	"sync"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/parser"
)

// Packet is an encoded packet.
type Packet struct {
	Size int // bytes of the packet and its attachments
	// The packet for clients that can come back. Both are nil if it is not kept for them. Only the
	// goroutine that encodes uses Forms. It makes Kept of them when Kept is needed.
	Kept  *KeptPacket
	Forms *Forms

	frames *engineio.Frames // for the other clients; nil: made of Kept when needed
	longer int              // how many bytes more the text of Kept has
}

// Frames returns the packet for clients that cannot come back.
func (p *Packet) Frames() *engineio.Frames {
	if p.frames != nil {
		return p.frames
	}
	text, attachments := p.Message()
	return New(text, attachments, p.Kept.Payload.Frames.Compress()).frames
}

// Message returns the messages of the packet without an offset: a text message, nil if there is
// none, and the binary ones that follow it. They must not be changed.
func (p *Packet) Message() (text []byte, attachments [][]byte) {
	if p.frames != nil {
		return p.frames.Message()
	}
	text, attachments = p.Kept.Payload.Frames.Message()
	end := len(text) - p.longer - 1
	return append(text[:end:end], ']'), attachments
}

// Kept is what the logs of sessions hold of an event: one value for all its recipients.
type Kept struct {
	Frames *engineio.Frames // with the offset
	Step   uint64           // see standby.Sequence; 0 without one
	Ask    uint64           // the acknowledgement id of an event that asks for one; 0: none
}

// KeptPacket is an event that is kept.
type KeptPacket = recovery.Packet[Kept]

// keptFrames is an event that is kept and its frames, allocated together.
type keptFrames struct {
	KeptPacket
	frames engineio.Frames
}

// Encoder encodes the packets of a server. The fields do not change; the methods may
// be called from any goroutine.
type Encoder struct {
	Parser parser.Parser
	// OwnParser: Parser is not one of [parser.New], so that its format is not known.
	OwnParser bool
	// Codec and WireLimits are for events of other servers, which are JSON.
	Codec      parser.Parser
	WireLimits parser.Limits
	// NextOffset returns the offset of a new event. Nil means that no client can come back.
	NextOffset func() recovery.Offset
	// Ordered: an event gets its offset only when it gets its place in the order of the server, see
	// standby.Sequence.
	Ordered bool
	// Panicked returns the error for the value of a panic in the codec, the parser, or a method
	// like MarshalJSON. It is called by the deferred function that has recovered it.
	Panicked func(v any, h parser.Header) error
	// ManyAttachments is called when a packet has more attachments than official clients
	// take.
	ManyAttachments func(h parser.Header, n, limit int)
	// Failed is called when an event cannot be encoded with its offset, but could without.
	Failed func(h parser.Header, event string, err error)
}

// scratch is the memory that encoding a packet needs besides the packet. It is reused because
// every event needs it.
type scratch struct {
	buf  []byte
	args []any
	name any // of the event encoded last: most events have the same name as the one before
}

var scratches = sync.Pool{New: func() any { return &scratch{buf: make([]byte, 0, 512)} }}

// maxScratch is the size from which a buffer is left to the garbage collector.
const maxScratch = 64 << 10

// clientAttachments is the largest number of attachments in one packet that official
// clients accept. With more they close the connection.
const clientAttachments = 10

// Encode encodes a packet.
func (e *Encoder) Encode(h parser.Header, args []any, compress bool) (Packet, error) {
	sc := scratches.Get().(*scratch)
	p, err := e.encode(sc, nil, recovery.Offset{}, h, args, compress)
	scratches.Put(sc)
	return p, err
}

// Audience says which clients an event is for.
type Audience uint8

const (
	NobodyComesBack Audience = iota // only clients that cannot come back
	SomeComeBack                    // any clients
	MostComeBack                    // mostly clients that can come back; with OwnParser, only these
)

// EventFor encodes an EVENT packet in the forms that its clients need. args must not change until all of
// them have been reached.
func (e *Encoder) EventFor(to Audience, h parser.Header, event string, args []any, compress bool) (Packet, error) {
	switch {
	case to == NobodyComesBack || e.NextOffset == nil:
		return e.Event(h, event, args, compress)
	case to == MostComeBack && !e.Ordered && !h.HasID:
		return e.EventToKeep(h, event, args, compress)
	}
	p, err := e.Event(h, event, args, compress)
	if err != nil {
		return Packet{}, err
	}
	return e.WithForms(h, event, args, p, compress), nil
}

// Event encodes an EVENT packet.
func (e *Encoder) Event(h parser.Header, event string, args []any, compress bool) (Packet, error) {
	return e.event(nil, recovery.Offset{}, h, event, args, compress)
}

// EventToKeep encodes an EVENT packet that is mostly for clients that can come back, and does not
// ask for an acknowledgement. With OwnParser it is only for these.
func (e *Encoder) EventToKeep(h parser.Header, event string, args []any, compress bool) (Packet, error) {
	offset, kept := e.NextOffset(), new(keptFrames)
	p, err := e.event(&kept.frames, offset, h, event, args, compress)
	if err != nil {
		return Packet{}, err
	}
	kept.Init(Kept{Frames: p.frames}, offset, p.Size)
	p.Kept = &kept.KeptPacket
	if e.OwnParser {
		return p, nil
	}
	p.frames, p.longer = nil, offsetLen(offset)
	p.Size -= p.longer
	return p, nil
}

// event encodes an EVENT packet, with an offset unless it is zero. See newPacket for into.
func (e *Encoder) event(into *engineio.Frames, offset recovery.Offset, h parser.Header, event string, args []any, compress bool) (Packet, error) {
	sc := scratches.Get().(*scratch)
	if name, ok := sc.name.(string); !ok || name != event {
		sc.name = event
	}
	sc.args = append(append(sc.args[:0], sc.name), args...)
	if !offset.IsZero() && e.OwnParser {
		sc.args = append(sc.args, offset.String())
	}
	p, err := e.encode(sc, into, offset, h, sc.args, compress)
	clear(sc.args)
	scratches.Put(sc)
	return p, err
}

func (e *Encoder) encode(sc *scratch, into *engineio.Frames, offset recovery.Offset, h parser.Header, args []any, compress bool) (p Packet, err error) {
	defer func() {
		if v := recover(); v != nil {
			p, err = Packet{}, e.Panicked(v, h)
		}
	}()
	text, attachments, err := e.Parser.Encode(sc.buf, h, args)
	if err != nil {
		return Packet{}, err
	}
	if !offset.IsZero() && !e.OwnParser {
		text = appendOffset(text, offset)
	}
	if cap(text) > 0 && cap(text) <= maxScratch {
		sc.buf = text[:0]
	}
	if len(attachments) > clientAttachments && !e.OwnParser {
		e.ManyAttachments(h, len(attachments), clientAttachments)
	}
	return newPacket(into, text, attachments, compress), nil
}

// New makes a packet of copies of encoded messages. The text may be empty if there
// are attachments.
func New(text []byte, attachments [][]byte, compress bool) Packet {
	return newPacket(nil, text, attachments, compress)
}

// newPacket is New, with frames that have been allocated: they are used unless they are nil or the text is
// empty.
func newPacket(frames *engineio.Frames, text []byte, attachments [][]byte, compress bool) Packet {
	size := len(text)
	for _, a := range attachments {
		size += len(a)
	}
	switch {
	case len(text) == 0 && len(attachments) > 0:
		frames = engineio.BinaryFrames(attachments[0], attachments[1:]...)
	case frames == nil:
		frames = engineio.TextFrames(text, attachments...)
	default:
		engineio.InitTextFrames(frames, text, attachments...)
	}
	if !compress {
		frames.WithoutCompression()
	}
	return Packet{frames: frames, Size: size}
}
