package nats_test

import (
	"crypto/tls"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/brokertest"
)

func TestTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil) // it has a self-signed certificate for 127.0.0.1
	defer web.Close()
	path := filepath.Join(t.TempDir(), "cert.pem")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600))
	s := startNATS(t, &server.Options{TLS: true, TLSTimeout: 10, TLSConfig: &tls.Config{Certificates: web.TLS.Certificates}})
	brokertest.RoundTrip(t, newBroker(t, "tls://"+s.addr(), natsgo.RootCAs(path)))

	// Without the option only the system's authorities are trusted.
	b := newBroker(t, "tls://"+s.addr())
	defer b.Close()
	require.ErrorContains(t, b.Publish(t.Context(), "c", nil), "certificate")
}
