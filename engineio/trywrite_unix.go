//go:build unix

package engineio

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// tryWriter writes as much as the network takes without waiting. Its user
// serialises the calls.
type tryWriter struct {
	raw syscall.RawConn
	f   func(fd uintptr) bool // made once: a closure for each write would be garbage

	p   []byte
	n   int
	err error
}

// newTryWriter returns nil for a connection that is no plain TCP or Unix
// socket, such as one with TLS.
func newTryWriter(conn net.Conn) *tryWriter {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
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
