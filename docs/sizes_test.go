package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Nobody keeps a package in mind that has more files, a file that is longer, or a function that is longer.
const (
	maxFiles         = 25 // in a package, without tests
	maxFileLines     = 400
	maxFunctionLines = 60
)

// hasReason matches the comment of a function that says why it is long.
var hasReason = regexp.MustCompile(`is long\b`)

// goFiles returns the Go files of all modules, by folder.
func goFiles(t *testing.T) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if name := d.Name(); name == "node_modules" || name == "testdata" || name != ".." && strings.HasPrefix(name, ".") {
				return filepath.SkipDir
			}
		case filepath.Ext(file) == ".go":
			files[filepath.Dir(file)] = append(files[filepath.Dir(file)], file)
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, len(files), 100)
	return files
}

// Every module is checked. Tests are files, too, but do not count among those of their package.
func TestPackagesAndFilesAreSmall(t *testing.T) {
	for dir, files := range goFiles(t) {
		n := 0
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				n++
			}
			assert.LessOrEqual(t, strings.Count(read(t, file), "\n"), maxFileLines, file)
		}
		assert.LessOrEqual(t, n, maxFiles, dir)
	}
}

// A function that is longer must have a reason in its comment: "It is long because ...".
func TestFunctionsAreShort(t *testing.T) {
	for _, files := range goFiles(t) {
		for _, file := range files {
			for _, f := range longFunctions(t, file, read(t, file)) {
				t.Errorf("%s is longer than %d lines: split it, or say in its comment why it is long", f, maxFunctionLines)
			}
		}
	}
}

// longFunctions returns the functions of a file that are too long, without those whose comments have a reason. In a
// test, tables do not count, and each function literal, such as a subtest, counts as a function of its own.
func longFunctions(t *testing.T, name, text string) (long []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	require.NoError(t, err)
	line := func(pos token.Pos) int { return set.Position(pos).Line }
	test := strings.HasSuffix(name, "_test.go")
	var measure func(of ast.Node) int
	measure = func(of ast.Node) (longest int) {
		lines := line(of.End()) - line(of.Pos()) + 1
		ast.Inspect(of, func(n ast.Node) bool {
			if n == of || !test {
				return true
			}
			switch n := n.(type) {
			case *ast.FuncLit:
				longest = max(longest, measure(n))
			case *ast.CompositeLit: // a table, perhaps of functions
				ast.Inspect(n, func(in ast.Node) bool {
					f, ok := in.(*ast.FuncLit)
					if ok {
						longest = max(longest, measure(f))
					}
					return !ok
				})
			default:
				return true
			}
			lines -= line(n.End()) - line(n.Pos())
			return false
		})
		return max(longest, lines)
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil || hasReason.MatchString(f.Doc.Text()) {
			continue
		}
		if measure(f) > maxFunctionLines {
			long = append(long, set.Position(f.Pos()).String()+" "+f.Name.Name)
		}
	}
	return long
}

func TestLongFunctionsAreFound(t *testing.T) {
	lines := func(n int) string { return strings.Repeat("\tx()\n", n) }
	table := "\tx([]int{\n" + strings.Repeat("\t\t1,\n", 70) + "\t})\n"
	subtest := "\tt.Run(\"x\", func(t *testing.T) {\n" + lines(50) + "\t})\n"
	for _, c := range []struct {
		name, comment, body string
		long                bool
	}{
		{"x.go", "", lines(58), false},
		{"x.go", "", lines(59), true},
		{"x.go", "// f is long because it is one sequence of steps.\n", lines(59), false},
		{"x.go", "", table, true},
		{"x.go", "", subtest + subtest, true},
		{"x_test.go", "", lines(59), true},
		{"x_test.go", "", table + lines(50), false},
		{"x_test.go", "", subtest + subtest + lines(50), false},
		{"x_test.go", "", subtest + subtest + lines(59), true},
		{"x_test.go", "", strings.Replace(subtest, "x()", "x()\n"+lines(20), 1), true},
		{"x_test.go", "", "\tx([]func(){func() {\n" + lines(70) + "\t}})\n", true},
	} {
		text := "package x\n\n" + c.comment + "func f() {\n" + c.body + "}\n"
		assert.Equal(t, c.long, len(longFunctions(t, c.name, text)) > 0, "%s: %s", c.name, text)
	}
}
