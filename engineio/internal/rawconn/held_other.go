//go:build !linux

package rawconn

import "syscall"

// Unacknowledged is not known on this system.
func Unacknowledged(syscall.RawConn) (n int64, known bool) { return 0, false }
