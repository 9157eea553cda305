package websock

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio/internal/wstest"
)

// The kernel holds much less than it would by default for a client that does not read.
func TestKernelHoldsLittle(t *testing.T) {
	for name, secure := range map[string]bool{"TCP": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			client, server := wstest.TCPPair(t)
			defer client.Close()
			defer server.Close()
			if secure {
				server = handshake(t, client, server)
			}
			c := NewConn(server, &Options{WriteTimeout: time.Minute, Limit: 100, ControlRate: 1000}, nil)
			c.WriteUntil(time.Now().Add(300 * time.Millisecond)) // by then the network takes nothing more
			held := 0
			var err error
			for piece := make([]byte, 16<<10); err == nil && held < 64<<20; held += len(piece) {
				err = c.WriteAlone(piece)
			}
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			assert.Less(t, held, 3*kernelBuffer+(512<<10), "with what the client's side holds")
		})
	}
}

// handshake does a TLS handshake, and returns the server's side.
func handshake(t *testing.T, client, server net.Conn) net.Conn {
	https := httptest.NewTLSServer(nil) // for its certificate
	https.Close()
	secure := tls.Server(server, https.TLS)
	failed := make(chan error, 1)
	go func() { failed <- tls.Client(client, &tls.Config{InsecureSkipVerify: true}).Handshake() }()
	require.NoError(t, secure.Handshake())
	require.NoError(t, <-failed)
	return secure
}
