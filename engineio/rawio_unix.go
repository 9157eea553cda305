//go:build unix

package engineio

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// rawConn returns access to the file descriptor of a plain TCP or Unix socket,
// nil for any other connection, such as one with TLS.
func rawConn(conn net.Conn) syscall.RawConn {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// burstReader reads into a buffer that it has only while there is something in
// it: a waiting connection holds none, and a message is read with one call.
type burstReader struct {
	raw syscall.RawConn
	f   func(fd uintptr) bool // made once, as that of tryWriter

	buf  *[burstSize]byte // nil when empty
	r, w int
	err  error
}

const burstSize = 4 << 10

var burstPool = sync.Pool{New: func() any { return new([burstSize]byte) }}

// newBurstReader returns nil where it is not possible.
func newBurstReader(conn net.Conn) *burstReader {
	raw := rawConn(conn)
	if raw == nil {
		return nil
	}
	b := &burstReader{raw: raw}
	b.f = func(fd uintptr) bool {
		buf := burstPool.Get().(*[burstSize]byte)
		for {
			n, err := syscall.Read(int(fd), buf[:])
			if err == syscall.EINTR {
				continue
			}
			if n > 0 {
				b.buf, b.r, b.w, b.err = buf, 0, n, nil
				return true
			}
			burstPool.Put(buf)
			if err == syscall.EAGAIN {
				return false // wait until it is readable
			}
			if b.err = err; err == nil {
				b.err = io.EOF
			}
			return true
		}
	}
	return b
}

// read is io.Reader's Read.
func (b *burstReader) read(p []byte) (int, error) {
	if b.buf == nil {
		if err := b.raw.Read(b.f); err != nil {
			return 0, err
		}
		if b.buf == nil {
			return 0, b.err
		}
	}
	n := copy(p, b.buf[b.r:b.w])
	if b.r += n; b.r == b.w {
		burstPool.Put(b.buf)
		b.buf = nil
	}
	return n, nil
}

// empty reports whether nothing is buffered.
func (b *burstReader) empty() bool { return b.buf == nil }

// tryWriter writes as much as the network takes without waiting. Its user
// serialises the calls.
type tryWriter struct {
	raw syscall.RawConn
	f   func(fd uintptr) bool // made once: a closure for each write would be garbage

	p   []byte
	n   int
	err error
}

// newTryWriter returns nil where it is not possible.
func newTryWriter(conn net.Conn) *tryWriter {
	raw := rawConn(conn)
	if raw == nil {
		return nil
	}
	w := &tryWriter{raw: raw}
	w.f = func(fd uintptr) bool {
		for {
			w.n, w.err = syscall.Write(int(fd), w.p)
			if w.err != syscall.EINTR {
				return true // written or not, do not wait
			}
		}
	}
	return w
}

// write returns how much was written; less than all is no error.
func (w *tryWriter) write(p []byte) (int, error) {
	w.p, w.n, w.err = p, 0, nil
	err := w.raw.Write(w.f)
	w.p = nil
	if err == nil {
		err = w.err
	}
	if err == syscall.EAGAIN || errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, nil // a deadline of an earlier write has passed; the next one sets it anew
	}
	return max(w.n, 0), err
}
