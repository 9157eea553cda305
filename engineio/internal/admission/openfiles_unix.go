//go:build unix

package admission

import "syscall"

// openFiles returns how many files the process may open (the soft limit, which Go
// raises at the start), or zero if it is not known.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return uint64(limit.Cur)
}
