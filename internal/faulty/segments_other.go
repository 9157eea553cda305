//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package faulty

// limitSegments does nothing: the segments are those of the loopback interface.
func limitSegments(uintptr, int) error { return nil }

func limitBuffer(uintptr, int) error { return nil }
