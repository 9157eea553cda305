package engineio

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"

	"github.com/coder/websocket"
)

const (
	// burstSize is how much is read at a time, into a buffer that a connection
	// has only while there is something in it.
	burstSize = 4 << 10
	// inboxSize is the buffer of a connection whose file descriptor is out of
	// reach, such as one with TLS: it is held while waiting.
	inboxSize = 1 << 10
)

// errCutOff is the end of the network connection. The WebSocket library would take
// io.EOF in the middle of a message for the end of the message.
var errCutOff = errors.New("engineio: the network connection ended without a close frame")

func cutOff(err error) error {
	if err == io.EOF {
		return errCutOff
	}
	return err
}

var burstPool = sync.Pool{New: func() any { return new([burstSize]byte) }}

// inbox is what has been read from the network for a WebSocket. It is used by
// the goroutine that reads.
type inbox struct {
	conn net.Conn
	raw  syscall.RawConn       // nil where it is not possible
	f    func(fd uintptr) bool // burst, made once
	err  error                 // of burst

	buf        []byte // nil if there is raw and nothing is buffered
	begin, end int    // what is buffered
}

// newInbox returns the inbox of a connection from which before has been read.
func newInbox(conn net.Conn, raw syscall.RawConn, before []byte) inbox {
	in := inbox{conn: conn, raw: raw}
	if raw == nil {
		in.buf = make([]byte, max(inboxSize, len(before)))
		in.end = copy(in.buf, before)
	} else if len(before) > 0 {
		in.buf = make([]byte, max(burstSize, len(before)))
		in.end = copy(in.buf, before)
	}
	return in
}

// fill waits for more. There is room for it.
func (in *inbox) fill() error {
	if in.begin > 0 {
		in.end = copy(in.buf, in.buf[in.begin:in.end])
		in.begin = 0
	}
	if in.raw != nil {
		if in.f == nil {
			in.f = in.burst
		}
		if err := in.raw.Read(in.f); err != nil {
			return err
		}
		return in.err
	}
	n, err := in.conn.Read(in.buf[in.end:])
	in.end += n
	if n > 0 {
		return nil
	}
	return cutOff(err)
}

// release gives up the buffer if nothing is in it and it can be had again.
func (in *inbox) release() {
	if in.begin < in.end || in.raw == nil || in.buf == nil {
		return
	}
	if len(in.buf) == burstSize {
		burstPool.Put((*[burstSize]byte)(in.buf))
	}
	in.buf, in.begin, in.end = nil, 0, 0
}

func (in *inbox) empty() bool { return in.begin == in.end }

// read is io.Reader's Read, for what reads frames that are not taken whole.
func (in *inbox) read(p []byte) (int, error) {
	if in.empty() {
		if len(p) >= burstSize { // a large message, straight to where it belongs
			in.release()
			n, err := in.conn.Read(p)
			return n, cutOff(err)
		}
		if err := in.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.buf[in.begin:in.end])
	in.begin += n
	in.release()
	return n, nil
}

// The frames that an inbox understands (RFC 6455, section 5.2): whole messages
// and control frames.
const (
	opText   = 1
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

// frameState is what an inbox begins with.
type frameState int

const (
	framePart  frameState = iota // nothing, or the beginning of a frame that fits
	frameWhole                   // a frame
	frameOther                   // what takes the library: fragments, compression, large frames, violations
)

// frame takes the next frame, its payload unmasked in place and valid until fill
// or read, if it is whole.
func (in *inbox) frame(limit int) (op byte, payload []byte, state frameState) {
	b := in.buf[in.begin:in.end]
	if len(b) < 2 {
		return 0, nil, framePart
	}
	// fin and no extension; masked, as clients have to
	op = b[0] & 0x0f
	if b[0]&0xf0 != 0x80 || b[1]&0x80 == 0 {
		return 0, nil, frameOther
	}
	size, header := int(b[1]&0x7f), 6
	switch {
	case op == opText || op == opBinary:
		if size == 127 {
			return 0, nil, frameOther
		}
		if size == 126 {
			if len(b) < 4 {
				return 0, nil, framePart
			}
			size, header = int(binary.BigEndian.Uint16(b[2:])), 8
		}
		if size > limit || header+size > len(in.buf) {
			return 0, nil, frameOther
		}
	case op < opClose || op > opPong || size > 125:
		return 0, nil, frameOther
	}
	if len(b) < header+size {
		return 0, nil, framePart
	}
	payload = b[header : header+size : header+size]
	if op == opClose && !plainClose(payload, b[header-4:header]) {
		return 0, nil, frameOther
	}
	unmask(payload, binary.LittleEndian.Uint32(b[header-4:]))
	in.begin += header + size
	return op, payload, frameWhole
}

// plainClose reports whether a masked close frame has no status or an ordinary one.
func plainClose(p, key []byte) bool {
	if len(p) < 2 {
		return len(p) == 0
	}
	status := websocket.StatusCode(p[0]^key[0])<<8 | websocket.StatusCode(p[1]^key[1])
	return status == websocket.StatusNormalClosure || status == websocket.StatusGoingAway || status >= 3000 && status < 5000
}

// unmask applies the key of a frame (RFC 6455, section 5.3), read as a
// little-endian number.
func unmask(p []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= byte(key)
		key = key>>8 | key<<24
	}
}
