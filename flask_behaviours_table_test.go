package socketio_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testDirs are where the tests of the tables are, by package.
var testDirs = map[string]string{
	"": ".", "engineio": "engineio", "parser": "parser", "socketiotest": "socketiotest", "msgpack": "parsers/msgpack",
}

// The tables leave nothing out, and the tests they name exist.
func TestFlaskBehaviourTables(t *testing.T) {
	checkTable(t, flaskBehaviours, numbered("%02d", 42))
	checkTable(t, pythonBehaviours, numbered("P%02d", 40))
	checkTable(t, engineBehaviours, numbered("E%02d", 25))
}

func numbered(format string, n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf(format, i+1))
	}
	return ids
}

func checkTable(t *testing.T, table []behaviour, ids []string) {
	t.Helper()
	tests := map[string]map[string][]string{} // by package
	for pkg, dir := range testDirs {
		tests[pkg] = testsIn(t, dir)
	}
	var got []string
	for _, row := range table {
		got = append(got, row.id)
		if row.tests == "" && row.reason == "" {
			t.Errorf("%s %s: neither a test nor a reason", row.id, row.what)
		}
		for _, name := range strings.Fields(row.tests) {
			pkg, test, ok := strings.Cut(name, ".")
			if !ok {
				pkg, test = "", name
			}
			test, number, sub := strings.Cut(test, "/")
			literals, ok := tests[pkg][test]
			if !ok {
				t.Errorf("%s %s: there is no test %s", row.id, row.what, name)
			}
			if sub && !hasPrefix(literals, number+" ") {
				t.Errorf("%s %s: there is no subtest %s", row.id, row.what, name)
			}
		}
	}
	require.Equal(t, ids, got)
}

func hasPrefix(texts []string, prefix string) bool {
	for _, text := range texts {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}

// testsIn returns the test functions of a directory, with the strings in each.
func testsIn(t *testing.T, dir string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files, dir)
	tests := map[string][]string{}
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
	return tests
}
