package docs

import (
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// codeBlock is one in the documentation of a package.
type codeBlock struct{ file, src string }

// codeBlocks returns those of all packages: of the packages themselves and of what
// they declare.
func codeBlocks(t *testing.T) (all []codeBlock) {
	t.Helper()
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && (name == "node_modules" || strings.HasPrefix(name, ".") && name != ".."):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		groups := []*ast.CommentGroup{file.Doc}
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				groups = append(groups, decl.Doc)
			case *ast.GenDecl:
				groups = append(groups, decl.Doc)
			}
		}
		for _, group := range groups {
			if group == nil {
				continue
			}
			for _, b := range new(comment.Parser).Parse(group.Text()).Content {
				if code, ok := b.(*comment.Code); ok {
					all = append(all, codeBlock{path, code.Text})
				}
			}
		}
		return nil
	}))
	return all
}

// isGo tells Go, declarations or statements, from wire formats, tables and commands.
func (b codeBlock) isGo() bool {
	fset := token.NewFileSet()
	for _, src := range []string{b.src, "package p\n" + b.src} {
		if _, err := parser.ParseFile(fset, "", src, 0); err == nil {
			return true
		}
	}
	file, err := parser.ParseFile(fset, "", "package p\nfunc _() {\n"+b.src+"\n}", 0)
	if err != nil {
		return false
	}
	labels := false // a URL: scheme, colon, comment
	ast.Inspect(file, func(n ast.Node) bool {
		_, label := n.(*ast.LabeledStmt)
		labels = labels || label
		return true
	})
	return !labels
}

// Go in the documentation of packages is a part of a file that tests run: of the
// same package's examples and tests, or the program of the README.
func TestPackageDocumentation(t *testing.T) {
	found := 0
	for _, b := range codeBlocks(t) {
		if !b.isGo() || strings.Contains(filepath.ToSlash(b.file), "/internal/") {
			continue
		}
		found++
		files, err := filepath.Glob(filepath.Join(filepath.Dir(b.file), "*_test.go"))
		require.NoError(t, err)
		ok := false
		for _, file := range append(files, "../examples/quickstart/main.go") {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			ok = ok || strings.Contains(flat(string(text)), flat(b.src))
		}
		assert.True(t, ok, "%s: no example or test of the package has this block:\n%s", b.file, b.src)
	}
	assert.GreaterOrEqual(t, found, 15)
}

// Commands in the documentation of packages name folders and programs that are there.
func TestPackageCommands(t *testing.T) {
	found := 0
	for _, b := range codeBlocks(t) {
		for _, m := range regexp.MustCompile(`(?m)^cd (\S+) &&|^go (?:run|generate) \./(\S+)`).FindAllStringSubmatch(b.src, -1) {
			found++
			there := false
			for _, root := range []string{"..", "../bench", "../e2e"} {
				info, err := os.Stat(filepath.Join(root, m[1], m[2]))
				there = there || err == nil && info.IsDir()
			}
			assert.True(t, there, "%s: %s", b.file, m[0])
		}
	}
	assert.Greater(t, found, 10)
}
