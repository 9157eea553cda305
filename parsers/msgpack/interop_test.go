package msgpack_test

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// node skips the test unless end-to-end tests were asked for.
func node(t *testing.T) {
	t.Helper()
	if os.Getenv("CI") == "" && os.Getenv("E2E") == "" {
		t.Skip("end-to-end tests are off: run npm ci in parsers/msgpack/node, then E2E=1 go test in parsers/msgpack")
	}
	_, err := exec.LookPath("node")
	require.NoError(t, err, "install node 18 or newer")
	_, err = os.Stat(filepath.Join("node", "node_modules", "socket.io-msgpack-parser"))
	require.NoError(t, err, "run npm ci in parsers/msgpack/node")
}

// run runs a script.
func run(t *testing.T, script string, env ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", script)
	cmd.Dir = "node"
	cmd.Env = append(os.Environ(), env...)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// TestInterop is the official JavaScript client, with the official msgpack
// parser, against a server with this one.
func TestInterop(t *testing.T) {
	node(t)
	for _, transport := range []string{"polling", "websocket", "upgrade"} {
		t.Run(transport, func(t *testing.T) {
			srv := newServer()
			web := httptest.NewServer(srv)
			defer web.Close()
			defer func() { assert.NoError(t, srv.Shutdown(context.Background())) }()

			run(t, "interop.mjs", "SERVER_URL="+web.URL, "TRANSPORT="+transport)
		})
	}
}

// TestReadme runs the client of the README, as it stands there.
func TestReadme(t *testing.T) {
	node(t)
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```js\n(.*?)```").FindSubmatch(text)
	require.NotNil(t, block)
	dir := t.TempDir()
	packages, err := filepath.Abs(filepath.Join("node", "node_modules"))
	require.NoError(t, err)
	require.NoError(t, os.Symlink(packages, filepath.Join(dir, "node_modules")))
	module := filepath.Join(dir, "page.mjs")
	require.NoError(t, os.WriteFile(module, append(block[1], "\nexport { socket };\n"...), 0o600))

	srv := newServer()
	web := httptest.NewServer(srv)
	defer web.Close()
	defer func() { assert.NoError(t, srv.Shutdown(context.Background())) }()
	run(t, "readme.mjs", "SERVER_URL="+web.URL, "PAGE="+module)
}
