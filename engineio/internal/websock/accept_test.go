package websock

import (
	"crypto/tls"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio/internal/wstest"
)

// The kernel does not hold several MiB for a client that does not read.
func TestKernelHoldsLittle(t *testing.T) {
	for name, over := range map[string]func(net.Conn) net.Conn{
		"TCP": func(c net.Conn) net.Conn { return c },
		"TLS": func(c net.Conn) net.Conn { return tls.Server(c, &tls.Config{}) },
	} {
		t.Run(name, func(t *testing.T) {
			client, server := wstest.TCPPair(t)
			defer client.Close()
			defer server.Close()
			NewConn(over(server), &Options{Limit: 100, ControlRate: 1000}, nil)
			require.NoError(t, server.SetWriteDeadline(time.Now().Add(300*time.Millisecond))) // by then nothing more goes
			held := 0
			var err error
			for piece := make([]byte, 16<<10); err == nil && held < 64<<20; {
				var n int
				n, err = server.Write(piece)
				held += n
			}
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			assert.Less(t, held, 3*kernelBuffer+(512<<10), "with what the client's side holds")
		})
	}
}
