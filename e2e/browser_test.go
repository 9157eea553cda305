package e2e

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDemo uses every control of the demo page in two tabs (windows) of Chromium, and
// restarts the server under them. For a change, CI tests a client that
// upgrades, and one that cannot.
func TestDemo(t *testing.T) {
	enable(t)
	t.Parallel()
	browser := chromium(t)
	binary := buildExample(t, "app")
	client, err := filepath.Abs(filepath.Join("node", "node_modules", "socket.io-client-4", "dist"))
	require.NoError(t, err)

	for name, mode := range map[string]struct {
		query            string
		blockWebSocket   bool
		transport, image string
	}{
		"upgrade":           {transport: "websocket", image: "demo"},
		"polling":           {query: "?transport=polling", transport: "polling"},
		"websocket":         {query: "?transport=websocket", transport: "websocket"},
		"websocket blocked": {blockWebSocket: true, transport: "polling"},
	} {
		if quick() && mode.query != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			demo := startDemo(t, binary, "127.0.0.1:0", client)
			page := demo.url
			if mode.blockWebSocket {
				page = withoutWebSocket(t, page)
			}
			script := startScript(t, "demo",
				"PAGE_URL="+page+"/"+mode.query, "TRANSPORT="+mode.transport,
				"CHROMIUM="+browser, "IMAGES="+images(t, mode.image))
			script.expect("restart, please")
			demo.stop()
			script.expect("server gone")
			startDemo(t, binary, demo.addr(), client)
			script.expect("all done")
			script.wait()
		})
	}
	// Where the Socket.IO client cannot be loaded, the page says what to do.
	t.Run("without client", func(t *testing.T) {
		t.Parallel()
		demo := startDemo(t, binary, "127.0.0.1:0", "")
		startScript(t, "noclient", "PAGE_URL="+demo.url, "CHROMIUM="+browser).wait()
	})
}

// chromium finds the browser: $CHROMIUM, or one of its usual names.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	require.FailNow(t, "no Chromium", "install chromium, or set CHROMIUM to its path")
	return ""
}

// images returns the prefix of the paths of screenshots, which are in $E2E_ARTIFACTS or,
// if that is not set, in artifacts/ in the root of the repository, which git ignores.
// It returns "", for no screenshots, if name is empty, or in a quick run without $E2E_ARTIFACTS.
func images(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("E2E_ARTIFACTS")
	if name == "" || dir == "" && quick() {
		return ""
	}
	if dir == "" {
		dir = filepath.Join("..", "artifacts")
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	dir, err := filepath.Abs(dir) // the scripts run elsewhere
	require.NoError(t, err)
	return filepath.Join(dir, name)
}

// withoutWebSocket returns the URL of a proxy that passes on everything except
// WebSocket, as the proxies of some companies do.
func withoutWebSocket(t *testing.T, target string) string {
	t.Helper()
	to, err := url.Parse(target)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // the server compares it with the page's origin
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			http.Error(w, "no WebSocket here", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	return web.URL
}

// demo is a running example: examples/app, or another one with the same flags.
type demo struct {
	t   *testing.T
	url string
	cmd *exec.Cmd
	log chan struct{} // closed at the end of its output
}

// buildExample compiles one of the examples.
func buildExample(t *testing.T, name string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = filepath.Join("..", "examples", name)
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return binary
}

var demoURL = regexp.MustCompile(`http://[0-9.:]+`)

// startDemo starts the program and waits until it says where it listens.
func startDemo(t *testing.T, binary, addr, clientDir string, flags ...string) *demo {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"-addr", addr, "-client-dir", clientDir}, flags...)...)
	cmd.Dir = t.TempDir() // where there is no node_modules
	return startExample(t, cmd)
}

// startExample starts a program that says on its first line where it listens.
func startExample(t *testing.T, cmd *exec.Cmd) *demo {
	t.Helper()
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())

	d := &demo{t: t, cmd: cmd, log: make(chan struct{})}
	t.Cleanup(d.stop)
	lines := bufio.NewScanner(stdout)
	require.True(t, lines.Scan(), "the demo said nothing")
	d.url = demoURL.FindString(lines.Text())
	require.NotEmpty(t, d.url, lines.Text())
	go func() {
		defer close(d.log)
		for lines.Scan() { // keep its output flowing
		}
	}()
	return d
}

func (d *demo) addr() string { return d.url[len("http://"):] }

// stop ends the program as a service manager does. It must exit cleanly and
// soon. Stopping twice is fine.
func (d *demo) stop() {
	if d.cmd.ProcessState != nil {
		return
	}
	require.NoError(d.t, d.cmd.Process.Signal(syscall.SIGTERM))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = d.cmd.Process.Kill() })()
	if d.url != "" {
		<-d.log
	}
	assert.NoError(d.t, d.cmd.Wait(), "the demo did not stop cleanly")
}
