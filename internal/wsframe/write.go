package wsframe

import "encoding/binary"

// Fin in the first byte of a frame says that the frame ends its message. The rest
// of that byte is the Op.
const Fin = 0x80

// Op is the opcode of a frame (RFC 6455, section 5.2).
type Op byte

// The opcodes. 3 to 7 and 11 to 15 are reserved.
const (
	OpContinuation Op = 0
	OpText         Op = 1
	OpBinary       Op = 2
	OpClose        Op = 8
	OpPing         Op = 9
	OpPong         Op = 10
)

// MaxControl is the longest payload of a control frame, in bytes.
const MaxControl = 125

// maxHeader is the longest header of a frame that a server sends, in bytes.
const maxHeader = 10

// HeaderLen returns how many bytes PutHeader writes for a payload of size bytes.
func HeaderLen(size int) int {
	switch {
	case size <= MaxControl:
		return 2
	case size < 1<<16:
		return 4
	}
	return maxHeader
}

// PutHeader writes the header of an unmasked frame to the beginning of b, which
// has room for it. first is Fin and the Op.
func PutHeader(b []byte, first byte, size int) {
	b[0] = first
	switch {
	case size <= MaxControl:
		b[1] = byte(size)
	case size < 1<<16:
		b[1] = 126
		binary.BigEndian.PutUint16(b[2:], uint16(size))
	default:
		b[1] = 127
		binary.BigEndian.PutUint64(b[2:], uint64(size))
	}
}

// AppendClose appends a close frame with a status and no reason. StatusNone makes
// it an empty one.
func AppendClose(b []byte, status Status) []byte {
	if status == StatusNone {
		return append(b, Fin|byte(OpClose), 0)
	}
	return append(b, Fin|byte(OpClose), 2, byte(status>>8), byte(status))
}
