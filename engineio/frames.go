package engineio

import (
	"encoding/base64"
	"sync"
	"sync/atomic"

	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

// The packet types (protocol: "Packet types"), as they stand on the wire.
const (
	typeOpen    = '0'
	typeClose   = '1'
	typePing    = '2'
	typePong    = '3'
	typeMessage = '4'
	typeUpgrade = '5'
	typeNoop    = '6'
	typeBase64  = 'b' // a binary message inside a text

	separator = 0x1e // between the packets of a payload
)

const (
	finText   = wsframe.Fin | byte(wsframe.OpText)
	finBinary = wsframe.Fin | byte(wsframe.OpBinary)
	finClose  = wsframe.Fin | byte(wsframe.OpClose)
	finPong   = wsframe.Fin | byte(wsframe.OpPong)
)

// Frames is one or more messages that are sent as a unit, encoded once for any
// number of connections. It is immutable and safe for concurrent use.
type Frames struct {
	wire     []byte // WebSocket frames, headers included, one after the other
	first    uint8  // where the first payload starts in wire
	compress bool
	queues   atomic.Int32           // in how many queues of home it is counted: see budget
	several  *several               // if there are several messages, or the first is binary
	home     atomic.Pointer[Server] // the server that counts it once, whatever the number of its queues
}

// several is what most frames do not need: they are one short text.
type several struct {
	frames []frame
	room   [2]frame // what frames is made of, if it is enough

	once    sync.Once
	payload []byte // the form for polling, made when first asked for
}

type frame struct {
	start, end int // payload in Frames.wire
	binary     bool
}

// TextFrames returns the frames of a text message and of the binary messages that
// follow it, copies of all of them. An empty text is a message, too.
func TextFrames[T string | []byte](text T, binary ...[]byte) *Frames {
	return newFrames(text, binary, true)
}

// BinaryFrames returns the frames of one binary message or more, copies of them.
func BinaryFrames(data []byte, more ...[]byte) *Frames {
	if len(more) == 0 {
		return newFrames("", [][]byte{data}, false)
	}
	return newFrames("", append([][]byte{data}, more...), false)
}

// WithoutCompression has the frames never be compressed, also on connections that
// negotiated it, and returns f. It must not be called once f has been sent.
func (f *Frames) WithoutCompression() *Frames {
	f.compress = false
	return f
}

func newFrames[T string | []byte](text T, binary [][]byte, hasText bool) *Frames {
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
		wire = append(append(wire, typeMessage), text...)
	}
	f := &Frames{wire: wire, first: uint8(header), compress: true}
	if len(binary) > 0 {
		f.addBinary(binary)
	}
	return f
}

// addBinary appends binary messages to a text or to nothing; there is room for them.
func (f *Frames) addBinary(binary [][]byte) {
	wire, all := f.wire, new(several)
	all.frames = all.room[:0]
	if len(binary) >= len(all.room) {
		all.frames = make([]frame, 0, len(binary)+1)
	}
	if len(wire) > 0 {
		all.frames = append(all.frames, frame{int(f.first), len(wire), false})
	}
	for _, b := range binary {
		n := len(wire)
		wire = wire[:n+wsframe.HeaderLen(len(b))]
		wsframe.PutHeader(wire[n:], finBinary, len(b))
		n = len(wire)
		wire = append(wire, b...)
		all.frames = append(all.frames, frame{n, len(wire), true})
	}
	f.wire, f.several = wire, all
}

// packetFrames returns the frame of a packet other than a message.
func packetFrames(packet string) *Frames {
	h := wsframe.HeaderLen(len(packet))
	wire := make([]byte, h, h+len(packet))
	wsframe.PutHeader(wire, finText, len(packet))
	return &Frames{wire: append(wire, packet...), first: uint8(h)}
}

var (
	pingFrames       = packetFrames("2")
	noopFrames       = packetFrames("6")
	closeFrames      = packetFrames("1")
	probeReplyFrames = packetFrames("3probe")
)

// size is what f counts in a send queue, in bytes.
func (f *Frames) size() int { return len(f.wire) }

// frameOverhead is what a message takes in memory besides its bytes, about.
const frameOverhead = 96

// cost is what f counts in a server's budget, in bytes.
func (f *Frames) cost() int64 { return int64(len(f.wire)) + frameOverhead }

// count is how many packets f is.
func (f *Frames) count() int {
	if f.several == nil {
		return 1
	}
	return len(f.several.frames)
}

// messages calls yield with each payload, its packet type included if it is text.
func (f *Frames) messages(yield func(payload []byte, binary bool) bool) {
	if f.several == nil {
		yield(f.wire[f.first:], false)
		return
	}
	for _, m := range f.several.frames {
		if !yield(f.wire[m.start:m.end], m.binary) {
			return
		}
	}
}

// Message returns what f was made of: a text message, nil if there is none, and
// the binary ones that follow it. It is memory of f and must not be changed.
func (f *Frames) Message() (text []byte, binary [][]byte) {
	for p, bin := range f.messages {
		if bin {
			binary = append(binary, p)
		} else {
			text = p[1:] // behind the packet type
		}
	}
	return text, binary
}

// pollPayload is the form for long-polling (protocol: "Payload encoding"):
// binary messages in base64, packets joined by the separator.
func (f *Frames) pollPayload() []byte {
	if f.several == nil {
		return f.wire[f.first:]
	}
	f.several.once.Do(func() {
		size := 0
		for p := range f.messages {
			size += 2 + base64.StdEncoding.EncodedLen(len(p))
		}
		out := make([]byte, 0, size)
		for p, binary := range f.messages {
			if len(out) > 0 {
				out = append(out, separator)
			}
			if binary {
				out = append(out, typeBase64)
				out = base64.StdEncoding.AppendEncode(out, p)
			} else {
				out = append(out, p...)
			}
		}
		f.several.payload = out
	})
	return f.several.payload
}
