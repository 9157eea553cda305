//go:build unix

package rawconn

import (
	"net"
	"sync"
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

// burst is the callback of Inbox.raw. It reads what has arrived, or reports that nothing
// has. An Inbox that waits with nothing in it gives up its buffer.
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
			in.end += int32(n)
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

// writer is the state of one WriteAtOnce.
type writer struct {
	f func(fd uintptr) bool // made once, to save a closure for each write

	p   []byte
	n   int
	err error
}

var writers = sync.Pool{New: func() any {
	w := new(writer)
	w.f = func(fd uintptr) bool {
		for {
			w.n, w.err = syscall.Write(int(fd), w.p)
			if w.err != syscall.EINTR {
				return true // in any case, so that RawConn does not wait
			}
		}
	}
	return w
}}

// WriteAtOnce writes as many bytes of p as the network takes without waiting, and returns
// their number; less than all is no error. raw is not nil. A deadline for writes that has
// passed is an error.
func WriteAtOnce(raw syscall.RawConn, p []byte) (int, error) {
	w := writers.Get().(*writer)
	w.p, w.n, w.err = p, 0, nil
	err := raw.Write(w.f)
	if err == nil {
		err = w.err
	}
	n := max(w.n, 0)
	w.p, w.err = nil, nil
	writers.Put(w)
	if err == syscall.EAGAIN {
		return 0, nil
	}
	return n, err
}
