package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// release makes one release of the branch that is checked out in a clone.
//
// All of it is prepared and tried in a clone of its own. Only then the branch and the
// tags of the repository change, in two commands.
type release struct {
	repo    git
	version string
	checks  string // command line of a shell, empty for none
	out     io.Writer
	now     func() time.Time // nil: time.Now
	untried bool             // do not build the released modules: a test does it in another way

	branch, head string
	modules      []*goModule // those that are released, each behind those that it requires
}

// run makes the release; dry says what it would do.
func (r *release) run(ctx context.Context, dry bool) error {
	if err := r.allowed(ctx); err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	clone, err := r.prepare(ctx, temp)
	if err != nil {
		return err
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	if dry {
		return r.show(ctx, clone)
	}
	return r.apply(ctx, clone)
}

// allowed looks for reasons against the release, before anything is done for it.
func (r *release) allowed(ctx context.Context) (err error) {
	if err := validVersion(r.version); err != nil {
		return err
	}
	if r.branch, err = r.repo.run(ctx, "symbolic-ref", "--short", "HEAD"); err != nil {
		return fmt.Errorf("check out the branch to release: %w", err)
	}
	if r.head, err = r.repo.run(ctx, "rev-parse", "HEAD"); err != nil {
		return err
	}
	if err := r.clean(ctx); err != nil {
		return err
	}
	all, err := modules(ctx, r.repo)
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.released() {
			r.modules = append(r.modules, m)
		}
	}
	if len(r.modules) == 0 || r.modules[0].dir != "." {
		return errors.New("the repository has no go.mod at its root")
	}
	if err := r.unused(ctx); err != nil {
		return err
	}
	last, changes, err := apiChanges(ctx, r.repo)
	if err != nil {
		return err
	}
	printAPI(r.out, last, changes)
	return allowedAfter(last, r.version, changes)
}

// validVersion says whether the modules may have the version.
func validVersion(version string) error {
	switch {
	case semver.Canonical(version) != version || semver.Build(version) != "":
		return fmt.Errorf("%q is not a version such as v0.1.0 or v1.0.0-rc.1", version)
	case semver.Compare(semver.Major(version), "v2") >= 0:
		return fmt.Errorf("%s needs module paths that end in /%s: change those first", version, semver.Major(version))
	}
	return nil
}

// clean returns an error if files differ from the last commit.
func (r *release) clean(ctx context.Context) error {
	dirty, err := r.repo.run(ctx, "status", "--porcelain")
	if err == nil && dirty != "" {
		err = fmt.Errorf("commit or remove these first:\n%s", dirty)
	}
	return err
}

// unused returns an error if one of the tags exists, here or at the remote "origin".
func (r *release) unused(ctx context.Context) error {
	taken, err := r.repo.lines(ctx, "tag", "--list")
	if err != nil {
		return err
	}
	if _, err := r.repo.run(ctx, "remote", "get-url", "origin"); err == nil {
		remote, err := r.repo.lines(ctx, "ls-remote", "--tags", "--refs", "origin")
		if err != nil {
			return fmt.Errorf("cannot ask origin which versions there are: %w", err)
		}
		for _, line := range remote {
			_, name, _ := strings.Cut(line, "refs/tags/")
			taken = append(taken, name)
		}
	}
	for _, tag := range r.tags() {
		if slices.Contains(taken, tag) {
			return fmt.Errorf("the tag %s exists: a version is released once", tag)
		}
	}
	return nil
}

// tags returns those of the release, in the order of the modules.
func (r *release) tags() (tags []string) {
	for _, m := range r.modules {
		tags = append(tags, m.tag(r.version))
	}
	return tags
}

// prepare makes the two commits and the tags in a clone under temp, and tries whether
// every released module builds from them.
func (r *release) prepare(ctx context.Context, temp string) (git, error) {
	clone, cache := git{filepath.Join(temp, "clone")}, filepath.Join(temp, "modules")
	if _, err := r.repo.run(ctx, "clone", "--quiet", "--no-local", "--branch", r.branch, r.repo.dir, clone.dir); err != nil {
		return clone, err
	}
	for _, key := range []string{"user.name", "user.email"} {
		value, err := r.repo.run(ctx, "config", key)
		if err != nil {
			return clone, fmt.Errorf("git config %s is not set: commits and tags need it", key)
		}
		if _, err := clone.run(ctx, "config", key, value); err != nil {
			return clone, err
		}
	}
	if err := os.Mkdir(cache, 0o755); err != nil {
		return clone, err
	}
	box, err := newSandbox(ctx, cache, r.modules[0].path, clone.dir)
	if err != nil {
		return clone, err
	}
	if err := r.commitRelease(ctx, clone, box); err != nil {
		return clone, err
	}
	if r.untried {
		return clone, r.commitNext(ctx, clone)
	}
	if err := r.build(ctx, clone, box); err != nil {
		return clone, fmt.Errorf("the modules as they would be released do not build, nothing is changed: %w", err)
	}
	return clone, r.commitNext(ctx, clone)
}

