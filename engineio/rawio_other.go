//go:build !unix

package engineio

import (
	"net"
	"syscall"
)

func rawConn(net.Conn) syscall.RawConn { return nil }

func (*inbox) burst(uintptr) bool { return true } // never called

// tryWriter is not available here: connections write on goroutines of their own.
type tryWriter struct{}

func newTryWriter(syscall.RawConn) *tryWriter { return nil }

func (*tryWriter) write([]byte) (int, error) { return 0, nil }
