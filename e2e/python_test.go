package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPython has the client of python-socketio, sync and asyncio, go through the list of behaviours that other clients go
// through.
func TestPython(t *testing.T) {
	enableAtNight(t)
	t.Parallel()
	for _, kind := range []string{"sync", "asyncio"} {
		for _, transport := range everyTransport {
			t.Run(kind+"/"+transport, func(t *testing.T) {
				t.Parallel()
				cmd := flaskCommand("clients.py", "PYTHONPATH=")
				cmd.Args = append(cmd.Args, serveOld(t, "127.0.0.1:0").url(), kind, transport)
				kill := time.AfterFunc(scriptTimeout, func() { _ = cmd.Process.Kill() })
				defer kill.Stop()
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, "install python3-socketio, python3-requests, python3-websocket and python3-aiohttp\n%s", out)
				assert.Empty(t, string(out))
			})
		}
	}
}
