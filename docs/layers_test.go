package docs

import (
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
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
		for _, helper := range []string{"eiotest", "siotest", "leakcheck", "faulty", "behaviour", "brokertest", "socketiotest"} {
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

// Nobody keeps a package in mind that has more files, or a file that is longer.
func TestPackagesAndFilesAreSmall(t *testing.T) {
	for pkg, files := range goList(t, "{{.ImportPath}} {{join .GoFiles \" \"}}", "./...") {
		most := 25
		if pkg == strings.TrimSuffix(module, "/") {
			most = 27 // until limits and delivery have their new places
		}
		assert.LessOrEqual(t, len(files), most, pkg)
		for _, name := range files {
			file := filepath.Join("..", strings.TrimPrefix(pkg, module), name)
			assert.LessOrEqual(t, strings.Count(read(t, file), "\n"), 400, file)
		}
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
