package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// unreleased are the folders whose modules are programs of this repository. They get
// no tag, and keep their replace directives: nobody requires them.
var unreleased = []string{"bench", "e2e", "examples", "tools"}

// goModule is one go.mod of the repository.
type goModule struct {
	dir  string // slash-separated, "." for the root
	path string
	file *modfile.File
}

// released says whether others can require the module by version.
func (m *goModule) released() bool {
	first, _, _ := strings.Cut(m.dir, "/")
	return !slices.Contains(unreleased, first)
}

// tag is the one of a version of the module.
func (m *goModule) tag(version string) string {
	if m.dir == "." {
		return version
	}
	return m.dir + "/" + version
}

// modules returns the modules of a clone, each behind those that it requires.
func modules(ctx context.Context, repo git) ([]*goModule, error) {
	files, err := repo.lines(ctx, "ls-files", "go.mod", "**/go.mod")
	if err != nil {
		return nil, err
	}
	var all []*goModule
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(repo.dir, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		file, err := modfile.Parse(name, text, nil)
		if err != nil {
			return nil, err
		}
		all = append(all, &goModule{dir: path.Dir(name), path: file.Module.Mod.Path, file: file})
	}
	return sorted(all)
}

// sorted puts each module behind those that it requires.
func sorted(all []*goModule) ([]*goModule, error) {
	slices.SortFunc(all, func(a, b *goModule) int { return cmp.Compare(a.dir, b.dir) })
	var done []*goModule
	for len(done) < len(all) {
		before := len(done)
		for _, m := range all {
			if slices.Contains(done, m) {
				continue
			}
			missing := slices.ContainsFunc(m.siblings(all), func(s *goModule) bool { return !slices.Contains(done, s) })
			if !missing {
				done = append(done, m)
			}
		}
		if len(done) == before {
			return nil, fmt.Errorf("modules require each other in a circle: %d of %d can be put in order", len(done), len(all))
		}
	}
	for _, m := range done {
		for _, s := range m.siblings(all) {
			if m.released() && !s.released() {
				return nil, fmt.Errorf("%s is released, but requires %s, which is not", m.path, s.path)
			}
		}
	}
	return done, nil
}

// siblings returns the modules of the repository that m requires.
func (m *goModule) siblings(all []*goModule) (required []*goModule) {
	for _, r := range m.file.Require {
		for _, s := range all {
			if s.path == r.Mod.Path {
				required = append(required, s)
			}
		}
	}
	return required
}

// require writes the version into each requirement of a module of the repository and,
// without replace, removes their replace directives.
func (m *goModule) require(repo git, all []*goModule, version string, replace bool) error {
	for _, s := range m.siblings(all) {
		if err := m.file.AddRequire(s.path, version); err != nil {
			return err
		}
	}
	if !replace {
		for _, s := range all {
			if err := m.file.DropReplace(s.path, ""); err != nil {
				return err
			}
		}
	}
	m.file.Cleanup()
	text, err := m.file.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(repo.dir, filepath.FromSlash(m.dir), "go.mod"), text, 0o644)
}

// addSums writes lines into the module's go.sum, where go mod tidy would put them.
func (m *goModule) addSums(repo git, lines []string) error {
	name := filepath.Join(repo.dir, filepath.FromSlash(m.dir), "go.sum")
	text, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if old := strings.TrimSpace(string(text)); old != "" {
		lines = append(strings.Split(old, "\n"), lines...)
	}
	slices.SortFunc(lines, compareSums)
	return os.WriteFile(name, []byte(strings.Join(slices.Compact(lines), "\n")+"\n"), 0o644)
}

// compareSums orders lines of go.sum as the go command does: by path, then by version, v1.9.0
// before v1.10.0, and the sum of a module before that of its go.mod.
func compareSums(a, b string) int {
	pathA, restA, _ := strings.Cut(a, " ")
	pathB, restB, _ := strings.Cut(b, " ")
	versionA, _, _ := strings.Cut(restA, " ")
	versionB, _, _ := strings.Cut(restB, " ")
	return cmp.Or(
		cmp.Compare(pathA, pathB),
		semver.Compare(strings.TrimSuffix(versionA, "/go.mod"), strings.TrimSuffix(versionB, "/go.mod")),
		cmp.Compare(versionA, versionB),
		cmp.Compare(a, b),
	)
}
