package wsframe

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

const (
	// MinBuffer is the smallest buffer that Next works with, in bytes: it holds
	// any control frame.
	MinBuffer = 6 + MaxControl

	// maxEmpty is how many empty fragments a message may have. They cost the
	// server time and do not count against the limit.
	maxEmpty = 256
)

// Reader takes the frames of one client out of a buffer that its user fills. It checks
// everything that RFC 6455 demands of a client, unmasks, and joins fragments. It is
// ready for use when Limit is set. One goroutine at a time may use it.
//
// A Reader holds memory only during a message that does not fit into the user's
// buffer or comes in fragments, and until the first call after it: about twice as
// much as has come, whatever length a frame claims.
type Reader struct {
	// Limit is the longest message, in bytes, over all of its fragments. It must be set.
	Limit int

	message *[]byte // what has come of the message under way, or the last one; nil if nothing
	left    int     // how much of the payload of the frame under way has not come
	checked int     // how much of a text is known to be UTF-8
	err     *Error  // why the Reader has ended; nil: it has not
	key     uint32  // the mask of the frame under way, for its next byte
	empty   uint16  // empty fragments of the message under way
	op      Op      // of the message under way, or 0
	inFrame bool    // a frame is under way of which the header has been taken
	fin     bool    // it ends the message
}

// Next takes the next frame, or a part of it, from the beginning of b. room is the
// length that b can reach without another call of Next, at least MinBuffer. A message
// that fits into it is not copied.
//
// n is how much of b has been used up. With OpText and OpBinary, payload is a
// whole message; with OpPing, OpPong and OpClose it is that of the control
// frame. It is memory of b or of the Reader. Both are valid until the next
// call. With OpContinuation there is no payload, and if n is 0, b must become longer.
//
// An error is an *Error, which all later calls return, too. The calls after OpClose
// return ErrClosed.
func (r *Reader) Next(b []byte, room int) (op Op, payload []byte, n int, err error) {
	r.ReleaseLast()
	switch {
	case r.err != nil:
		return 0, nil, 0, r.err
	case r.inFrame:
		return r.continueFrame(b, 0)
	case len(b) < 2:
		return 0, nil, 0, nil
	}
	op = Op(b[0] & 0x0f)
	switch {
	case b[0]&0x70 != 0:
		return r.fail(errReservedBit)
	case op > OpPong || op > OpBinary && op < OpClose:
		return r.fail(errReservedOp)
	case b[1]&0x80 == 0:
		return r.fail(errNotMasked)
	case op >= OpClose:
		return r.control(op, b)
	case op == OpContinuation && r.op == 0:
		return r.fail(errNothingToGoOn)
	case op != OpContinuation && r.op != 0:
		return r.fail(errUnfinished)
	}
	size, header, failed := length(b)
	if failed != nil {
		return r.fail(failed)
	}
	if header == 0 {
		return 0, nil, 0, nil
	}
	if size > uint64(r.Limit-r.size()) {
		return r.fail(ErrTooBig)
	}
	if op == OpContinuation || b[0]&Fin == 0 || header+int(size) > room {
		return r.beginFrame(op, b, header, int(size))
	}
	n = header + int(size)
	if len(b) < n {
		return 0, nil, 0, nil
	}
	payload = b[header:n:n]
	unmask(payload, binary.LittleEndian.Uint32(b[header-4:]))
	if op == OpText && !utf8.Valid(payload) {
		return r.fail(ErrNotUTF8)
	}
	return op, payload, n, nil
}

// length returns the length of the payload and of the header of a data frame, 0 for
// the header if b does not say yet. The mask may be missing.
func length(b []byte) (size uint64, header int, failed *Error) {
	size = uint64(b[1] & 0x7f)
	header = 6
	switch size {
	case 126:
		if len(b) < 4 {
			return 0, 0, nil
		}
		if size = uint64(binary.BigEndian.Uint16(b[2:])); size < 126 {
			return 0, 0, errLengthForm
		}
		header = 8
	case 127:
		if len(b) < 10 {
			return 0, 0, nil
		}
		size = binary.BigEndian.Uint64(b[2:])
		switch {
		case size > math.MaxInt64:
			return 0, 0, errHugeLength
		case size < 1<<16:
			return 0, 0, errLengthForm
		}
		header = 14
	}
	return size, header, nil
}

