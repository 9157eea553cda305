package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// sandbox runs the go command as on a machine that has never seen the repository: with
// a module cache of its own, where our modules come from the tags of a clone. It
// fetches them as it would from the public repository, so that sums are the same. All
// other modules come from the machine's cache or proxy.
type sandbox struct {
	cache string // GOMODCACHE
	env   []string
}

// newSandbox takes the module at path root, and those below it, from the clone.
func newSandbox(ctx context.Context, cache, root, clone string) (*sandbox, error) {
	text, err := output(ctx, clone, os.Environ(), "go", "env", "-json", "GOMODCACHE", "GOPROXY")
	if err != nil {
		return nil, err
	}
	var env struct{ GOMODCACHE, GOPROXY string }
	if err := json.Unmarshal([]byte(text), &env); err != nil {
		return nil, err
	}
	s := &sandbox{cache: cache}
	s.env = append(os.Environ(),
		"GOWORK=off", "GOFLAGS=-modcacherw -trimpath", "GOTOOLCHAIN=local", "GOSUMDB=off",
		"GOMODCACHE="+cache,
		"GOPROXY="+fileURL(filepath.Join(env.GOMODCACHE, "cache", "download"))+","+env.GOPROXY,
		"GOPRIVATE=", "GONOPROXY="+root)
	// Git reads the public address as that of the clone.
	s.env = append(s.env, gitConfig(map[string]string{
		"url." + fileURL(clone) + ".insteadOf": "https://" + root,
	})...)
	return s, nil
}

// gitConfig returns the environment that sets values of Git's configuration.
func gitConfig(values map[string]string) []string {
	env := []string{"GIT_CONFIG_COUNT=" + strconv.Itoa(len(values))}
	i := 0
	for key, value := range values {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, key), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, value))
		i++
	}
	return env
}

// fileURL returns the URL of a local path.
func fileURL(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // of Windows, with a drive
	}
	return "file://" + path
}

// goCommand runs the go command in a folder.
func (s *sandbox) goCommand(ctx context.Context, dir string, args ...string) (string, error) {
	return output(ctx, dir, s.env, "go", args...)
}

// download fetches a module and returns the two lines that belong into a go.sum.
func (s *sandbox) download(ctx context.Context, m *goModule, version string) ([]string, error) {
	text, err := s.goCommand(ctx, s.cache, "mod", "download", "-json", m.path+"@"+version)
	if err != nil {
		return nil, err
	}
	var got struct{ Sum, GoModSum string }
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		return nil, err
	}
	at := m.path + " " + version
	return []string{at + " " + got.Sum, at + "/go.mod " + got.GoModSum}, nil
}
