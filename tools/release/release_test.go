package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "github.com/acme/thing" // never asked for: a sandbox has it in a folder

// newRepository returns an empty one.
func newRepository(t *testing.T) git {
	t.Helper()
	repo := git{t.TempDir()}
	do(t, repo, "init", "--quiet", "--initial-branch", "main")
	do(t, repo, "config", "user.name", "Tester")
	do(t, repo, "config", "user.email", "tester@example.com")
	do(t, repo, "config", "core.autocrlf", "false")
	return repo
}

func do(t *testing.T, repo git, args ...string) string {
	t.Helper()
	out, err := repo.run(t.Context(), args...)
	require.NoError(t, err)
	return out
}

func write(t *testing.T, repo git, name, text string) {
	t.Helper()
	name = filepath.Join(repo.dir, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
}

func readFile(t *testing.T, repo git, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repo.dir, filepath.FromSlash(name)))
	require.NoError(t, err)
	return string(text)
}

// thing returns a small repository built like ours: a root, a module that requires it,
// one that requires both, and a program that nobody requires.
func thing(t *testing.T) git {
	t.Helper()
	repo := newRepository(t)
	write(t, repo, "LICENSE", "Do what you like.\n")
	write(t, repo, "CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n- All of it.\n")
	write(t, repo, "go.mod", "module "+root+"\n\ngo 1.26\n")
	write(t, repo, "thing.go", "package thing\n\n// Size is a number.\nconst Size = 1\n")
	write(t, repo, "go.work", "go 1.26\n\nuse (\n\t.\n\t./brokers/a\n\t./ui\n\t./examples/show\n)\n")
	nested := func(dir, up, source string, requires ...string) {
		mod := "module " + root + "/" + dir + "\n\ngo 1.26\n"
		for _, r := range requires {
			mod += "\nrequire " + root + r + " v0.0.0\n"
		}
		for _, r := range requires {
			mod += "\nreplace " + root + r + " => " + up + r + "\n"
		}
		write(t, repo, dir+"/go.mod", mod)
		write(t, repo, dir+"/main.go", source)
	}
	nested("brokers/a", "../..", "package a\n\nimport \""+root+"\"\n\n// Twice is a number.\nconst Twice = 2 * thing.Size\n", "")
	nested("ui", "..", "package ui\n\nimport (\n\t\""+root+"\"\n\t\""+root+"/brokers/a\"\n)\n\n// More is a number.\nconst More = a.Twice + thing.Size\n", "", "/brokers/a")
	nested("examples/show", "../..", "package main\n\nimport \""+root+"/ui\"\n\nfunc main() { println(ui.More) }\n", "", "/brokers/a", "/ui")
	require.NoError(t, commitAll(t.Context(), repo, "All of it"))
	return repo
}

// tool runs the command, without checks.
func tool(t *testing.T, repo git, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := run(t.Context(), repo.dir, append([]string{"-checks", ""}, args...), &out)
	return out.String(), err
}

