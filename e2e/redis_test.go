package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// daemon is a program of the system: redis-server, nginx, HAProxy, Caddy, Prometheus.
type daemon struct {
	t     *testing.T
	args  []string
	ready func() error // nil when it serves
	cmd   *exec.Cmd
}

// startDaemon starts a program, which stays in the foreground, and waits until
// it serves. It is killed when the test ends.
func startDaemon(t *testing.T, ready func() error, args ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, args: args, ready: ready}
	d.start()
	t.Cleanup(d.kill)
	return d
}

func (d *daemon) start() {
	d.t.Helper()
	var output bytes.Buffer
	d.cmd = exec.Command(d.args[0], d.args[1:]...)
	d.cmd.Stdout, d.cmd.Stderr = &output, &output
	require.NoError(d.t, d.cmd.Start(), "run .ci/tools")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := d.ready()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			d.kill()
			require.FailNow(d.t, "it does not serve", "%v: %v\n%s", d.args, err, &output)
		}
	}
}

// kill ends it with SIGKILL. Killing twice is fine.
func (d *daemon) kill() {
	if d.cmd != nil {
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait()
		d.cmd = nil
	}
}

// freePort returns a port for a program that cannot choose one by itself.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// startRedis starts a Redis that writes nothing to disk, and returns its URL.
func startRedis(t *testing.T) (*daemon, string) {
	t.Helper()
	port := freePort(t)
	addr := net.JoinHostPort("127.0.0.1", port)
	ping := func() error {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		answer := make([]byte, 5)
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_, err = conn.Write([]byte("PING\r\n"))
		if err == nil {
			_, err = conn.Read(answer)
		}
		if err == nil && string(answer) != "+PONG" {
			err = fmt.Errorf("its answer to PING is %q", answer)
		}
		return err
	}
	d := startDaemon(t, ping, "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	return d, "redis://" + addr
}
