//go:build unix

package rawconn

import (
	"net"
	"syscall"
)

// Access returns access to the file descriptor of a plain TCP or Unix socket,
// nil for any other connection, such as one with TLS.
func Access(conn net.Conn) syscall.RawConn {
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

// burst is the callback of Inbox.raw: it reads what has arrived, or reports that
// nothing has. An Inbox that waits with nothing in it gives up its buffer.
func (in *Inbox) burst(fd uintptr) bool {
	if in.buf == nil {
		in.buf = burstPool.Get().(*[BurstSize]byte)[:]
	}
	for {
		n, err := syscall.Read(int(fd), in.buf[in.end:])
		switch {
		case err == syscall.EINTR:
			continue
		case n > 0:
			in.end += n
			in.err = nil
			return true
		case err == syscall.EAGAIN:
			in.Release()
			return false // wait until it is readable
		case err == nil:
			err = ErrCutOff
		}
		in.Release()
		in.err = err
		return true
	}
}

// Writer writes as much as the network takes without waiting. Its user makes the
// calls one at a time.
type Writer struct {
	raw syscall.RawConn
	f   func(fd uintptr) bool // made once: a closure for each write would be garbage

	p   []byte
	n   int
	err error
}

// NewWriter returns nil for a nil raw.
func NewWriter(raw syscall.RawConn) *Writer {
	if raw == nil {
		return nil
	}
	w := &Writer{raw: raw}
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

// Write returns how much was written; less than all is no error.
func (w *Writer) Write(p []byte) (int, error) {
	w.p, w.n, w.err = p, 0, nil
	err := w.raw.Write(w.f)
	w.p = nil
	if err == nil {
		err = w.err
	}
	if err == syscall.EAGAIN {
		return 0, nil
	}
	return max(w.n, 0), err
}
