package outgoing

import (
	"encoding/base64"
	"sync"
	"sync/atomic"

	"github.com/seed-d124fa34/socketio/engineio/internal/protocol"
	"github.com/seed-d124fa34/socketio/internal/budget"
	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

const (
	finText   = wsframe.Fin | byte(wsframe.OpText)
	finBinary = wsframe.Fin | byte(wsframe.OpBinary)
)

// Unit is one or more messages that are sent together, encoded once for any
// number of connections. It does not change after NeverCompress, and may be used from any
// goroutine.
type Unit struct {
	wire     []byte // WebSocket frames, headers included, one after the other
	first    uint8  // where the text at the beginning starts in wire; 0: there is none
	compress bool
	several  *several    // if there are several messages, or the first is binary
	counted  budget.Item // counts the unit once, whatever the number of its queues
}

// several has fields that most units do not need, because they are one short text.
type several struct {
	frames []frame
	room   [2]frame // the memory of frames, if it is enough
	// textLast: the last message, behind others, is text. See Append.
	textLast bool

	once    sync.Once
	payload []byte // the form for polling, made when it is first needed
	old     atomic.Pointer[oldForms]
	forms   budget.Growth // what all of these take
}

// frame is the position of a payload in Unit.wire. All are binary, except a text at the
// beginning, and one at the end if textLast is set.
type frame struct{ start, end int }

// Init fills u, which is zero, with copies of a text message, if hasText is set, and of the
// binary messages that follow it. There must be at least one message.
func Init[T string | []byte](u *Unit, text T, hasText bool, binary [][]byte) {
	total, size, header := 0, len(text)+1, 0 // with the packet type
	if hasText {
		header = wsframe.HeaderLen(size)
		total = header + size
	}
	for _, b := range binary {
		total += wsframe.HeaderLen(len(b)) + len(b)
	}
	wire := make([]byte, header, total)
	if hasText {
		wsframe.PutHeader(wire, finText, size)
		wire = append(append(wire, protocol.Message), text...)
	}
	u.wire, u.first, u.compress = wire, uint8(header), true
	if len(binary) > 0 {
		u.addBinary(binary)
	}
}

// addBinary appends binary messages to a text or to nothing; there is room for them.
func (u *Unit) addBinary(binary [][]byte) {
	wire, all := u.wire, new(several)
	all.frames = all.room[:0]
	if len(binary) >= len(all.room) {
		all.frames = make([]frame, 0, len(binary)+1)
	}
	if len(wire) > 0 {
		all.frames = append(all.frames, frame{int(u.first), len(wire)})
	}
	for _, b := range binary {
		n := len(wire)
		wire = wire[:n+wsframe.HeaderLen(len(b))]
		wsframe.PutHeader(wire[n:], finBinary, len(b))
		n = len(wire)
		wire = append(wire, b...)
		all.frames = append(all.frames, frame{n, len(wire)})
	}
	u.wire, u.several = wire, all
}

// NewPacket returns a packet other than a message, which is never compressed.
func NewPacket(packet string) *Unit {
	h := wsframe.HeaderLen(len(packet))
	wire := make([]byte, h, h+len(packet))
	wsframe.PutHeader(wire, finText, len(packet))
	return &Unit{wire: append(wire, packet...), first: uint8(h)}
}

// NeverCompress excludes the unit from compression. Do not call it after the unit has been
// sent.
func (u *Unit) NeverCompress() { u.compress = false }

// Compress reports whether the unit may be compressed.
func (u *Unit) Compress() bool { return u.compress }

// Wire returns the unit as WebSocket frames. The caller must not change them.
func (u *Unit) Wire() []byte { return u.wire }

// Size returns how many bytes the unit counts in a queue.
func (u *Unit) Size() int { return len(u.wire) }

// overhead is about how many bytes of memory a message takes besides its own.
const overhead = 96

// Cost returns how many bytes the unit counts in a budget, without the forms that are made
// of it later.
func (u *Unit) Cost() int64 { return int64(len(u.wire)) + overhead }

// Count returns how many packets the unit has.
func (u *Unit) Count() int {
	if u.several == nil {
		return 1
	}
	return len(u.several.frames)
}

// Messages calls yield with each payload, its packet type included if it is text.
func (u *Unit) Messages(yield func(payload []byte, binary bool) bool) {
	if u.several == nil {
		yield(u.wire[u.first:], false)
		return
	}
	last := len(u.several.frames) - 1
	for i, m := range u.several.frames {
		isText := i == 0 && u.first > 0 || i == last && u.several.textLast
		if !yield(u.wire[m.start:m.end], !isText) {
			return
		}
	}
}

// Append fills u, which is zero, with the messages of another unit and with the first
// message of last.
func Append(u, before, last *Unit) {
	u.first, u.compress = before.first, before.compress
	u.wire = append(make([]byte, 0, len(before.wire)+len(last.wire)), before.wire...)
	all := new(several)
	all.frames = all.room[:0]
	if before.several != nil {
		all.frames = append(all.frames, before.several.frames...)
	} else {
		all.frames = append(all.frames, frame{int(before.first), len(before.wire)})
	}
	all.textLast = last.first > 0
	end := len(last.wire)
	start := int(last.first)
	if last.several != nil {
		start, end = last.several.frames[0].start, last.several.frames[0].end
	}
	all.frames = append(all.frames, frame{len(u.wire) + start, len(u.wire) + end})
	u.wire, u.several = append(u.wire, last.wire[:end]...), all
}

// Payload returns the form for long-polling (protocol: "Payload encoding"): binary messages in
// base64, packets joined by the separator. The caller must not change it.
func (u *Unit) Payload() []byte {
	if u.several == nil {
		return u.wire[u.first:]
	}
	u.several.once.Do(func() {
		size := 0
		for p := range u.Messages {
			size += 2 + base64.StdEncoding.EncodedLen(len(p))
		}
		out := make([]byte, 0, size)
		for p, binary := range u.Messages {
			if len(out) > 0 {
				out = append(out, protocol.Separator)
			}
			if binary {
				out = append(out, protocol.Base64)
				out = base64.StdEncoding.AppendEncode(out, p)
			} else {
				out = append(out, p...)
			}
		}
		u.several.payload = out
		u.several.forms.Grow(int64(cap(out)))
	})
	return u.several.payload
}