func TestRelease(t *testing.T) {
	t.Parallel()
	repo := thing(t)
	before := do(t, repo, "rev-parse", "HEAD")
	out, err := tool(t, repo, "v0.1.0")
	require.NoError(t, err)
	tags := "v0.1.0 brokers/a/v0.1.0 ui/v0.1.0" // each behind those it requires
	assert.Contains(t, out, "git push --atomic origin main "+tags+"\n")
	assert.Contains(t, out, "git tag --delete "+tags+"\n  git reset --hard "+before+"\n")
	assert.Equal(t, "Release v0.1.0\nWork continues after v0.1.0", do(t, repo, "log", "--reverse", "--format=%s", before+"..HEAD"))
	assert.Empty(t, do(t, repo, "status", "--porcelain"))
	for tag := range strings.FieldsSeq(tags) {
		assert.Equal(t, do(t, repo, "rev-parse", "HEAD~"), do(t, repo, "rev-parse", tag+"^{commit}"), tag)
		assert.Equal(t, "tag", do(t, repo, "cat-file", "-t", tag))
	}

	// The released commit names versions only; programs keep their folders.
	released := func(name string) string { return do(t, repo, "show", "v0.1.0:"+name) }
	assert.Regexp(t, `^# Changelog\n\n## 0\.1\.0 - \d{4}-\d\d-\d\d\n\n- All of it\.$`, released("CHANGELOG.md"))
	assert.NotContains(t, released("ui/go.mod"), "replace")
	assert.NotContains(t, released("ui/go.mod"), "v0.0.0")
	assert.Contains(t, released("ui/go.mod"), root+"/brokers/a v0.1.0")
	assert.Regexp(t, root+`/brokers/a v0\.1\.0 h1:\S+=\n`+root+`/brokers/a v0\.1\.0/go\.mod h1:`, released("ui/go.sum"))
	assert.Contains(t, released("examples/show/go.mod"), "replace "+root+"/ui => ../../ui")
	assert.NotContains(t, released("examples/show/go.mod"), "v0.0.0")

	// Work continues in folders, with and without the workspace.
	assert.Contains(t, readFile(t, repo, "CHANGELOG.md"), "# Changelog\n\n## Unreleased\n\n## 0.1.0 - ")
	assert.Contains(t, readFile(t, repo, "ui/go.mod"), "require "+root+" v0.1.0\n")
	assert.Contains(t, readFile(t, repo, "ui/go.mod"), "replace "+root+" => ..\n")
	assert.NoFileExists(t, filepath.Join(repo.dir, "ui", "go.sum"))
	for _, workspace := range []string{"", "off"} {
		for _, dir := range []string{".", "brokers/a", "ui", "examples/show"} {
			env := append(os.Environ(), "GOWORK="+workspace, "GOPROXY=off", "GOFLAGS=-mod=readonly")
			_, err := output(t.Context(), filepath.Join(repo.dir, dir), env, "go", "vet", "./...")
			assert.NoError(t, err, "%s with GOWORK=%q", dir, workspace)
		}
	}
}

// The second release starts from where the first one left the tree.
func TestSecondRelease(t *testing.T) {
	t.Parallel()
	repo := thing(t)
	_, err := tool(t, repo, "v0.1.0")
	require.NoError(t, err)
	write(t, repo, "thing.go", "package thing\n\n// Size is a number.\nconst Size = 1\n\n// Weight is another.\nconst Weight = 3\n")
	write(t, repo, "CHANGELOG.md", strings.Replace(readFile(t, repo, "CHANGELOG.md"), "## Unreleased\n", "## Unreleased\n\n- Weight.\n", 1))
	require.NoError(t, commitAll(t.Context(), repo, "Weight"))
	out, err := tool(t, repo, "v0.1.1")
	require.NoError(t, err)
	assert.Contains(t, out, "Changes of the API since v0.1.0:\n\n"+root+"\nCompatible changes:\n- Weight: added\n")
	assert.Contains(t, do(t, repo, "show", "ui/v0.1.1:ui/go.mod"), root+"/brokers/a v0.1.1")
	assert.NotContains(t, do(t, repo, "show", "ui/v0.1.1:ui/go.sum"), "v0.1.0")
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	repo := thing(t)
	refs := do(t, repo, "show-ref")
	out, err := tool(t, repo, "-n", "v0.1.0")
	require.NoError(t, err)
	for _, part := range []string{"Dry run: nothing is changed.", "Release v0.1.0\n", "Work continues after v0.1.0\n", "  v0.1.0\n  brokers/a/v0.1.0\n  ui/v0.1.0\n"} {
		assert.Contains(t, out, part)
	}
	assert.Equal(t, refs, do(t, repo, "show-ref"))
	assert.Empty(t, do(t, repo, "status", "--porcelain"))
}

