package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTypeScript compiles the page of examples/typescript, strictly, against what
// the server wrote about its events, with what must not compile beside it;
// then uses the page in two windows.
func TestTypeScript(t *testing.T) {
	enable(t)
	browser := chromium(t)
	dir, err := filepath.Abs(filepath.Join("..", "examples", "typescript"))
	require.NoError(t, err)
	compile := exec.Command("node", filepath.Join("node_modules", "typescript", "bin", "tsc"), "--strict")
	compile.Dir = filepath.Join(dir, "web")
	output, err := compile.CombinedOutput()
	require.NoError(t, err, "run npm ci in examples/typescript/web\n%s", output)

	server := exec.Command(buildExample(t, "typescript"), "-addr", "127.0.0.1:0")
	server.Dir = dir
	board := startExample(t, server)
	script := startScript(t, "board", "PAGE_URL="+board.url, "CHROMIUM="+browser)
	script.wait()
}
