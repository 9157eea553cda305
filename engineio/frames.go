package engineio

import "github.com/seed-d124fa34/socketio/engineio/internal/outgoing"

// Frames is one or more messages that are sent as a unit, encoded once for any
// number of connections. It is safe for concurrent use: nothing but
// WithoutCompression changes it.
type Frames struct{ unit outgoing.Unit }

// TextFrames returns the frames of a text message and of the binary messages that
// follow it. It copies all of them. An empty text is a message, too.
func TextFrames[T string | []byte](text T, binary ...[]byte) *Frames {
	f := new(Frames)
	outgoing.Init(&f.unit, text, true, binary)
	return f
}

// BinaryFrames returns the frames of one binary message or more. It copies them.
func BinaryFrames(data []byte, more ...[]byte) *Frames {
	f := new(Frames)
	if len(more) == 0 {
		outgoing.Init(&f.unit, "", false, [][]byte{data})
	} else {
		outgoing.Init(&f.unit, "", false, append([][]byte{data}, more...))
	}
	return f
}

// WithoutCompression switches compression off for the frames, also on connections that
// negotiated it, and returns f. It must not be called after f has been sent.
func (f *Frames) WithoutCompression() *Frames {
	f.unit.NeverCompress()
	return f
}

// Message returns what f was made of: a text message, nil if there is none, and
// the binary ones that follow it. Both are memory of f and must not be changed.
func (f *Frames) Message() (text []byte, binary [][]byte) {
	for p, isBinary := range f.unit.Messages {
		if isBinary {
			binary = append(binary, p)
		} else {
			text = p[1:] // behind the packet type
		}
	}
	return text, binary
}

// The packets that the server sends besides messages and the open packet.
var (
	pingPacket       = outgoing.NewPacket("2")
	noopPacket       = outgoing.NewPacket("6")
	closePacket      = outgoing.NewPacket("1")
	probeReplyPacket = outgoing.NewPacket("3probe")
)
