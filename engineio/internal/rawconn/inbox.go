package rawconn

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
)

const (
	// BurstSize is how many bytes one read takes. The buffer for them exists only while
	// there is something in it.
	BurstSize = 4 << 10
	// waitingSize is the buffer, in bytes, of a connection whose file descriptor cannot
	// be used. The reader holds it while it waits.
	waitingSize = 1 << 10
)

// ErrCutOff: the network connection has ended. It is not io.EOF, which a WebSocket library
// would take for the end of the message.
var ErrCutOff = errors.New("engineio: the network connection ended without a close frame")

func cutOff(err error) error {
	if err == io.EOF {
		return ErrCutOff
	}
	return err
}

var burstPool = sync.Pool{New: func() any { return new([BurstSize]byte) }}

// Inbox has the bytes that have been read from a network connection and not been used up.
// Only the goroutine that reads uses it.
type Inbox struct {
	conn net.Conn
	raw  syscall.RawConn       // nil if the file descriptor cannot be used
	f    func(fd uintptr) bool // burst, made once
	err  error                 // of the last read

	buf        []byte // nil if there is raw and nothing is buffered
	begin, end int32  // of the bytes in buf that have not been used up
}

// NewInbox returns the Inbox of a connection from which the bytes before have been read. raw
// comes from Access.
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

// Buffered returns the bytes that have been read. They are memory of the Inbox, valid until
// the next Fill, ReadInto or Discard.
func (in *Inbox) Buffered() []byte { return in.buf[in.begin:in.end] }

// Room returns how many bytes can be buffered without another buffer.
func (in *Inbox) Room() int { return len(in.buf) }

// Advance notes that the first n buffered bytes have been used up.
func (in *Inbox) Advance(n int) { in.begin += int32(n) }

// Empty reports whether nothing is buffered.
func (in *Inbox) Empty() bool { return in.begin == in.end }

// Err returns the error of the last read.
func (in *Inbox) Err() error { return in.err }

// HoldsBuffer reports whether there is a buffer that could be given up.
func (in *Inbox) HoldsBuffer() bool { return in.raw != nil && in.buf != nil }

// Fill waits for more bytes. The caller has made sure that there is room.
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

// Release gives up the buffer if it is empty and can be allocated again.
func (in *Inbox) Release() {
	if in.begin < in.end || in.raw == nil || in.buf == nil {
		return
	}
	if len(in.buf) == BurstSize {
		burstPool.Put((*[BurstSize]byte)(in.buf))
	}
	in.buf, in.begin, in.end = nil, 0, 0
}

// Discard throws the buffered bytes away.
func (in *Inbox) Discard() {
	in.begin = in.end
	in.Release()
}

// ReadInto reads into p instead of the buffer, which is empty. So a part of a large message
// is not copied.
func (in *Inbox) ReadInto(p []byte) (int, error) {
	in.Release()
	n, err := in.conn.Read(p)
	in.err = nil
	if n == 0 {
		in.err = cutOff(err)
	}
	return n, in.err
}
