package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/typescript"
)

// TestTypeScript compiles the page of examples/typescript, strictly, against the declarations
// that the server wrote of its events. It checks that wrong code does not compile. Then it uses the
// page in two windows.
func TestTypeScript(t *testing.T) {
	enable(t)
	t.Parallel()
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

// TestTypeScriptDocumentation compiles the page in the documentation of package typescript
// against the declarations of the handlers there.
func TestTypeScriptDocumentation(t *testing.T) {
	enable(t)
	t.Parallel()
	source, err := os.ReadFile(filepath.Join("..", "typescript", "typescript.go"))
	require.NoError(t, err)
	_, page, ok := strings.Cut(string(source), "\n// and, on the page,\n//\n")
	require.True(t, ok)
	page, _, ok = strings.Cut(page, "\n//\n")
	require.True(t, ok)

	type Message struct {
		Text string `json:"text"`
	}
	srv := socketio.NewServer(nil)
	srv.On("say", func(*socketio.Context, Message) (int, error) { return 0, nil })
	srv.Declare("said", func(Message) {})
	var events bytes.Buffer
	require.NoError(t, typescript.Write(&events, srv.Events(), nil))

	dir := t.TempDir()
	packages, err := filepath.Abs(filepath.Join("..", "examples", "typescript", "web", "node_modules"))
	require.NoError(t, err)
	require.NoError(t, os.Symlink(packages, filepath.Join(dir, "node_modules")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "events.ts"), events.Bytes(), 0o600))
	compile := func(page string) ([]byte, error) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "page.ts"), []byte(page), 0o600))
		cmd := exec.Command("node", filepath.Join(packages, "typescript", "bin", "tsc"), "--strict", "--noEmit", "--skipLibCheck",
			"--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022", "--lib", "es2022,dom", "page.ts")
		cmd.Dir = dir
		return cmd.CombinedOutput()
	}
	page = strings.ReplaceAll(page, "//\t", "")
	output, err := compile(page)
	require.NoError(t, err, "%s", output)
	_, err = compile(strings.Replace(page, `text: "hello"`, "text: 7", 1))
	require.Error(t, err, "it compiles whatever it says")
}
