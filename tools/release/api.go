package main

import (
	"context"
	"fmt"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/exp/apidiff"
	"golang.org/x/mod/semver"
	"golang.org/x/tools/go/packages"
)

// apiChange is what differs in the exported API of one module.
type apiChange struct {
	module string
	report apidiff.Report
}

// apiChanges compares the released modules with their last release before HEAD. There
// is none if last is empty.
func apiChanges(ctx context.Context, repo git) (last string, changes []apiChange, err error) {
	if last, err = lastRelease(ctx, repo); last == "" || err != nil {
		return "", nil, err
	}
	temp, err := os.MkdirTemp("", "api")
	if err != nil {
		return "", nil, err
	}
	defer os.RemoveAll(temp)
	old := git{filepath.Join(temp, "old")}
	if _, err := repo.run(ctx, "clone", "--quiet", "--no-local", "--branch", last, repo.dir, old.dir); err != nil {
		return "", nil, err
	}
	before, err := modules(ctx, old)
	if err != nil {
		return "", nil, err
	}
	now, err := modules(ctx, repo)
	if err != nil {
		return "", nil, err
	}
	for _, m := range union(before, now) {
		then, err := exported(ctx, old, before, m)
		if err != nil {
			return "", nil, err
		}
		current, err := exported(ctx, repo, now, m)
		if err != nil {
			return "", nil, err
		}
		report := apidiff.ModuleChanges(then, current)
		if len(report.Changes) > 0 {
			changes = append(changes, apiChange{m, report})
		}
	}
	return last, changes, nil
}

// lastRelease returns the highest version of the root among the ancestors of HEAD.
func lastRelease(ctx context.Context, repo git) (last string, err error) {
	tags, err := repo.lines(ctx, "tag", "--list", "v*", "--merged", "HEAD")
	for _, tag := range tags {
		if semver.IsValid(tag) && (last == "" || semver.Compare(tag, last) > 0) {
			last = tag
		}
	}
	return last, err
}

// union returns the paths of the released modules in either list.
func union(lists ...[]*goModule) (paths []string) {
	seen := map[string]bool{}
	for _, list := range lists {
		for _, m := range list {
			if m.released() && !seen[m.path] {
				seen[m.path] = true
				paths = append(paths, m.path)
			}
		}
	}
	return paths
}

// exported loads the packages of a module that others can import. A module that the
// clone does not have has none.
func exported(ctx context.Context, repo git, all []*goModule, path string) (*apidiff.Module, error) {
	result := &apidiff.Module{Path: path}
	for _, m := range all {
		if m.path != path {
			continue
		}
		list, err := packages.Load(&packages.Config{
			Context: ctx,
			Dir:     filepath.Join(repo.dir, filepath.FromSlash(m.dir)),
			Mode:    packages.NeedName | packages.NeedTypes | packages.NeedImports | packages.NeedDeps | packages.NeedExportFile,
		}, "./...")
		if err != nil {
			return nil, err
		}
		for _, p := range list {
			if len(p.Errors) > 0 {
				return nil, fmt.Errorf("%s in %s: %w", p.PkgPath, repo.dir, p.Errors[0])
			}
			if importable(p.Types) {
				result.Packages = append(result.Packages, p.Types)
			}
		}
	}
	return result, nil
}

// importable says whether programs of others can import the package.
func importable(p *types.Package) bool {
	return p != nil && p.Name() != "main" && !strings.Contains(p.Path()+"/", "/internal/") && !strings.Contains(p.Path(), "/examples/")
}

// printAPI prints the changes.
func printAPI(out io.Writer, last string, changes []apiChange) {
	switch {
	case last == "":
		fmt.Fprintln(out, "There is no release yet: there are no changes of the API to show.")
		return
	case len(changes) == 0:
		fmt.Fprintf(out, "The API is that of %s.\n", last)
		return
	}
	fmt.Fprintf(out, "Changes of the API since %s:\n", last)
	for _, c := range changes {
		fmt.Fprintf(out, "\n%s\n", c.module)
		_ = c.report.Text(out)
	}
}

// allowedAfter says whether a version may follow the last one, by the rules of
// https://semver.org: a change that breaks callers raises the major version, and the
// minor version before v1; an addition raises the minor version from v1 on.
func allowedAfter(last, next string, changes []apiChange) error {
	if last == "" {
		return nil
	}
	if semver.Compare(next, last) <= 0 {
		return fmt.Errorf("%s is not after %s, the last release of this branch", next, last)
	}
	breaks, adds := false, false
	for _, c := range changes {
		for _, change := range c.report.Changes {
			breaks = breaks || !change.Compatible
			adds = adds || change.Compatible
		}
	}
	sameMajor, sameMinor := semver.Major(last) == semver.Major(next), semver.MajorMinor(last) == semver.MajorMinor(next)
	switch {
	case semver.Prerelease(last) != "" && sameMinor: // nothing is promised between pre-releases of a version
	case breaks && semver.Major(next) == "v0" && sameMinor:
		return fmt.Errorf("the API has incompatible changes since %s: raise the minor version", last)
	case breaks && semver.Major(next) != "v0" && sameMajor:
		return fmt.Errorf("the API has incompatible changes since %s: they need a new major version", last)
	case adds && semver.Major(next) != "v0" && sameMinor:
		return fmt.Errorf("the API has additions since %s: raise the minor version", last)
	}
	return nil
}
