package engineio

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
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
	err  error                 // of the last read

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
			in.err = err
		}
		return in.err
	}
	n, err := in.readTo(in.buf[in.end:])
	in.end += n
	return err
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

// skip throws away what is buffered.
func (in *inbox) skip() {
	in.begin = in.end
	in.release()
}

// readTo reads to p: while the buffer is empty, a part of a large message goes
// where it belongs.
func (in *inbox) readTo(p []byte) (int, error) {
	in.release()
	n, err := in.conn.Read(p)
	in.err = nil
	if n == 0 {
		in.err = cutOff(err)
	}
	return n, in.err
}
