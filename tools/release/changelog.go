package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	changelog = "CHANGELOG.md"
	heading   = "\n## Unreleased\n"
)

// rewriteChangelog gives the list of what is not released yet the version and the day.
func rewriteChangelog(dir, version string, day time.Time) error {
	name := filepath.Join(dir, changelog)
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, after, ok := strings.Cut(string(text), heading)
	entries, _, _ := strings.Cut(after, "\n## ")
	if !ok || strings.TrimSpace(entries) == "" {
		return errors.New(changelog + ` lists nothing under "## Unreleased": what is released?`)
	}
	title := "\n## " + strings.TrimPrefix(version, "v") + " - " + day.Format(time.DateOnly) + "\n"
	return os.WriteFile(name, []byte(before+title+after), 0o644)
}

// openChangelog puts an empty list above that of the last version.
func openChangelog(dir string) error {
	name := filepath.Join(dir, changelog)
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, after, ok := strings.Cut(string(text), "\n## ")
	if !ok {
		return errors.New(changelog + " has no section")
	}
	return os.WriteFile(name, []byte(before+heading+"\n## "+after), 0o644)
}