// Each reason against a release is said, and nothing is changed.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		version string // v0.1.0 if empty
		change  func(t *testing.T, repo git)
		why     string
	}{
		"not a version":   {version: "0.1.0", why: "is not a version such as v0.1.0"},
		"not complete":    {version: "v0.1", why: "is not a version such as v0.1.0"},
		"build metadata":  {version: "v0.1.0+x", why: "is not a version such as v0.1.0"},
		"major version 2": {version: "v2.0.0", why: "needs module paths that end in /v2"},
		"changed file":    {change: func(t *testing.T, repo git) { write(t, repo, "LICENSE", "None.\n") }, why: "commit or remove these first:\n M LICENSE"},
		"new file":        {change: func(t *testing.T, repo git) { write(t, repo, "new.go", "package thing\n") }, why: "?? new.go"},
		"no branch":       {change: func(t *testing.T, repo git) { do(t, repo, "checkout", "--quiet", "--detach") }, why: "check out the branch to release"},
		"existing version": {change: func(t *testing.T, repo git) { do(t, repo, "tag", "v0.1.0") },
			why: "the tag v0.1.0 exists"},
		"existing version of a module": {change: func(t *testing.T, repo git) { do(t, repo, "tag", "ui/v0.1.0") },
			why: "the tag ui/v0.1.0 exists"},
		"existing version at the remote": {change: func(t *testing.T, repo git) {
			do(t, repo, "remote", "add", "origin", repo.dir+"/../002") // see below
			other := git{filepath.Join(repo.dir, "..", "002")}
			require.NoError(t, os.Mkdir(other.dir, 0o755))
			do(t, other, "init", "--quiet", "--bare")
			do(t, repo, "tag", "v0.1.0")
			do(t, repo, "push", "--quiet", "origin", "v0.1.0")
			do(t, repo, "tag", "--delete", "v0.1.0")
		}, why: "the tag v0.1.0 exists"},
		"older version": {change: func(t *testing.T, repo git) { do(t, repo, "tag", "v0.2.0") }, why: "v0.1.0 is not after v0.2.0"},
		"nothing to say": {change: func(t *testing.T, repo git) {
			write(t, repo, "CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n## 0.0.1 - 2026-01-01\n\n- Old.\n")
			require.NoError(t, commitAll(t.Context(), repo, "Changelog"))
		}, why: `lists nothing under "## Unreleased"`},
		"a module that does not build": {change: func(t *testing.T, repo git) {
			write(t, repo, "ui/main.go", "package ui\n\nconst More = missing\n")
			require.NoError(t, commitAll(t.Context(), repo, "Broken"))
		}, why: "nothing is changed: "},
		"a circle": {change: func(t *testing.T, repo git) {
			write(t, repo, "brokers/a/go.mod", "module "+root+"/brokers/a\n\nrequire "+root+"/ui v0.0.0\n")
			require.NoError(t, commitAll(t.Context(), repo, "Circle"))
		}, why: "modules require each other in a circle"},
		"a requirement that is not released": {change: func(t *testing.T, repo git) {
			write(t, repo, "tools/t/go.mod", "module "+root+"/tools/t\n")
			write(t, repo, "ui/go.mod", "module "+root+"/ui\n\nrequire "+root+"/tools/t v0.0.0\n")
			require.NoError(t, commitAll(t.Context(), repo, "Tool"))
		}, why: "/ui is released, but requires " + root + "/tools/t, which is not"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := thing(t)
			if c.change != nil {
				c.change(t, repo)
			}
			if c.version == "" {
				c.version = "v0.1.0"
			}
			refs, status := do(t, repo, "show-ref"), do(t, repo, "status", "--porcelain")
			_, err := tool(t, repo, c.version)
			assert.ErrorContains(t, err, c.why)
			assert.Equal(t, refs, do(t, repo, "show-ref"))
			assert.Equal(t, status, do(t, repo, "status", "--porcelain"))
		})
	}
}

// The checks run before anything changes, and can refuse.
func TestChecks(t *testing.T) {
	t.Parallel()
	repo := thing(t)
	refs := do(t, repo, "show-ref")
	var out strings.Builder
	err := run(t.Context(), repo.dir, []string{"-checks", "echo looked; exit 3", "v0.1.0"}, &out)
	assert.ErrorContains(t, err, "the checks failed, nothing is changed: exit status 3")
	assert.Contains(t, out.String(), "looked\n")
	assert.Equal(t, refs, do(t, repo, "show-ref"))

	// A branch that moves while they run is not released.
	err = run(t.Context(), repo.dir, []string{"-checks", "git commit --quiet --allow-empty -m more", "v0.1.0"}, &out)
	assert.ErrorContains(t, err, "the branch has changed meanwhile, nothing is tagged")
	assert.Empty(t, do(t, repo, "tag", "--list"))
}

// Tags are made all or none; what has been done by then is said.
func TestTagAppears(t *testing.T) {
	t.Parallel()
	repo := thing(t)
	before := do(t, repo, "rev-parse", "HEAD")
	err := run(t.Context(), repo.dir, []string{"-checks", "git tag ui/v0.1.0", "v0.1.0"}, &strings.Builder{})
	assert.ErrorContains(t, err, "main has the two commits of the release, but nothing is tagged; to take them back: git reset --hard "+before)
	assert.Equal(t, "ui/v0.1.0", do(t, repo, "tag", "--list"))
}

