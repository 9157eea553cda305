package rawconn

import (
	"syscall"
	"unsafe"
)

// Unacknowledged returns how many bytes the kernel holds that the other side of a
// network connection has not acknowledged. known is false where the system does not
// say, and for a nil raw.
func Unacknowledged(raw syscall.RawConn) (n int64, known bool) {
	if raw == nil {
		return 0, false
	}
	var size int32
	err := raw.Control(func(fd uintptr) {
		// SIOCOUTQ, which has the number of TIOCOUTQ.
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&size)))
		known = errno == 0
	})
	return int64(size), known && err == nil
}
