package e2e

import (
	"os/exec"
	"testing"
)

// TestFrameworks has the official client use the server in each of the frameworks
// that examples/frameworks mounts it in, over all transports that get through.
func TestFrameworks(t *testing.T) {
	enable(t)
	t.Parallel()
	binary := buildExample(t, "frameworks")
	for _, framework := range []string{"net/http", "chi", "gin", "echo", "fiber", "fiber-inside", "polling"} {
		t.Run(framework, func(t *testing.T) {
			t.Parallel()
			program := startExample(t, exec.Command(binary, "-addr", "127.0.0.1:0", "-framework", framework))
			only := ""
			if framework == "polling" {
				only = "polling"
			}
			startScript(t, "frameworks", "SERVER_URL="+program.url, "ONLY="+only).wait()
			program.stop()
		})
	}
}
