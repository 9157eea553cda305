//go:build unix

package engineio

import (
	"net"
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

// burst is the callback of inbox.raw: it reads what is there, or reports that
// there is nothing yet. An inbox that waits with nothing in it gives up its buffer.
func (in *inbox) burst(fd uintptr) bool {
	if in.buf == nil {
		in.buf = burstPool.Get().(*[burstSize]byte)[:]
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
			in.release()
			return false // wait until it is readable
		case err == nil:
			err = errCutOff
		}
		in.release()
		in.err = err
		return true
	}
}

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
func newTryWriter(raw syscall.RawConn) *tryWriter {
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
	if err == syscall.EAGAIN {
		return 0, nil
	}
	return max(w.n, 0), err
}
