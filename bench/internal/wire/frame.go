package wire

import (
	"encoding/binary"
	"errors"
)

// The opcodes of RFC 6455, section 5.2.
const (
	opContinuation = 0x0
	OpText         = 0x1
	OpBinary       = 0x2
	OpClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// maskKey masks every frame. Real clients choose a new key for each frame. With a constant key the frames
// can be made beforehand, and the server's work is the same.
var maskKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// AppendFrame appends a complete masked frame.
func AppendFrame(b []byte, op byte, payload []byte) []byte {
	b = append(b, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = append(b, 0x80|126)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b = append(b, 0x80|127)
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = append(b, maskKey[:]...)
	for i, c := range payload {
		b = append(b, c^maskKey[i&3])
	}
	return b
}

// TextFrame returns a masked text frame.
func TextFrame(s string) []byte { return AppendFrame(nil, OpText, []byte(s)) }

// maxFrame is the largest frame that a server may send. None sends large ones.
const maxFrame = 1 << 20

var errFrame = errors.New("wire: the server sent a WebSocket frame that is masked, compressed or too large")

// frame is a frame from a server. payload is a part of the buffer from which it was read.
type frame struct {
	fin     bool
	op      byte
	payload []byte
}

// nextFrame reads the first frame in b. n is its size, or 0 if b does not contain all of it yet.
func nextFrame(b []byte) (f frame, n int, err error) {
	if len(b) < 2 {
		return f, 0, nil
	}
	size, head := int(b[1]), 2
	switch {
	case b[0]&0x70 != 0 || b[1]&0x80 != 0:
		return f, 0, errFrame
	case size == 126:
		if len(b) < 4 {
			return f, 0, nil
		}
		size, head = int(binary.BigEndian.Uint16(b[2:])), 4
	case size == 127:
		if len(b) < 10 {
			return f, 0, nil
		}
		long := binary.BigEndian.Uint64(b[2:])
		if long > maxFrame {
			return f, 0, errFrame
		}
		size, head = int(long), 10
	}
	if len(b) < head+size {
		return f, 0, nil
	}
	return frame{fin: b[0]&0x80 != 0, op: b[0] & 0xf, payload: b[head : head+size]}, head + size, nil
}
