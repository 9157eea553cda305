package msgpack_test

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestInterop is the official JavaScript client, with the official msgpack
// parser, against a server with this one.
func TestInterop(t *testing.T) {
	if os.Getenv("CI") == "" && os.Getenv("E2E") == "" {
		t.Skip("end-to-end tests are off: run npm ci in parsers/msgpack/node, then E2E=1 go test in parsers/msgpack")
	}
	_, err := exec.LookPath("node")
	require.NoError(t, err, "install node 18 or newer")
	_, err = os.Stat(filepath.Join("node", "node_modules", "socket.io-msgpack-parser"))
	require.NoError(t, err, "run npm ci in parsers/msgpack/node")

	for _, transport := range []string{"polling", "websocket", "upgrade"} {
		t.Run(transport, func(t *testing.T) {
			srv := newServer()
			web := httptest.NewServer(srv)
			defer web.Close()
			defer func() { assert.NoError(t, srv.Shutdown(context.Background())) }()

			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "node", "interop.mjs")
			cmd.Dir = "node"
			cmd.Env = append(os.Environ(), "SERVER_URL="+web.URL, "TRANSPORT="+transport)
			output, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", output)
		})
	}
}
