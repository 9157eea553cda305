package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/seed-d124fa34/socketio"
)

// These tests run what the documents show in other languages than Go: commands, clients
// and servers. The table others in docs/docs_test.go names these tests.

// docBlocks returns the blocks of a language in a document of docs.
func docBlocks(t *testing.T, doc, language string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", filepath.FromSlash(doc)))
	require.NoError(t, err)
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	require.NotEmpty(t, all, "%s has no block of %s", doc, language)
	return all
}

// clone copies the files that git tracks, or would add, as a clone has them.
func clone(t *testing.T) string {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = ".."
	files, err := list.Output()
	require.NoError(t, err)
	dir := t.TempDir()
	for file := range strings.SplitSeq(strings.Trim(string(files), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join("..", file))
		if errors.Is(err, fs.ErrNotExist) { // deleted, and not committed
			continue
		}
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), text, 0o644))
	}
	return dir
}

// TestReadme runs the README's first commands in a clone.
func TestReadme(t *testing.T) {
	enable(t)
	t.Parallel()
	dir := clone(t)
	for line := range strings.Lines(docBlocks(t, "../README.md", "sh")[0]) {
		line, comment, _ := strings.Cut(line, "#")
		switch command := strings.TrimSpace(line); command {
		case "go run ./examples/quickstart": // TestQuickstart runs it, on another port
			assert.Contains(t, comment, "http://127.0.0.1:5000")
			assert.DirExists(t, filepath.Join(dir, "examples", "quickstart"))
		case "go test ./...": // .ci/run begins with it, in whatever it is that it checks
			script, err := os.ReadFile(filepath.Join(dir, ".ci", "run"))
			require.NoError(t, err)
			assert.Contains(t, string(script), "\n"+command+"\n")
		default:
			assert.Fail(t, "a new command: run it", command)
		}
	}
}

// TestQuickstart has the official client and Chromium use the README's program and page, on another port.
func TestQuickstart(t *testing.T) {
	enable(t)
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "examples", "quickstart", "index.html"))
	require.NoError(t, err)
	assert.Equal(t, string(page), docBlocks(t, "../README.md", "html")[0], "the README shows another page")
	url := startFixed(t, "quickstart")
	startScript(t, "documents", "NAME=quickstart", "SERVER_URL="+url).wait()
	startScript(t, "quickstart", "PAGE_URL="+url, "CHROMIUM="+chromium(t)).wait()
}

// TestTalk has the official client use the small app that the guides show.
func TestTalk(t *testing.T) {
	enable(t)
	t.Parallel()
	startScript(t, "documents", "NAME=talk", "SERVER_URL="+startFixed(t, "talk")).wait()
}

// startFixed starts an example on another port. The example itself always listens on port 5000.
func startFixed(t *testing.T, example string) (url string) {
	t.Helper()
	program, err := filepath.Abs(filepath.Join("..", "examples", example, "main.go"))
	require.NoError(t, err)
	source, err := os.ReadFile(program)
	require.NoError(t, err)
	addr := "127.0.0.1:" + freePort(t)
	moved := bytes.ReplaceAll(source, []byte("127.0.0.1:5000"), []byte(addr))
	require.NotEqual(t, source, moved)
	dir := t.TempDir()
	file, overlay, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, example)
	require.NoError(t, os.WriteFile(file, moved, 0o644))
	files, err := json.Marshal(map[string]any{"Replace": map[string]string{program: file}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, files, 0o644))
	build := exec.Command("go", "build", "-overlay", overlay, "-o", binary, ".")
	build.Dir = filepath.Dir(program) // a package, and not a file: it may embed others
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	url = "http://" + addr
	startDaemon(t, func() error { return answers(url) }, binary)
	return url
}

func TestHashPassword(t *testing.T) {
	enable(t)
	t.Parallel()
	file := filepath.Join(t.TempDir(), "password.txt")
	require.NoError(t, os.WriteFile(file, []byte("correct horse\n"), 0o600))
	command := docBlocks(t, "admin-ui.md", "sh")[0]
	require.Contains(t, command, "@latest")
	hash, err := exec.Command("sh", "-c", strings.NewReplacer("@latest", "", "password.txt", file).Replace(command)).Output()
	require.NoError(t, err)
	assert.NoError(t, bcrypt.CompareHashAndPassword(bytes.TrimSpace(hash), []byte("correct horse")))
}

func TestCurl(t *testing.T) {
	enable(t)
	command := docBlocks(t, "troubleshooting.md", "sh")[0]
	require.Contains(t, command, "127.0.0.1:5000")
	output, err := exec.Command("sh", "-c", strings.ReplaceAll(command, "127.0.0.1:5000", startNode(t, "one"))).Output()
	require.NoError(t, err, "install curl")
	assert.Regexp(t, `(?s)^HTTP/1.1 200 OK.*\n0\{"sid":"[^"]+","upgrades":\["websocket"\],.*\}$`, string(output))
}

// documentClient has a node script use a document's JavaScript against a server.
func documentClient(t *testing.T, srv *socketio.Server, name, doc string) {
	t.Helper()
	web := httptest.NewServer(srv)
	t.Cleanup(func() {
		assert.NoError(t, srv.Shutdown(context.Background()))
		web.Close()
	})
	startScript(t, "documents", "NAME="+name, "SERVER_URL="+web.URL, "CODE="+docBlocks(t, doc, "js")[0]).wait()
}

// TestTokenClient renews its token when the server says that it has expired.
func TestTokenClient(t *testing.T) {
	enable(t)
	t.Parallel()
	srv := socketio.NewServer(&socketio.Options{Logger: slog.New(slog.DiscardHandler)})
	srv.On("connect", func(c *socketio.Context, auth struct{ Token string }) error {
		if auth.Token != "fresh" {
			return &socketio.Error{Message: "not authorized", Data: map[string]string{"code": "expired"}}
		}
		return nil
	})
	documentClient(t, srv, "token", "authentication.md")
}

func TestWebSocketClient(t *testing.T) {
	enable(t)
	t.Parallel()
	documentClient(t, socketio.NewServer(&socketio.Options{Transports: []string{"websocket"}}), "websocket", "deployment.md")
}

// TestJavaScriptServer runs the JavaScript handlers of from-javascript.md on npm's server.
// docs/moving_test.go runs the Go handlers beside them.
func TestJavaScriptServer(t *testing.T) {
	enable(t)
	t.Parallel()
	startScript(t, "documents", "NAME=server", "CODE="+docBlocks(t, "from-javascript.md", "js")[0]).wait()
}

// TestFlaskBlocks runs the Python app of from-flask-socketio.md, and the line of
// scaling.md that connects it with Redis.
func TestFlaskBlocks(t *testing.T) {
	enable(t)
	t.Parallel()
	_, redis := startRedis(t)
	packages, err := filepath.Abs(filepath.Join("flask", "packages"))
	require.NoError(t, err)
	cmd := flaskCommand("documents.py", "MESSAGE_QUEUE="+redis, "PYTHONPATH="+packages)
	blocks, err := json.Marshal(map[string][]string{
		"app": docBlocks(t, "from-flask-socketio.md", "python")[1:], "talk": docBlocks(t, "from-flask-socketio.md", "python")[:1],
		"queue": docBlocks(t, "scaling.md", "python"),
	})
	require.NoError(t, err)
	cmd.Stdin = bytes.NewReader(blocks)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
}
