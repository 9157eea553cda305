//go:build !unix

package engineio

import "net"

// tryWriter is not available here: connections write on goroutines of their own.
type tryWriter struct{}

func newTryWriter(net.Conn) *tryWriter { return nil }

func (*tryWriter) write([]byte) (int, error) { return 0, nil }

// burstReader is not available either.
type burstReader struct{}

const burstSize = 4 << 10

func newBurstReader(net.Conn) *burstReader { return nil }

func (*burstReader) read([]byte) (int, error) { return 0, nil }
func (*burstReader) empty() bool              { return true }
