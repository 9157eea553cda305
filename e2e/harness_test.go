package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// scriptTimeout ends a script that hangs. The scripts themselves give up
// earlier, and say what they waited for.
const scriptTimeout = 3 * time.Minute

// enable skips the test unless end-to-end tests were asked for. If they were, a missing
// tool is a failure.
func enable(t *testing.T) {
	t.Helper()
	if os.Getenv("CI") == "" && os.Getenv("E2E") == "" {
		t.Skip("end-to-end tests are off: run npm ci in e2e/node, then E2E=1 go test ./... in e2e")
	}
	_, err := exec.LookPath("node")
	require.NoError(t, err, "install node 18 or newer")
	_, err = os.Stat(filepath.Join("node", "node_modules", "socket.io-client-4"))
	require.NoError(t, err, "run npm ci in e2e/node")
}

// quick reports whether this is a run of CI for a change, which leaves out what takes minutes.
func quick() bool {
	return os.Getenv("CI") != "" && os.Getenv("NIGHTLY") == "" && os.Getenv("E2E") == ""
}

// enableAtNight is enable for tests that take too long for every change: in CI, only .ci/nightly runs them.
func enableAtNight(t *testing.T) {
	t.Helper()
	if quick() {
		t.Skip("run by .ci/nightly; E2E=1 go test -run '^" + t.Name() + "$' . in e2e runs it, too")
	}
	enable(t)
}

// script is a running node script. Lines of its output that begin with "@" are messages to
// the test. A failure shows all other lines.
type script struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	words chan string // the messages to the test; closed at the end of the output
	wait  func()      // waits until the script has ended, and fails unless it succeeded

	mu     sync.Mutex
	output bytes.Buffer
}

// startScript starts e2e/node/<name>.mjs, and makes sure that it ends with the test.
func startScript(t *testing.T, name string, env ...string) *script {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), scriptTimeout)
	s := &script{t: t, name: name, words: make(chan string, 100)}
	s.cmd = exec.CommandContext(ctx, "node", name+".mjs")
	s.cmd.Dir = "node"
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(os.Interrupt) } // the script then ends its browser
	s.cmd.WaitDelay = 10 * time.Second
	stdin, err := s.cmd.StdinPipe()
	require.NoError(t, err)
	s.stdin = stdin
	read, write := io.Pipe()
	s.cmd.Stdout, s.cmd.Stderr = write, write
	require.NoError(t, s.cmd.Start())

	go s.listen(read)
	ended := make(chan error, 1)
	go func() {
		ended <- s.cmd.Wait()
		write.Close()
	}()
	s.wait = sync.OnceFunc(func() {
		err := <-ended
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil || t.Failed() {
			t.Errorf("%s.mjs: %v\n%s", name, err, s.output.String())
		}
	})
	t.Cleanup(func() {
		if t.Failed() {
			cancel()
		}
		s.wait()
	})
	return s
}

// listen reads the script's output until its end.
func (s *script) listen(r io.Reader) {
	defer close(s.words)
	for lines := bufio.NewScanner(r); lines.Scan(); {
		s.mu.Lock()
		fmt.Fprintln(&s.output, lines.Text())
		s.mu.Unlock()
		if word, ok := strings.CutPrefix(lines.Text(), "@"); ok {
			s.words <- word
		}
	}
}

// expect waits until the script prints the word as a message.
func (s *script) expect(want string) {
	s.t.Helper()
	require.Equal(s.t, want, s.next(want))
}

// next waits for the script's next message. what goes into the failure message.
func (s *script) next(what string) string {
	s.t.Helper()
	select {
	case got, ok := <-s.words:
		require.True(s.t, ok, "%s.mjs ended before it printed %q", s.name, what)
		return got
	case <-time.After(scriptTimeout):
		require.FailNow(s.t, "timeout", "%s.mjs did not print %q", s.name, what)
		return ""
	}
}
