package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// process is one of the programs, which runs as a process of its own. It reads its configuration
// from E2E_CONFIG, as JSON, prints lines of JSON for the test, and ends at the end of
// its standard input.
type process struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	ended   chan struct{} // closed when all it printed has been read
	killing sync.Once
}

// startProcess starts a program. Its lines go to line, one after another, until
// the test ends it.
func startProcess(t *testing.T, program string, config any, line func([]byte)) *process {
	t.Helper()
	b, err := json.Marshal(config)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	p := &process{cmd: exec.Command(self), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), programEnv+"="+program, "E2E_CONFIG="+string(b))
	p.cmd.Stderr = os.Stderr
	p.stdin, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(p.kill)
	go func() {
		defer close(p.ended)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			line(lines.Bytes())
		}
	}()
	return p
}

// kill ends the process with SIGKILL. When it returns, all that the process had
// printed has been handed on. Killing twice is fine.
func (p *process) kill() {
	p.killing.Do(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		_ = p.cmd.Wait()
		_ = p.stdin.Close()
	})
}

// terminate ends the process with SIGTERM, which it has to obey within 20
// seconds, with success. When it returns, all that the process had printed has
// been handed on.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	p.killing.Do(func() {
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
		late := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
		<-p.ended
		err := p.cmd.Wait()
		late.Stop()
		_ = p.stdin.Close()
		assert.NoError(t, err, "the server did not end with success")
	})
}

// programConfig is called by a program. It reads the configuration, and ends the program when
// the test ends.
func programConfig(config any) {
	if err := json.Unmarshal([]byte(os.Getenv("E2E_CONFIG")), config); err != nil {
		panic(err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
}

// programPrint prints one line.
func programPrint(v any) {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = os.Stdout.Write(append(b, '\n')) // in one call: lines do not mix, and what is written survives SIGKILL
	}
	if err != nil {
		panic(err)
	}
}
