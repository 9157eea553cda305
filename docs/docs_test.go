// Package docs holds the documents and the tests that keep them true.
package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// packages are those that the documents name without a path.
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

// checker has the packages as the go command has compiled them.
type checker struct{ importer types.Importer }

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
	return &checker{importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if files[path] == "" {
			return nil, fmt.Errorf("no package %s", path)
		}
		return os.Open(files[path])
	})}
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

// documents returns the documents of the repository.
func documents(t *testing.T) (docs []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && (name == "node_modules" || name == "packages" || strings.HasPrefix(name, ".") && name != ".."):
			return fs.SkipDir
		case strings.HasSuffix(name, ".md"):
			docs = append(docs, path)
		}
		return nil
	}))
	require.Greater(t, len(docs), 15)
	return docs
}

// fault says what is wrong with a Go block: it is to be a part of the file that it
// names, which is compiled and run by tests.
func (b block) fault() string {
	_, source, named := strings.Cut(b.info, " ")
	if !named {
		return "the block names no file: put it into one that tests run, such as docs/recipes_test.go, and write its path behind ```go"
	}
	path := filepath.Join("..", filepath.FromSlash(source))
	file, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if !strings.Contains(flat(string(file)), flat(b.src)) {
		return "the block is not in " + source + " any more: copy it from there"
	}
	dir := filepath.Dir(path)
	if tests, _ := filepath.Glob(filepath.Join(dir, "*_test.go")); len(tests) > 0 {
		return ""
	}
	ends, _ := filepath.Glob(filepath.Join("..", "e2e", "*_test.go"))
	for _, end := range ends {
		if text, _ := os.ReadFile(end); strings.Contains(string(text), strconv.Quote(filepath.Base(dir))) {
			return ""
		}
	}
	return "no test runs " + source
}

// Every Go block is a part of a file that tests run.
func TestGoBlocks(t *testing.T) {
	found := 0
	for _, doc := range documents(t) {
		for _, b := range blocks(t, doc) {
			if language, _, _ := strings.Cut(b.info, " "); language == "go" {
				assert.Empty(t, b.fault(), "%s:%d", doc, b.line)
				found++
			}
		}
	}
	assert.Greater(t, found, 40)
}

// The check above finds mistakes.
func TestGoBlocksFindsMistakes(t *testing.T) {
	const add = `srv.On("add", func(c *socketio.Context, a, b int) (int, error) { return a + b, nil })`
	for b, good := range map[block]bool{
		{info: "go docs/recipes_test.go", src: "\t" + add + "\n"}:       true,
		{info: "go docs/recipes_test.go", src: add + "\nsrv.Nothing()"}: false,
		{info: "go docs/nothing_test.go", src: add}:                     false,
		{info: "go", src: add}:                                          false,
		{info: "go bench/servers/ours/main.go", src: "package main"}:    false,
	} {
		assert.Equal(t, good, b.fault() == "", "%v: %s", b, b.fault())
	}
}

// Every other block has a test that executes it, or at least holds it against the
// real thing; or a reason why not.
var others = []struct {
	doc, language string
	blocks        int
	test          string // file and name
	why           string
}{
	{"../README.md", "sh", 1, "e2e/documents_test.go TestReadme", ""},
	{"../README.md", "html", 1, "e2e/documents_test.go TestQuickstart", ""},
	{"../CONTRIBUTING.md", "sh", 1, "docs/blocks_test.go TestContributing", ""},
	{"../CONTRIBUTING.md", "text", 1, "docs/layers_test.go TestTheMapSaysWhatIsImported", ""},
	{"admin-ui.md", "sh", 1, "e2e/documents_test.go TestHashPassword", ""},
	{"authentication.md", "js", 1, "e2e/documents_test.go TestTokenClient", ""},
	{"cors.md", "text", 3, "e2e/origins_test.go TestOrigins", ""},
	{"deployment.md", "nginx", 1, "e2e/cluster_test.go TestDeployment", ""},
	{"deployment.md", "caddy", 1, "e2e/cluster_test.go TestDeployment", ""},
	{"deployment.md", "haproxy", 1, "e2e/cluster_test.go TestDeployment", ""},
	{"deployment.md", "js", 1, "e2e/documents_test.go TestWebSocketClient", ""},
	{"from-flask-socketio.md", "python", 14, "e2e/documents_test.go TestFlaskBlocks", ""},
	{"from-javascript.md", "js", 1, "e2e/documents_test.go TestJavaScriptServer", ""},
	{"performance.md", "sh", 1, "docs/blocks_test.go TestBenchCommands", ""},
	{"releasing.md", "sh", 1, "docs/blocks_test.go TestReleaseCommands", ""},
	{"scaling.md", "python", 1, "e2e/documents_test.go TestFlaskBlocks", ""},
	{"scaling.md", "json", 1, "docs/blocks_test.go TestUnknownSession", ""},
	{"scaling.md", "text", 1, "", "a drawing"},
	{"troubleshooting.md", "sh", 1, "e2e/documents_test.go TestCurl", ""},
	{"tutorial.md", "html", 1, "docs/blocks_test.go TestTutorialIsTheProgram", ""},
	{"tutorial.md", "sh", 3, "docs/blocks_test.go TestTutorialCommands", ""},
	{"../parsers/msgpack/README.md", "js", 1, "parsers/msgpack/interop_test.go TestReadme", ""},
}

func TestOtherBlocks(t *testing.T) {
	found := map[[2]string]int{}
	for _, doc := range documents(t) {
		for _, b := range blocks(t, doc) {
			if language, _, _ := strings.Cut(b.info, " "); language != "go" {
				found[[2]string{filepath.ToSlash(doc), language}]++
			}
		}
	}
	for _, o := range others {
		key := [2]string{strings.TrimPrefix(o.doc, "./"), o.language}
		if !strings.HasPrefix(o.doc, "..") {
			key[0] = "../docs/" + o.doc
		}
		assert.Equal(t, o.blocks, found[key], "blocks %s in %s", o.language, o.doc)
		delete(found, key)
		file, test, ok := strings.Cut(o.test, " ")
		if !ok {
			assert.NotEmpty(t, o.why)
			continue
		}
		text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(file)))
		require.NoError(t, err)
		assert.True(t, strings.Contains(string(text), "func "+test+"(t *testing.T)"), "%s: there is no %s", o.doc, o.test)
	}
	assert.Empty(t, found, "no test executes these blocks: list them in others, with the test that does")
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
