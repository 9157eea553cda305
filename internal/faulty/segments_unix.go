//go:build linux || darwin || freebsd || netbsd || openbsd

package faulty

import "syscall"

// limitSegments bounds the segments that the connections of a socket are made
// of, in both directions. It has to be called before the socket connects or listens.
func limitSegments(fd uintptr, size int) error {
	return syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, size)
}

// limitBuffer bounds the receive buffer, and with it the window.
func limitBuffer(fd uintptr, size int) error {
	return syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, size)
}
