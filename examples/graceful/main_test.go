package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// TestMain runs the program instead of the tests if the environment says so.
func TestMain(m *testing.M) {
	if os.Getenv("GRACEFUL_PROGRAM") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program is the program in a process of its own.
type program struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
	url   string
}

func start(t *testing.T, args ...string) *program {
	if runtime.GOOS == "windows" {
		t.Skip("there are no signals to send")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	p := &program{t: t, cmd: exec.Command(self, append([]string{"-addr", "127.0.0.1:0"}, args...)...)}
	p.cmd.Env = append(os.Environ(), "GRACEFUL_PROGRAM=1")
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	kill := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() })
	t.Cleanup(func() {
		kill.Stop()
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	p.lines = bufio.NewScanner(out)
	line := p.line()
	_, rest, ok := strings.Cut(line, "http://")
	require.True(t, ok, line)
	p.url = "http://" + strings.Fields(rest)[0]
	return p
}

// line returns the next line that the program prints.
func (p *program) line() string {
	p.t.Helper()
	require.True(p.t, p.lines.Scan(), "it has ended")
	return p.lines.Text()
}

// join connects to "/" over WebSocket.
func (p *program) join() *websocket.Conn {
	p.t.Helper()
	ws, _, err := websocket.Dial(p.t.Context(), p.url+"/socket.io/?EIO=4&transport=websocket", nil)
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = ws.CloseNow() })
	require.Contains(p.t, p.read(ws), `0{"sid"`)
	p.write(ws, "40")
	require.Contains(p.t, p.read(ws), `40{"sid"`)
	return ws
}

func (p *program) write(ws *websocket.Conn, s string) {
	p.t.Helper()
	require.NoError(p.t, ws.Write(p.t.Context(), websocket.MessageText, []byte(s)))
}

func (p *program) read(ws *websocket.Conn) string {
	p.t.Helper()
	_, b, err := ws.Read(p.t.Context())
	require.NoError(p.t, err)
	return string(b)
}

// request sends a request over a network connection of its own.
func (p *program) request(method, path, body string) (status int, answer string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	require.NoError(p.t, err)
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	require.NoError(p.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	return resp.StatusCode, string(b)
}

// Work that was begun is done and acknowledged, whatever the transport, then the clients are closed, and the program
// ends with success. Meanwhile it refuses new ones.
func TestSignal(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			p := start(t)
			idle, busy := p.join(), p.join()
			_, open := p.request("GET", "/socket.io/?EIO=4&transport=polling", "")
			polling := "/socket.io/?EIO=4&transport=polling&sid=" + open[len(`0{"sid":"`):][:22]
			p.request("POST", polling, "40")
			_, connected := p.request("GET", polling, "")
			require.Contains(t, connected, `40{"sid"`)
			p.request("POST", polling, `420["work",2000]`)
			p.write(busy, `420["work",2000]`)
			p.write(busy, `421["work",0]`)
			_, answer := p.request("GET", polling, "")
			require.Equal(t, `42["started"]`, answer)
			require.Equal(t, `42["started"]`, p.read(busy))
			status, _ := p.request("GET", "/ready", "")
			require.Equal(t, http.StatusOK, status)

			require.NoError(t, p.cmd.Process.Signal(sig))
			_, _, err := idle.Read(t.Context())
			require.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err), err)
			status, answer = p.request("GET", "/socket.io/?EIO=4&transport=polling", "")
			require.Equal(t, http.StatusServiceUnavailable, status)
			require.JSONEq(t, `{"code":4,"message":"Forbidden"}`, answer)
			status, _ = p.request("GET", "/ready", "")
			require.Equal(t, http.StatusServiceUnavailable, status)

			_, answer = p.request("GET", polling, "")
			require.Equal(t, `430["done"]`, answer)
			require.Equal(t, `430["done"]`, p.read(busy))
			require.Equal(t, `42["started"]`, p.read(busy))
			require.Equal(t, `431["done"]`, p.read(busy))
			_, _, err = busy.Read(t.Context())
			require.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err), err)
			for range 3 {
				require.Equal(t, "Left: server shutdown", p.line())
			}
			require.Equal(t, "Ended", p.line())
			require.NoError(t, p.cmd.Wait())
		})
	}
}

// Who cannot wait signals twice.
func TestSecondSignal(t *testing.T) {
	p := start(t, "-drain-window", "1h")
	a, b := p.join(), p.join()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.Equal(t, "Left: server shutdown", p.line()) // the first of the two
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	var err error
	for err == nil { // one that comes too early after the first is none
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err = <-ended:
			require.Error(t, err, "it was patient")
		case <-time.After(20 * time.Millisecond):
		}
	}
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, -1, exit.ExitCode(), "ended by the signal")
	for _, ws := range []*websocket.Conn{a, b} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, _, err := ws.Read(ctx)
		cancel()
		require.Error(t, err)
		require.False(t, errors.Is(err, context.DeadlineExceeded))
	}
}

func TestPortTaken(t *testing.T) {
	p := start(t)
	require.ErrorContains(t, run(t.Context(), strings.TrimPrefix(p.url, "http://"), 0), "address already in use")
}
