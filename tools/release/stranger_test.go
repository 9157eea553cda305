package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A stranger can use what a release publishes: the files of this working tree are
// released in a repository of their own, a module proxy is made of its tags, and a
// new module elsewhere requires everything by version from that proxy.
func TestStranger(t *testing.T) {
	if testing.Short() {
		t.Skip("builds what the modules require")
	}
	repo := workingTree(t)
	out := &strings.Builder{}
	r := &release{repo: repo, version: "v1.99.99", untried: true, out: out}
	require.NoError(t, r.run(t.Context(), false), out)

	proxy := t.TempDir()
	box, err := newSandbox(t.Context(), proxy, r.modules[0].path, repo.dir)
	require.NoError(t, err)
	for _, m := range r.modules {
		_, err := box.download(t.Context(), m, r.version)
		require.NoError(t, err)
	}

	// From here on nothing knows the repository.
	stranger := &sandbox{cache: t.TempDir()}
	stranger.env = append(box.env,
		"GIT_CONFIG_COUNT=0", "GONOPROXY=none", "GOMODCACHE="+stranger.cache, "GOFLAGS=-mod=mod -modcacherw -trimpath",
		"GOPROXY="+fileURL(filepath.Join(proxy, "cache", "download"))+","+valueOf(box.env, "GOPROXY"))
	dir := t.TempDir()
	program, err := os.ReadFile("testdata/stranger/main.go")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), program, 0o600))
	var all []string
	for _, m := range r.modules {
		all = append(all, m.path+"@"+r.version)
	}
	for _, args := range [][]string{
		{"mod", "init", "example.com/stranger"},
		append([]string{"get"}, all...),
		{"build", "-o", "stranger.exe", "."},
	} {
		_, err := stranger.goCommand(t.Context(), dir, args...)
		require.NoError(t, err)
	}
	list, err := stranger.goCommand(t.Context(), dir, "list", "-m", "all")
	require.NoError(t, err)
	for _, m := range r.modules {
		assert.Contains(t, list, m.path+" "+r.version, "it does not use this module")
	}
	assert.NotContains(t, list, "v0.0.0\n")

	address := start(t, dir)
	assert.Regexp(t, `^0\{"sid":"`, get(t, address+"/socket.io/?EIO=4&transport=polling"))
	assert.Regexp(t, `^0\{"sid":"`, get(t, address+"/second/?EIO=4&transport=polling"))
	assert.Contains(t, get(t, address+"/metrics"), `socketio_connections{transport="polling"} 1`)
}

// workingTree returns a repository of one commit with the files of the working tree,
// whatever is committed of them.
func workingTree(t *testing.T) git {
	t.Helper()
	ctx := t.Context()
	top, err := git{"."}.run(ctx, "rev-parse", "--show-toplevel")
	require.NoError(t, err)
	files, err := git{top}.lines(ctx, "ls-files", "--cached", "--others", "--exclude-standard")
	require.NoError(t, err)
	repo := newRepository(t)
	for _, name := range files {
		info, err := os.Lstat(filepath.Join(top, name))
		if os.IsNotExist(err) || err == nil && !info.Mode().IsRegular() {
			continue // removed, but not committed yet; a link
		}
		require.NoError(t, err)
		text, err := os.ReadFile(filepath.Join(top, name))
		require.NoError(t, err)
		write(t, repo, name, string(text))
	}
	require.NoError(t, commitAll(ctx, repo, "All files"))
	return repo
}

// valueOf returns the last setting of a variable, which is the one that counts.
func valueOf(env []string, key string) (value string) {
	for _, setting := range env {
		if v, ok := strings.CutPrefix(setting, key+"="); ok {
			value = v
		}
	}
	return value
}

// start runs the stranger's program and returns the address that it prints.
func start(t *testing.T, dir string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	const hash = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "stranger.exe"), hash)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line)
}

func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode, "%s", body)
	return string(body)
}
