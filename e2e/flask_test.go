package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
)

// TestFlask is the side-by-side check: the scenarios of node/flask-*.mjs, run
// against Flask-SocketIO and against the same app written with this library.
// Clients and apps must see the same, except for the differences listed in
// flask_differences_test.go, which must occur.
//
// Flask-SocketIO is Debian's (python3-flask-socketio with python3-wsproto or
// python3-simple-websocket), or that of the Python named in FLASK_PYTHON.
func TestFlask(t *testing.T) {
	enable(t)
	t.Parallel()
	for _, transport := range []string{"polling", "websocket", "upgrade"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			flask, ours := startFlask(t), startFlaskApps(t)
			results := filepath.Join(t.TempDir(), "results-")
			require.True(t, t.Run("run", func(t *testing.T) {
				for kind, server := range map[string]sideBySide{"flask": flask, "go": ours} {
					t.Run(kind, func(t *testing.T) {
						t.Parallel()
						startScript(t, "flask-check", "SERVER="+kind, "SERVER_URL="+server.main,
							"SECOND_URL="+server.second, "TRANSPORT="+transport, "RESULTS="+results+kind)
					})
				}
			}))
			compareFlask(t, transport, flask.version, readResults(t, results+"flask"), readResults(t, results+"go"))
		})
	}
}

// sideBySide is one of the servers compared: the URLs of its two instances, and
// its log file, if it has one.
type sideBySide struct{ main, second, version, log string }

// flaskCommand is a program in flask/.
func flaskCommand(program string, env ...string) *exec.Cmd {
	python := os.Getenv("FLASK_PYTHON")
	if python == "" {
		python = "/usr/bin/python3" // whose packages are Debian's, whatever python3 is in the path
	}
	cmd := exec.Command(python, filepath.Join("flask", program))
	cmd.Env = append(append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1"), env...)
	return cmd
}

// startFlask starts flask/server.py.
func startFlask(t *testing.T, env ...string) (server sideBySide) {
	t.Helper()
	cmd := flaskCommand("server.py", env...)
	log, err := os.Create(filepath.Join(t.TempDir(), "flask.log"))
	require.NoError(t, err)
	server.log = log.Name()
	cmd.Stderr = log
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start(), "install python3-flask-socketio")
	t.Cleanup(func() {
		stdin.Close() // the server ends with its input
		kill := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		kill.Stop()
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("the end of the log of Flask-SocketIO:\n%s", text[max(0, len(text)-5000):])
		}
	})
	lines := bufio.NewScanner(stdout)
	for _, line := range []*string{&server.main, &server.second, &server.version} {
		if !lines.Scan() {
			text, _ := os.ReadFile(log.Name())
			require.FailNow(t, "flask/server.py did not start: install python3-flask-socketio and python3-wsproto", "%s", text)
		}
		*line = lines.Text()
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	return server
}

// startFlaskApps starts the same app in Go.
func startFlaskApps(t *testing.T) (server sideBySide) {
	t.Helper()
	for i, url := range []*string{&server.main, &server.second} {
		app := newFlaskApp(socketio.Options{AlwaysConnect: i == 1})
		web := httptest.NewServer(app.handler())
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			assert.NoError(t, app.srv.Shutdown(ctx))
			web.Close()
		})
		*url = web.URL
	}
	return server
}

// flaskResult is what was seen in a scenario: by each client, in order.
type flaskResult struct {
	Seen  map[string][]string
	Error string // why the scenario was not completed
}

func readResults(t *testing.T, file string) (results map[string]flaskResult) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &results))
	require.NotEmpty(t, results)
	return results
}

// compareFlask reports every difference that is not listed, and every listed
// one that is not there.
func compareFlask(t *testing.T, transport, version string, flask, ours map[string]flaskResult) {
	t.Helper()
	assert.ElementsMatch(t, slices.Collect(maps.Keys(flask)), slices.Collect(maps.Keys(ours)))
	listed := make(map[string]flaskDifference)
	for _, d := range flaskDifferences {
		if !d.applies(transport, version) {
			continue
		}
		assert.NotContains(t, listed, d.scenario, "listed twice")
		assert.Contains(t, flask, d.scenario, "listed, but there is no such scenario")
		listed[d.scenario] = d
	}
	for _, name := range slices.Sorted(maps.Keys(flask)) {
		if flask[name].Error != "" || ours[name].Error != "" {
			t.Errorf("%s did not come to its end\nFlask: %s\nours:  %s", name, flask[name].Error, ours[name].Error)
			continue
		}
		theirs, our := apart(flask[name].Seen, ours[name].Seen)
		d, ok := listed[name]
		switch {
		case ok && theirs == our:
			t.Errorf("%s: the difference that is listed is not there any more; both see %v", name, flask[name].Seen)
		case !ok && theirs != our:
			t.Errorf("%s: a difference\nFlask: %s\nours:  %s", name, theirs, our)
		case ok && (d.flask != theirs || d.ours != our):
			t.Errorf("%s: not the difference that is listed\nFlask: %s\n list: %s\nours:  %s\n list: %s", name, theirs, d.flask, our, d.ours)
		}
	}
}

// apart describes what those clients saw that saw different things.
func apart(flask, ours map[string][]string) (string, string) {
	var theirs, our []string
	all := maps.Clone(flask)
	maps.Copy(all, ours)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !slices.Equal(flask[name], ours[name]) {
			theirs = append(theirs, fmt.Sprintf("%s: %s", name, strings.Join(flask[name], " ")))
			our = append(our, fmt.Sprintf("%s: %s", name, strings.Join(ours[name], " ")))
		}
	}
	return strings.Join(theirs, "; "), strings.Join(our, "; ")
}
