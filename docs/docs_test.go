// Package docs holds the documents and the tests that keep them true.
package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// packages are those that a Go block may use; the import is added if it does.
var packages = map[string]string{
	"socketio":     module,
	"socketiotest": module + "/socketiotest",
	"engineio":     module + "/engineio",
	"parser":       module + "/parser",
	"context":      "context",
	"errors":       "errors",
	"fmt":          "fmt",
	"http":         "net/http",
	"json":         "encoding/json",
	"log":          "log",
	"slog":         "log/slog",
	"strconv":      "strconv",
	"sync":         "sync",
	"synctest":     "testing/synctest",
	"testing":      "testing",
	"time":         "time",
}

const module = "github.com/seed-d124fa34/socketio"

// checker type-checks against the packages as the go command has compiled them.
type checker struct {
	fset     *token.FileSet
	importer types.Importer
}

func newChecker(t *testing.T) *checker {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-json=ImportPath,Export"}
	for _, path := range packages {
		args = append(args, path)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	list, err := cmd.Output()
	require.NoError(t, err, "%s", stderr.String())
	files := map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(list)); ; {
		var p struct{ ImportPath, Export string }
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
		files[p.ImportPath] = p.Export
	}
	fset := token.NewFileSet()
	return &checker{fset, importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if files[path] == "" {
			return nil, fmt.Errorf("no package %s", path)
		}
		return os.Open(files[path])
	})}
}

// check type-checks one file, and so finds what does not exist, does not fit,
// or is not used.
func (c *checker) check(name, src string) error {
	file, err := parser.ParseFile(c.fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	_, err = (&types.Config{Importer: c.importer}).Check("doc", c.fset, []*ast.File{file}, nil)
	return err
}

// block is a fenced block of a document.
type block struct {
	doc  string
	line int
	info string // behind the fence, such as "go" or "go examples/app/server.go"
	src  string
}

// blocks returns the fenced blocks of a document.
func blocks(t *testing.T, doc string) (all []block) {
	t.Helper()
	text, err := os.ReadFile(doc)
	require.NoError(t, err)
	var open *block
	for i, line := range strings.Split(string(text), "\n") {
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{doc: doc, line: i + 1, info: info}
		case fence:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.src += line + "\n"
		}
	}
	require.Nil(t, open, "%s: a block is not closed", doc)
	return all
}

// file makes a Go file of a block that is not one: of declarations, or of
// statements, for which there are a server, a context and so on.
func (b block) file() string {
	if strings.HasPrefix(b.src, "package ") {
		return b.src
	}
	head := "package doc\n"
	for name, path := range packages {
		if regexp.MustCompile(`\b` + name + `\.[A-Z]`).MatchString(b.src) {
			head += fmt.Sprintf("import %q\n", path)
		}
	}
	place := fmt.Sprintf("//line %s:%d\n", b.doc, b.line+1)
	if _, err := parser.ParseFile(token.NewFileSet(), "", head+b.src, 0); err == nil {
		return head + place + b.src
	}
	for name, path := range map[string]string{"socketio": module, "http": "net/http", "context": "context"} {
		if line := fmt.Sprintf("import %q\n", path); !strings.Contains(head, line) {
			head += fmt.Sprintf("import %s %q\n", name, path)
		}
	}
	end := "\n\treturn nil"
	if regexp.MustCompile(`(?m)^return\b`).MatchString(b.src) {
		end = ""
	}
	return head + "func _(srv *socketio.Server, c *socketio.Context, mux *http.ServeMux, ctx context.Context) error {\n{\n" + // so that a block may declare its own srv
		place + b.src + "\n}" + end + "\n}\n"
}

func documents(t *testing.T) []string {
	t.Helper()
	docs, err := filepath.Glob("*.md")
	require.NoError(t, err)
	require.NotEmpty(t, docs)
	return append(docs, filepath.Join("..", "README.md"), filepath.Join("..", "SECURITY.md"))
}

// Every Go block compiles, or is a part of the file that it names.
func TestGoBlocks(t *testing.T) {
	c := newChecker(t)
	for _, doc := range documents(t) {
		for _, b := range blocks(t, doc) {
			language, source, named := strings.Cut(b.info, " ")
			switch {
			case language != "go":
			case named:
				file, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(source)))
				require.NoError(t, err)
				assert.Contains(t, flat(string(file)), flat(b.src),
					"%s:%d: the block is not in %s any more: copy it from there", doc, b.line, source)
			default:
				assert.NoError(t, c.check(fmt.Sprintf("%s:%d", doc, b.line), b.file()))
			}
		}
	}
}

// The check above finds mistakes.
func TestGoBlocksFindsMistakes(t *testing.T) {
	c := newChecker(t)
	for src, good := range map[string]bool{
		`srv.On("x", func(c *socketio.Context) {})`:         true,
		"type T struct{}\nfunc (T) F(r socketio.Reason) {}": true,
		`return c.Emit("x", time.Second)`:                   true,
		`srv.Nothing("x")`:                                  false,
		`c.Emit("x")`:                                       false,
		`x := 1`:                                            false,
		`var _ socketio.Nothing`:                            false,
		"func f() { return 1 }":                             false,
		"no Go at all":                                      false,
	} {
		err := c.check("test", block{doc: "test.md", info: "go", src: src + "\n"}.file())
		assert.Equal(t, good, err == nil, "%s: %v", src, err)
	}
}

// flat removes the indentation.
func flat(src string) string {
	lines := strings.Split(strings.TrimSpace(src), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "\n")
}

var code = regexp.MustCompile("(?s)```.*?```|`[^`]*`")

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Links lead to files and headings that exist.
func TestLinks(t *testing.T) {
	for _, doc := range documents(t) {
		text, err := os.ReadFile(doc)
		require.NoError(t, err)
		var headings []string
		for line := range strings.SplitSeq(string(text), "\n") {
			if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
				headings = append(headings, anchor(title))
			}
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			path, fragment, _ := strings.Cut(m[1], "#")
			switch {
			case strings.Contains(path, "://"):
			case path == "":
				assert.True(t, slices.Contains(headings, fragment), "%s: no heading #%s", doc, fragment)
			default:
				_, err := os.Stat(filepath.Join(filepath.Dir(doc), filepath.FromSlash(path)))
				assert.NoError(t, err, doc)
			}
		}
	}
}

// anchor is how GitHub links a heading.
func anchor(title string) string {
	title = regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(title), "")
	return strings.ReplaceAll(title, " ", "-")
}
