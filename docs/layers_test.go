package docs

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The root package is composed of others, which do not know it. Those that do are programs, helpers of tests, and what
// reads a server's figures or its events.
func TestNothingBelowImportsTheRoot(t *testing.T) {
	above := []string{"examples", "brokertest/servertest", "internal/observe", "internal/siotest", "socketiotest", "typescript"}
	for pkg, imports := range goList(t, "{{.ImportPath}} {{join .Imports \" \"}}", "./...") {
		name := strings.TrimPrefix(pkg, module+"/")
		isAbove := slices.ContainsFunc(above, func(dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") })
		assert.False(t, slices.Contains(imports, module) && !isAbove, "%s imports the root package", name)
	}
}

// What helps tests is no part of a server.
func TestServersHoldNoTestHelpers(t *testing.T) {
	for pkg := range goList(t, "{{.ImportPath}}", "-deps", ".") {
		assert.NotEqual(t, "testing", pkg)
		for _, helper := range []string{"eiotest", "siotest", "leakcheck", "faulty", "race", "behaviour", "brokertest", "socketiotest"} {
			assert.NotRegexp(t, module+"/(internal/)?"+helper, pkg)
		}
	}
}

// Brokers know messages, and no server: calls, which they share, knows none either.
func TestBrokersImportBrokerOnly(t *testing.T) {
	files, err := filepath.Glob("../brokers/*/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range f.Imports {
			if name := strings.Trim(spec.Path.Value, `"`); strings.HasPrefix(name, module) {
				assert.Contains(t, []string{module + "/broker", module + "/internal/calls"}, name, file)
			}
		}
	}
}

// mapEntry begins the part of CONTRIBUTING.md's map that is about some packages: their names, and what they are.
var mapEntry = regexp.MustCompile(`^([^\s,]+(?:, [^\s,]+)*) +(\S.*)$`)

// packageMap returns what the map says of each name in its first column.
func packageMap(t *testing.T) map[string]string {
	t.Helper()
	_, layers, _ := strings.Cut(read(t, "../CONTRIBUTING.md"), "```text\n")
	layers, _, found := strings.Cut(layers, "```")
	require.True(t, found)
	entries := map[string]string{}
	var names []string
	for line := range strings.Lines(layers) {
		line = strings.TrimRight(line, "\n")
		if m := mapEntry.FindStringSubmatch(line); m != nil && line[0] != ' ' {
			names, line = strings.Split(m[1], ", "), m[2]
		}
		for _, name := range names {
			entries[name] += strings.TrimSpace(line) + " "
		}
	}
	return entries
}

// A newcomer finds every package in the map, and nothing that is not there any more. What ends with "/..." is about a
// folder and all packages below it.
func TestEveryPackageIsInTheMap(t *testing.T) {
	entries := packageMap(t)
	var packages []string
	for pkg := range goList(t, "{{.ImportPath}}", "./...") {
		packages = append(packages, strings.TrimPrefix(pkg, module+"/"))
	}
	for line := range strings.Lines(read(t, "../go.work")) {
		if dir, ok := strings.CutPrefix(strings.TrimSpace(line), "./"); ok {
			packages = append(packages, dir)
		}
	}
	for _, pkg := range packages {
		if pkg == module {
			pkg = "socketio"
		}
		assert.True(t, isInMap(entries, pkg), "%s is not in the map of CONTRIBUTING.md: say there what it is", pkg)
	}
	for name := range entries {
		if dir := strings.TrimSuffix(name, "/..."); dir != "socketio" {
			assert.DirExists(t, filepath.Join("..", dir), "the map of CONTRIBUTING.md has %s", name)
		}
	}
}

func isInMap(entries map[string]string, pkg string) bool {
	if _, ok := entries[pkg]; ok {
		return true
	}
	for dir := pkg; dir != "."; dir = path.Dir(dir) {
		if _, ok := entries[dir+"/..."]; ok {
			return true
		}
	}
	return false
}

// What the map says of imports is what the packages import.
func TestTheMapSaysWhatIsImported(t *testing.T) {
	imports := goList(t, "{{.ImportPath}} {{join .Imports \" \"}}", "./...")
	says := regexp.MustCompile(`(?:Imports|They import) ([^.]*)\.`)
	for name, text := range packageMap(t) {
		m := says.FindStringSubmatch(text)
		ours, exists := imports[module+"/"+name]
		if m == nil || !exists || m[1] == "nothing of the root's" {
			continue
		}
		var said []string
		if !strings.HasPrefix(m[1], "nothing of") {
			said = strings.Split(strings.ReplaceAll(m[1], " and ", ", "), ", ")
		}
		var actual []string
		for _, pkg := range ours {
			if rel, ok := strings.CutPrefix(pkg, module+"/"); ok {
				actual = append(actual, rel)
			}
		}
		assert.ElementsMatch(t, actual, said, "what CONTRIBUTING.md says that %s imports", name)
	}
}

// The files that CONTRIBUTING.md names are there.
func TestTheMapNamesFilesThatExist(t *testing.T) {
	for _, m := range regexp.MustCompile("`([\\w/]+\\.go)`").FindAllStringSubmatch(read(t, "../CONTRIBUTING.md"), -1) {
		in := []string{"..", "../engineio", "../internal/cluster"} // where the sentence says which package it is in
		assert.True(t, slices.ContainsFunc(in, func(dir string) bool {
			_, err := os.Stat(filepath.Join(dir, m[1]))
			return err == nil
		}), m[1])
	}
}

// goList returns the lines of go list in the root: the first word, and the others.
func goList(t *testing.T, format string, args ...string) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-f", format}, args...)...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	lines := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		lines[words[0]] = words[1:]
	}
	return lines
}