func TestAPI(t *testing.T) {
	t.Parallel()
	repo := thing(t)
	out, err := tool(t, repo, "api")
	require.NoError(t, err)
	assert.Equal(t, "There is no release yet: there are no changes of the API to show.\n", out)

	do(t, repo, "tag", "v0.1.0")
	out, err = tool(t, repo, "api")
	require.NoError(t, err)
	assert.Equal(t, "The API is that of v0.1.0.\n", out)

	write(t, repo, "ui/main.go", "package ui\n\n// Most is a number.\nconst Most = 1\n")
	write(t, repo, "internal/x/x.go", "package x\n\n// X is not for others.\nconst X = 1\n")
	write(t, repo, "log/log.go", "package log\n\n// Level is a number.\nconst Level = 1\n")
	out, err = tool(t, repo, "api")
	require.NoError(t, err)
	assert.Equal(t, "Changes of the API since v0.1.0:\n"+
		"\n"+root+"\nCompatible changes:\n- package "+root+"/log: added\n"+
		"\n"+root+"/ui\nIncompatible changes:\n- More: removed\nCompatible changes:\n- Most: added\n", out)
}

// A version may promise no more than the changes allow.
func TestVersionFollowsChanges(t *testing.T) {
	t.Parallel()
	repo := thing(t)
	do(t, repo, "tag", "v0.1.0")
	write(t, repo, "ui/main.go", "package ui\n\n// Most is a number.\nconst Most = 1\n")
	_, breaks, err := apiChanges(t.Context(), repo)
	require.NoError(t, err)
	write(t, repo, "ui/main.go", "package ui\n\nimport \""+root+"/brokers/a\"\n\n// More is a number.\nconst More = a.Twice + 1\n\n// Most is one.\nconst Most = 1\n")
	_, adds, err := apiChanges(t.Context(), repo)
	require.NoError(t, err)
	for _, c := range []struct {
		last, next string
		changes    []apiChange
		why        string
	}{
		{"", "v0.1.0", nil, ""},
		{"v0.1.0", "v0.1.1", nil, ""},
		{"v0.1.0", "v0.1.0", nil, "is not after"},
		{"v0.1.0", "v0.1.0-rc.1", nil, "is not after"},
		{"v0.1.0", "v0.1.1", adds, ""},
		{"v0.1.0", "v0.1.1", breaks, "raise the minor version"},
		{"v0.1.0", "v0.2.0", breaks, ""},
		{"v0.9.0", "v1.0.0", breaks, ""},
		{"v1.0.0-rc.1", "v1.0.0", breaks, ""},
		{"v1.0.0", "v1.0.1", adds, "raise the minor version"},
		{"v1.0.0", "v1.1.0", adds, ""},
		{"v1.0.0", "v1.1.0", breaks, "a new major version"},
	} {
		err := allowedAfter(c.last, c.next, c.changes)
		if c.why == "" {
			assert.NoError(t, err, "%s after %s", c.next, c.last)
		} else {
			assert.ErrorContains(t, err, c.why, "%s after %s", c.next, c.last)
		}
	}
}

func TestChangelog(t *testing.T) {
	t.Parallel()
	repo := newRepository(t)
	write(t, repo, "CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n- New.\n\n## 0.1.0 - 2026-01-01\n\n- Old.\n")
	require.NoError(t, rewriteChangelog(repo.dir, "v0.2.0", time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)))
	const released = "# Changelog\n\n## 0.2.0 - 2026-12-24\n\n- New.\n\n## 0.1.0 - 2026-01-01\n\n- Old.\n"
	assert.Equal(t, released, readFile(t, repo, "CHANGELOG.md"))
	require.NoError(t, openChangelog(repo.dir))
	assert.Equal(t, strings.Replace(released, "## 0.2.0", "## Unreleased\n\n## 0.2.0", 1), readFile(t, repo, "CHANGELOG.md"))
}

// Sums are where go mod tidy puts them, which a release checks.
func TestOrderOfSums(t *testing.T) {
	want := []string{
		"a.example/m v1.2.0 h1:1=",
		"a.example/m v1.2.0/go.mod h1:2=",
		"a.example/m v1.10.0 h1:3=",
		"a.example/m v1.10.0/go.mod h1:4=",
		"a.example/m/n v1.0.0 h1:5=",
	}
	got := slices.Clone(want)
	slices.Sort(got)
	assert.NotEqual(t, want, got)
	slices.SortFunc(got, compareSums)
	assert.Equal(t, want, got)
}
