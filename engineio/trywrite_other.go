//go:build !unix

package engineio

import "net"

// tryWriter is not available here: connections write on goroutines of their own.
type tryWriter struct{}

func newTryWriter(net.Conn) *tryWriter { return nil }

func (*tryWriter) write([]byte) (int, error) { return 0, nil }
