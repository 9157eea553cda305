package control

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"

	"github.com/seed-d124fa34/socketio/bench/workload"
)

// Listen listens on a port of the loopback address, with TLS if the environment names a
// certificate.
func Listen() (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	dir := os.Getenv(workload.TLSEnv)
	if err != nil || dir == "" {
		return ln, err
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, workload.CertFile), filepath.Join(dir, workload.KeyFile))
	if err != nil {
		ln.Close()
		return nil, err
	}
	return tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}}), nil
}
