package e2e

import (
	"os/exec"
	"testing"
)

// TestJWT has the official client connect to examples/auth-jwt, whose tokens are
// valid for five seconds, with good tokens and bad ones.
func TestJWT(t *testing.T) {
	enable(t)
	t.Parallel()
	binary := buildExample(t, "auth-jwt")
	for _, transport := range []string{"polling", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			program := startExample(t, exec.Command(binary, "-addr", "127.0.0.1:0", "-life", "5s"))
			startScript(t, "jwt", "SERVER_URL="+program.url, "TRANSPORT="+transport).wait()
			program.stop()
		})
	}
}
