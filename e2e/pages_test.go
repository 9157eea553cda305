package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPages uses the pages of the examples that have no test of their own in a
// browser, and looks at them: on a phone, a laptop and a wide screen, light and dark.
func TestPages(t *testing.T) {
	enableAtNight(t)
	t.Parallel()
	browser := chromium(t)
	look := func(t *testing.T, name, page string) {
		startScript(t, "pages", "NAME="+name, "PAGE_URL="+page, "CHROMIUM="+browser, "IMAGES="+images(t, name)).wait()
	}
	for name, args := range map[string][]string{
		"namespace":  nil,
		"sessions":   nil,
		"auth-jwt":   {"-life", "5m"},
		"cluster":    nil,
		"typescript": nil,
		"recovery":   nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := startExample(t, exampleCommand(t, name, append([]string{"-addr", "127.0.0.1:0"}, args...)...))
			look(t, name, program.url)
		})
	}
	t.Run("worker", func(t *testing.T) {
		t.Parallel()
		_, redis := startRedis(t)
		worker := exampleCommand(t, "worker", "-redis", redis, "worker")
		require.NoError(t, worker.Start())
		t.Cleanup(func() {
			_ = worker.Process.Kill()
			_ = worker.Wait()
		})
		web := startExample(t, exampleCommand(t, "worker", "-redis", redis, "-addr", "127.0.0.1:0", "web"))
		look(t, "worker", web.url)
	})
}

// exampleCommand builds an example, and returns the command that runs it where the
// official client is found, in the example's directory.
func exampleCommand(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	require.FileExists(t, filepath.Join("..", "examples", "app", "node_modules", "socket.io-client", "dist", "socket.io.min.js"),
		"run npm ci in examples/app")
	cmd := exec.Command(buildExample(t, name), args...)
	cmd.Dir = filepath.Join("..", "examples", name)
	return cmd
}