// commitRelease makes the commit of the release and its tags.
func (r *release) commitRelease(ctx context.Context, clone git, box *sandbox) error {
	now := time.Now
	if r.now != nil {
		now = r.now
	}
	if err := rewriteChangelog(clone.dir, r.version, now()); err != nil {
		return err
	}
	all, err := modules(ctx, clone)
	if err != nil {
		return err
	}
	for _, m := range all {
		if err := m.require(clone, all, r.version, !m.released()); err != nil {
			return err
		}
	}
	// The sum of a module depends on its own files only, and those of the modules that
	// it requires are in its go.sum: it is known when theirs are written. Each is tagged
	// for the moment, so that the go command computes its sum.
	sums := map[string][]string{}
	for _, m := range all {
		if !m.released() {
			continue
		}
		var lines []string
		for _, s := range m.siblings(all) {
			lines = append(lines, sums[s.path]...)
		}
		if len(lines) > 0 {
			if err := m.addSums(clone, lines); err != nil {
				return err
			}
		}
		if err := commitAll(ctx, clone, "Prepare "+m.tag(r.version)); err != nil {
			return err
		}
		if _, err := clone.run(ctx, "tag", m.tag(r.version)); err != nil {
			return err
		}
		if sums[m.path], err = box.download(ctx, m, r.version); err != nil {
			return err
		}
	}
	if _, err := clone.run(ctx, "reset", "--quiet", "--soft", r.head); err != nil {
		return err
	}
	if err := commitAll(ctx, clone, "Release "+r.version); err != nil {
		return err
	}
	for _, m := range r.modules {
		if _, err := clone.run(ctx, "tag", "--force", "--annotate", "--message", m.path+" "+r.version, m.tag(r.version)); err != nil {
			return err
		}
	}
	return nil
}

// commitAll commits what is in the folder, even if nothing changed.
func commitAll(ctx context.Context, repo git, message string) error {
	if _, err := repo.run(ctx, "add", "--all"); err != nil {
		return err
	}
	_, err := repo.run(ctx, "commit", "--quiet", "--allow-empty", "--message", message)
	return err
}

// build builds every released module from its go.mod alone, and checks that go.mod and
// go.sum are complete.
func (r *release) build(ctx context.Context, clone git, box *sandbox) error {
	for _, m := range r.modules {
		dir := filepath.Join(clone.dir, filepath.FromSlash(m.dir))
		for _, args := range [][]string{{"mod", "tidy", "-diff"}, {"build", "./..."}} {
			if _, err := box.goCommand(ctx, dir, args...); err != nil {
				return fmt.Errorf("%s: %w", m.path, err)
			}
		}
	}
	return nil
}

// commitNext makes the commit with which work goes on: the replace directives and
// sums are back as they were, and requirements name the released version.
func (r *release) commitNext(ctx context.Context, clone git) error {
	for _, m := range r.modules {
		sums := filepath.Join(filepath.FromSlash(m.dir), "go.sum")
		files := []string{"checkout", "--quiet", r.head, "--", m.dir + "/go.mod"}
		if _, err := os.Stat(filepath.Join(r.repo.dir, sums)); err == nil {
			files = append(files, m.dir+"/go.sum")
		} else if err := os.RemoveAll(filepath.Join(clone.dir, sums)); err != nil {
			return err
		}
		if _, err := clone.run(ctx, files...); err != nil {
			return err
		}
	}
	all, err := modules(ctx, clone)
	if err != nil {
		return err
	}
	for _, m := range all {
		if err := m.require(clone, all, r.version, true); err != nil {
			return err
		}
	}
	if err := openChangelog(clone.dir); err != nil {
		return err
	}
	return commitAll(ctx, clone, "Work continues after "+r.version)
}

// check runs the command that has to succeed.
func (r *release) check(ctx context.Context) error {
	if r.checks == "" {
		fmt.Fprintln(r.out, "no checks are run")
		return nil
	}
	fmt.Fprintln(r.out, "checks:", r.checks)
	cmd := exec.CommandContext(ctx, "sh", "-c", r.checks)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.repo.dir, r.out, r.out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the checks failed, nothing is changed: %w", err)
	}
	return nil
}

// show prints what apply would do.
func (r *release) show(ctx context.Context, clone git) error {
	fmt.Fprintf(r.out, "\nDry run: nothing is changed. The release would put these commits on %s:\n\n", r.branch)
	log, err := clone.run(ctx, "log", "--reverse", "--stat", "--format=%s%n", r.head+"..HEAD")
	if err != nil {
		return err
	}
	fmt.Fprintf(r.out, "%s\n\nand these tags on the first one:\n\n  %s\n", log, strings.Join(r.tags(), "\n  "))
	return nil
}

// apply takes the commits and the tags out of the clone, and says how to publish them.
func (r *release) apply(ctx context.Context, clone git) error {
	if head, err := r.repo.run(ctx, "rev-parse", "HEAD"); err != nil || head != r.head {
		return errors.Join(err, errors.New("the branch has changed meanwhile, nothing is tagged: start again"))
	}
	if err := r.clean(ctx); err != nil {
		return err
	}
	if _, err := r.repo.run(ctx, "fetch", "--quiet", "--no-tags", clone.dir, "HEAD"); err != nil {
		return err
	}
	if _, err := r.repo.run(ctx, "merge", "--quiet", "--ff-only", "FETCH_HEAD"); err != nil {
		return err
	}
	fetch := []string{"fetch", "--quiet", "--no-tags", "--atomic", clone.dir} // all tags or none
	for _, tag := range r.tags() {
		fetch = append(fetch, "refs/tags/"+tag+":refs/tags/"+tag)
	}
	undo := "git reset --hard " + r.head
	if _, err := r.repo.run(ctx, fetch...); err != nil {
		return fmt.Errorf("%s has the two commits of the release, but nothing is tagged; to take them back: %s\n%w", r.branch, undo, err)
	}
	tags := strings.Join(r.tags(), " ")
	fmt.Fprintf(r.out, `
%s is tagged here, and nowhere else yet. To publish it:

  git push --atomic origin %s %s

To take it back, as long as it is not published:

  git tag --delete %s
  %s
`, r.version, r.branch, tags, tags, undo)
	return nil
}
