//go:build unix

package admission

import "syscall"

// openFiles returns how many files the process may open (the soft limit, which Go
// has raised at the start), or zero.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return uint64(limit.Cur)
}
