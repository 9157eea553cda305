package rawconn

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
)

const (
	// BurstSize is how much is read at a time, in bytes, into a buffer that an Inbox
	// has only while there is something in it.
	BurstSize = 4 << 10
	// waitingSize is the buffer of a connection whose file descriptor is out of
	// reach: it is held while waiting.
	waitingSize = 1 << 10
)

// ErrCutOff is the end of a network connection. A WebSocket library would take
// io.EOF in the middle of a message for the end of the message.
var ErrCutOff = errors.New("engineio: the network connection ended without a close frame")

func cutOff(err error) error {
	if err == io.EOF {
		return ErrCutOff
	}
	return err
}

var burstPool = sync.Pool{New: func() any { return new([BurstSize]byte) }}

// Inbox is what has been read from a network connection and not been used up. It is
// used by the goroutine that reads.
type Inbox struct {
	conn net.Conn
	raw  syscall.RawConn       // nil if the file descriptor is out of reach
	f    func(fd uintptr) bool // burst, made once
	err  error                 // of the last read

	buf        []byte // nil if there is raw and nothing is buffered
	begin, end int32  // what is buffered
}

// NewInbox returns the Inbox of a connection from which before has been read. raw is
// that of Access.
func NewInbox(conn net.Conn, raw syscall.RawConn, before []byte) Inbox {
	in := Inbox{conn: conn, raw: raw}
	if raw == nil {
		in.buf = make([]byte, max(waitingSize, len(before)))
	} else if len(before) > 0 {
		in.buf = make([]byte, max(BurstSize, len(before)))
	}
	in.end = int32(copy(in.buf, before))
	return in
}

// Conn returns the network connection.
func (in *Inbox) Conn() net.Conn { return in.conn }

// Raw returns access to its file descriptor, or nil.
func (in *Inbox) Raw() syscall.RawConn { return in.raw }

// Buffered returns what has been read. It is memory of the Inbox, valid until the
// next Fill, ReadInto or Discard.
func (in *Inbox) Buffered() []byte { return in.buf[in.begin:in.end] }

// Room returns how much can be buffered without another buffer, in bytes.
func (in *Inbox) Room() int { return len(in.buf) }

// Advance notes that the first n bytes of what is buffered have been used up.
func (in *Inbox) Advance(n int) { in.begin += int32(n) }

// Empty reports whether nothing is buffered.
func (in *Inbox) Empty() bool { return in.begin == in.end }

// Err returns the error of the last read.
func (in *Inbox) Err() error { return in.err }

// HoldsBuffer reports whether there is a buffer that could be given up.
func (in *Inbox) HoldsBuffer() bool { return in.raw != nil && in.buf != nil }

// Fill waits for more. There is room for it.
func (in *Inbox) Fill() error {
	if in.begin > 0 {
		in.end = int32(copy(in.buf, in.buf[in.begin:in.end]))
		in.begin = 0
	}
	if in.raw != nil {
		if in.f == nil {
			in.f = in.burst
		}
		if err := in.raw.Read(in.f); err != nil {
			in.err = err
		}
		return in.err
	}
	n, err := in.ReadInto(in.buf[in.end:])
	in.end += int32(n)
	return err
}

// Release gives up the buffer if nothing is in it and it can be had again.
func (in *Inbox) Release() {
	if in.begin < in.end || in.raw == nil || in.buf == nil {
		return
	}
	if len(in.buf) == BurstSize {
		burstPool.Put((*[BurstSize]byte)(in.buf))
	}
	in.buf, in.begin, in.end = nil, 0, 0
}

// Discard throws away what is buffered.
func (in *Inbox) Discard() {
	in.begin = in.end
	in.Release()
}

// ReadInto reads into p past the buffer, which is empty or waits for the same bytes:
// so a part of a large message goes where it belongs.
func (in *Inbox) ReadInto(p []byte) (int, error) {
	in.Release()
	n, err := in.conn.Read(p)
	in.err = nil
	if n == 0 {
		in.err = cutOff(err)
	}
	return n, in.err
}
