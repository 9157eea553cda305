package e2e

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/engineio"
)

// TestCluster uses examples/cluster. Clients stay on their server, or nginx sends their
// requests to any server and these reach the right one. Clients of both servers talk to each other. At the
// end, no program that the example started still runs.
func TestCluster(t *testing.T) {
	enable(t)
	t.Parallel()
	binary := buildExample(t, "cluster")
	t.Run("without programs", func(t *testing.T) { // the error names the missing program
		cmd := exec.Command(binary)
		cmd.Env = []string{"PATH=" + t.TempDir()}
		output, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(output), "install redis-server and nginx first")
	})
	for _, sticky := range []string{"cookie", "ip", "none"} {
		t.Run(sticky, func(t *testing.T) {
			t.Parallel()
			cluster := startExample(t, exec.Command(binary, "-addr", "127.0.0.1:0", "-sticky", sticky))
			clients := []string{"socket.io-client-4"}
			if sticky == "none" {
				clients = append(clients, "socket.io-client-3")
			}
			for _, client := range clients {
				script := startScript(t, "sticky", "SERVER_URL="+cluster.url, "STICKY="+sticky, "SHARED=1", "CLIENT="+client)
				script.wait()
			}
			cluster.stop()
			_, err := net.DialTimeout("tcp", cluster.addr(), time.Second)
			assert.Error(t, err, "nginx still listens")
		})
	}
}

// TestWorker uses examples/worker: a web server and a worker. It stops the worker in
// the middle of a job and starts it again.
func TestWorker(t *testing.T) {
	enable(t)
	t.Parallel()
	_, url := startRedis(t)
	binary := buildExample(t, "worker")
	startWorker := func() *exec.Cmd {
		cmd := exec.Command(binary, "-redis", url, "worker")
		require.NoError(t, cmd.Start())
		return cmd
	}
	worker := startWorker()
	defer func() {
		assert.NoError(t, worker.Process.Signal(os.Interrupt))
		assert.NoError(t, worker.Wait())
	}()
	web := startExample(t, exec.Command(binary, "-redis", url, "-addr", "127.0.0.1:0", "web"))
	script := startScript(t, "jobs", "SERVER_URL="+web.url)
	script.expect("working")
	require.NoError(t, worker.Process.Kill())
	_ = worker.Wait()
	worker = startWorker()
	script.wait()
}

// TestDeployment uses the configurations of docs/deployment.md, with other ports.
func TestDeployment(t *testing.T) {
	enable(t)
	t.Parallel()
	for _, c := range []struct {
		program, language, sticky string
		file                      func(block string) string
		args                      []string // followed by the file
	}{
		{"nginx", "nginx", "ip", func(block string) string {
			return "daemon off; master_process off; pid nginx.pid; events {}\nhttp { access_log off;\n" + block + "\n}\n"
		}, []string{"-e", "stderr", "-p", "PREFIX", "-c"}},
		{"haproxy", "haproxy", "cookie", func(block string) string { return block }, []string{"-db", "-f"}},
		{"caddy", "caddy", "cookie", func(block string) string { return "{\n\tadmin off\n}\n" + block },
			[]string{"run", "--adapter", "caddyfile", "--config"}},
	} {
		t.Run(c.program, func(t *testing.T) {
			t.Parallel()
			blocks := docBlocks(t, "deployment.md", c.language)
			require.Len(t, blocks, 1)
			one, two := startNode(t, "one"), startNode(t, "two")
			port := freePort(t)
			text := strings.NewReplacer("127.0.0.1:5000", one, "127.0.0.1:5001", two,
				"127.0.0.1:8080", "127.0.0.1:"+port, "listen 8080", "listen 127.0.0.1:"+port, ":8080 {", "http://127.0.0.1:"+port+" {").Replace(blocks[0])
			for _, addr := range []string{one, two, "127.0.0.1:" + port} {
				require.Contains(t, text, addr)
			}
			dir := t.TempDir()
			file := filepath.Join(dir, "config")
			require.NoError(t, os.WriteFile(file, []byte(c.file(text)), 0o600))
			args := []string{"env", "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir, c.program} // Caddy writes there
			for _, arg := range append(c.args, file) {
				args = append(args, strings.ReplaceAll(arg, "PREFIX", dir))
			}
			url := "http://127.0.0.1:" + port
			startDaemon(t, func() error { return answers(url) }, args...)
			script := startScript(t, "sticky", "SERVER_URL="+url, "STICKY="+c.sticky)
			script.wait()

			// Without stickiness the other server gets the request, and its answer says so.
			sid := regexp.MustCompile(`"sid":"([^"]+)"`).FindStringSubmatch(get(t, "http://"+one+"/socket.io/?EIO=4&transport=polling"))
			require.Len(t, sid, 2)
			refusal, err := http.Get("http://" + two + "/socket.io/?EIO=4&transport=polling&sid=" + sid[1])
			require.NoError(t, err)
			require.NoError(t, refusal.Body.Close())
			assert.Contains(t, refusal.Header.Get(engineio.RefusalHeader), "another server process holds it")
		})
	}
}

// startNode starts a server with a name, and returns its address.
func startNode(t *testing.T, name string) string {
	t.Helper()
	srv := socketio.NewServer(&socketio.Options{Logger: slog.New(slog.DiscardHandler)})
	srv.On("node", func(*socketio.Context) (string, error) { return name, nil })
	web := httptest.NewServer(srv)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		assert.NoError(t, srv.Shutdown(ctx))
		web.Close()
	})
	return web.Listener.Addr().String()
}

// answers returns nil when a balancer passes requests on.
func answers(url string) error {
	answer, err := http.Get(url + "/socket.io/?EIO=4&transport=none")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest { // ours
		return fmt.Errorf("status %s", answer.Status)
	}
	return nil
}

func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(body)
}
