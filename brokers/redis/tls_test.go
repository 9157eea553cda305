package redis_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/brokers/redis"
	"github.com/seed-d124fa34/socketio/brokertest"
)

func TestTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil) // it has a self-signed certificate for 127.0.0.1
	defer web.Close()
	key, err := x509.MarshalPKCS8PrivateKey(web.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: web.Certificate().Raw},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	pool := x509.NewCertPool()
	pool.AddCert(web.Certificate())
	port := strconv.Itoa(freePort(t))
	startRedis(t, "--tls-port", port, "--tls-auth-clients", "no",
		"--tls-cert-file", filepath.Join(dir, "cert.pem"), "--tls-key-file", filepath.Join(dir, "key.pem"), "--tls-ca-cert-file", filepath.Join(dir, "cert.pem"))
	addr := net.JoinHostPort("127.0.0.1", port)
	client := goredis.NewClient(&goredis.Options{Addr: addr, MaxRetries: -1, TLSConfig: &tls.Config{RootCAs: pool}})
	defer client.Close()
	brokertest.RoundTrip(t, redis.NewFromClient(client))

	// The URL's TLS trusts the system's authorities, and not this one.
	b := newBroker(t, "rediss://"+addr)
	defer b.Close()
	require.ErrorContains(t, b.Publish(t.Context(), "c", nil), "certificate")
}
