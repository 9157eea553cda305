//go:build !unix

package rawconn

import (
	"net"
	"syscall"
)

// Access returns nil: file descriptors cannot be used on this system.
func Access(net.Conn) syscall.RawConn { return nil }

func (*Inbox) burst(uintptr) bool { return true } // never called

// WriteAtOnce is never called: there is no syscall.RawConn for it.
func WriteAtOnce(syscall.RawConn, []byte) (int, error) { return 0, nil }
