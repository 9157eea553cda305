//go:build !unix

package rawconn

import (
	"net"
	"syscall"
)

// Access returns nil: file descriptors are out of reach on this system.
func Access(net.Conn) syscall.RawConn { return nil }

func (*Inbox) burst(uintptr) bool { return true } // never called

// Writer is not available on this system: NewWriter returns nil.
type Writer struct{}

// NewWriter returns nil.
func NewWriter(syscall.RawConn) *Writer { return nil }

// Write is never called.
func (*Writer) Write([]byte) (int, error) { return 0, nil }
