package behaviour

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Row is a row of a table: its number, what is promised, the tests that check it, and
// the reason if there is none, or what differs.
//
// The tests are separated by blanks. A test of the root package or of a suite below this
// package is named alone, one of another package with its package: parser.TestLimits.
// TestFlaskConnect/01 is the subtest whose name begins with this number.
type Row [4]string

// The columns of a Row.
const (
	number = iota
	promise
	checks
	reason
)

// Numbers returns the numbers from 1 to n in a format.
func Numbers(format string, n int) (numbers []string) {
	for i := range n {
		numbers = append(numbers, fmt.Sprintf(format, i+1))
	}
	return numbers
}

// CheckTable expects that a table has the rows with these numbers, in this order, each
// with a test or a reason, and that the tests exist.
func CheckTable(t testing.TB, table []Row, numbers []string) {
	t.Helper()
	found := make(tests)
	var got []string
	for _, row := range table {
		got = append(got, row[number])
		if row[checks] == "" && row[reason] == "" {
			t.Errorf("%s %s: neither a test nor a reason", row[number], row[promise])
		}
		for _, name := range strings.Fields(row[checks]) {
			pkg, test, ok := strings.Cut(name, ".")
			if !ok {
				pkg, test = "", name
			}
			test, prefix, sub := strings.Cut(test, "/")
			literals, ok := found.of(t, pkg)[test]
			if !ok {
				t.Errorf("%s %s: there is no test %s", row[number], row[promise], name)
			}
			begins := func(s string) bool { return strings.HasPrefix(s, prefix+" ") }
			if sub && !slices.ContainsFunc(literals, begins) {
				t.Errorf("%s %s: there is no subtest %s", row[number], row[promise], name)
			}
		}
	}
	require.Equal(t, numbers, got)
}

// tests are the test functions of each package, with the strings in each.
type tests map[string]map[string][]string

// of returns the tests of a package; "" is the root package with the suites.
func (all tests) of(t testing.TB, pkg string) map[string][]string {
	t.Helper()
	if found, ok := all[pkg]; ok {
		return found
	}
	all[pkg] = map[string][]string{}
	root := moduleRoot(t)
	if pkg == "" {
		collect(t, root, all[pkg])
		require.NoError(t, filepath.WalkDir(filepath.Join(root, "internal", "behaviour"), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				collect(t, path, all[pkg])
			}
			return err
		}))
		return all[pkg]
	}
	for _, parent := range []string{".", "internal", "engineio/internal", "parsers", "brokertest"} {
		collect(t, filepath.Join(root, parent, pkg), all[pkg])
	}
	return all[pkg]
}

// moduleRoot returns the directory of the module: a test runs in that of its package.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, dir, parent, "no go.mod above the test")
		dir = parent
	}
}

// collect adds the test functions of a directory, with the strings in each.
func collect(t testing.TB, dir string, tests map[string][]string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Test") {
				continue
			}
			literals := []string{}
			ast.Inspect(fn, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if text, err := strconv.Unquote(lit.Value); err == nil {
						literals = append(literals, text)
					}
				}
				return true
			})
			tests[fn.Name.Name] = literals
		}
	}
}
