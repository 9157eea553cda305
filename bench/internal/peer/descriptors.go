package peer

import (
	"fmt"
	"syscall"
)

// RaiseDescriptors allows this process, and the servers that it starts, as many connections as the
// system allows. It returns an error if so many clients need more: some of them have two.
func RaiseDescriptors(clients int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Cur < limit.Max {
		limit.Cur = limit.Max
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
	}
	if need := uint64(clients + clients/2 + 100); limit.Cur < need {
		return fmt.Errorf("%d clients need %d file descriptors, the limit (ulimit -n) is %d", clients, need, limit.Cur)
	}
	return nil
}