// control takes a control frame, which is always whole.
func (r *Reader) control(op Op, b []byte) (Op, []byte, int, error) {
	n := 6 + int(b[1]&0x7f)
	switch {
	case b[0]&Fin == 0:
		return r.fail(errControlPart)
	case n > 6+MaxControl:
		return r.fail(errLongControl)
	case len(b) < n:
		return 0, nil, 0, nil
	}
	payload := b[6:n:n]
	unmask(payload, binary.LittleEndian.Uint32(b[2:]))
	if op == OpClose {
		if err := checkClose(payload); err != nil {
			return r.fail(err)
		}
		r.Release() // a message that has begun never ends
		r.err = ErrClosed
	}
	return op, payload, n, nil
}

// beginFrame takes the header of a frame whose payload goes to r.message, and the part
// of the payload that has come.
func (r *Reader) beginFrame(op Op, b []byte, header, size int) (Op, []byte, int, error) {
	if len(b) < header {
		return 0, nil, 0, nil
	}
	if op != OpContinuation {
		r.op, r.checked, r.empty = op, 0, 0
	}
	if size == 0 {
		if r.empty++; r.empty > maxEmpty {
			return r.fail(errEmptyParts)
		}
	}
	r.inFrame, r.fin, r.left = true, b[0]&Fin != 0, size
	r.key = binary.LittleEndian.Uint32(b[header-4:])
	return r.continueFrame(b[header:], header)
}

// continueFrame takes the payload of the frame under way that is in b. used bytes of b
// have been used up before.
func (r *Reader) continueFrame(b []byte, used int) (op Op, payload []byte, n int, err error) {
	n = min(len(b), r.left)
	if n > 0 {
		r.grow(n, n)
		*r.message = append(*r.message, b[:n]...)
		if err := r.came(n); err != nil {
			return 0, nil, 0, err
		}
	}
	n += used
	if r.left > 0 {
		return 0, nil, n, nil
	}
	r.inFrame = false
	if !r.fin {
		return 0, nil, n, nil
	}
	op = r.op
	if op == OpText && r.checked < r.size() {
		return r.fail(ErrNotUTF8) // it ends within a character
	}
	r.op = 0
	if r.message != nil {
		payload = *r.message
	}
	return op, payload, n, nil
}

// Space returns memory to read the payload of a large frame into, instead of the
// buffer of Next. It is at most as long as what is missing, and nil if that is less than
// least bytes. Call Came before any other method.
func (r *Reader) Space(least int) []byte {
	if !r.inFrame || r.left < max(least, 1) {
		return nil
	}
	r.grow(least, 0)
	m := *r.message
	return m[len(m):min(cap(m), len(m)+r.left)]
}

// Came says that n bytes have been read into the memory that Space returned. Next goes
// on from there. An error is an *Error.
func (r *Reader) Came(n int) error {
	*r.message = (*r.message)[:len(*r.message)+n]
	err := r.came(n)
	if r.left == 0 && !r.fin {
		r.inFrame = false
	}
	return err
}

// came unmasks and checks the last n bytes of r.message.
func (r *Reader) came(n int) error {
	m := *r.message
	r.key = unmask(m[len(m)-n:], r.key)
	r.left -= n
	if r.op == OpText {
		n, ok := validUTF8(m[r.checked:])
		if !ok {
			_, _, _, err := r.fail(ErrNotUTF8)
			return err
		}
		r.checked += n
	}
	return nil
}

// size is how much of the message under way has come.
func (r *Reader) size() int {
	if r.message == nil {
		return 0
	}
	return len(*r.message)
}

func (r *Reader) fail(err *Error) (Op, []byte, int, error) {
	r.Release()
	r.err = err
	return 0, nil, 0, err
}

// ReleaseLast gives up the memory of the message that Next returned last, as the
// next call does.
func (r *Reader) ReleaseLast() {
	if r.message != nil && r.op == 0 {
		r.Release()
	}
}

// Release gives up the memory that the Reader holds. The rest of the message under way
// cannot be read after it.
func (r *Reader) Release() {
	if r.message != nil {
		putBuffer(r.message)
		r.message = nil
	}
	r.op, r.inFrame = 0, false
}
