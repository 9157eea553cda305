package docs

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
)

// only returns the one block of a language in a document.
func only(t *testing.T, doc, language string) string {
	t.Helper()
	src := ""
	for _, b := range blocks(t, doc) {
		if b.info == language {
			require.Empty(t, src, "more than one")
			src = b.src
		}
	}
	require.NotEmpty(t, src)
	return src
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// The commands of CONTRIBUTING.md are those of the script that checks everything,
// so that it runs them.
func TestContributing(t *testing.T) {
	run, makefile := read(t, "../.ci/run"), read(t, "../Makefile")
	for command := range strings.Lines(only(t, "../CONTRIBUTING.md", "sh")) {
		command, _, _ = strings.Cut(command, "  ")
		switch strings.TrimSpace(command) {
		case "go test ./...":
			assert.Contains(t, run, "\ngo test ./...\n")
		case "make check":
			assert.Contains(t, makefile, "\ncheck: ##")
			for _, script := range []string{".ci/static", ".ci/tests"} {
				assert.Contains(t, makefile, "\t"+script+"\n")
				assert.Contains(t, run, "\n"+script+"\n")
			}
		case "E2E=1 go test ./...": // CI=true does the same, in every module
			assert.Contains(t, run, "\nexport CI=true")
			assert.Contains(t, read(t, "../.ci/tests"), "$(go list $(packages)")
			assert.Contains(t, read(t, "../.ci/tests"), "./e2e\n")
		case "make churn": // half an hour: the test runs with fewer clients otherwise
			assert.Contains(t, makefile, "\tCHURN=100000 go test -run TestChurn ")
			assert.Contains(t, read(t, "../internal/behaviour/lifecycle/churn_test.go"), "func TestChurn(t *testing.T)")
		case "bash .ci/run": // it is what runs this test
		case "bash .ci/nightly": // two hours
			assert.FileExists(t, "../.ci/nightly")
		default:
			assert.Fail(t, "a new command: say what runs it", command)
		}
	}
}

// The lines of README.md that mount the server are those of the examples.
func TestMountLines(t *testing.T) {
	lines := regexp.MustCompile("`(\\w+\\.(?:Handle|Any)\\([^`]+)`").FindAllStringSubmatch(read(t, "../README.md"), -1)
	require.Len(t, lines, 3)
	for i, framework := range []string{"chi", "gin", "echo"} {
		assert.Contains(t, read(t, "../examples/frameworks/"+framework+".go"), "\t"+lines[i][1])
	}
}

// The commands that measure take minutes, and the machine for themselves. Their
// flags and names exist; what they do, bench's own tests try in small.
func TestBenchCommands(t *testing.T) {
	main := read(t, "../bench/cmd/bench/main.go")
	scenarios, servers := read(t, "../bench/loadgen/scenarios.go"), read(t, "../bench/internal/peer/servers.go")
	for command := range strings.Lines(only(t, "performance.md", "sh")) {
		command, _, _ = strings.Cut(command, "#")
		args, ok := strings.CutPrefix(command, "go run ./cmd/bench ")
		require.True(t, ok, command)
		for _, flag := range regexp.MustCompile(`(?:^| )-(\w+)`).FindAllStringSubmatch(args, -1) {
			assert.Regexp(t, `flags\.\w+\((&\w+(\.\w+)*, )?"`+flag[1]+`"`, main)
		}
		for _, list := range regexp.MustCompile(`-(servers|scenarios) (\S+)`).FindAllStringSubmatch(args, -1) {
			for name := range strings.SplitSeq(list[2], ",") {
				name, _, _ = strings.Cut(name, "@")
				assert.Contains(t, map[string]string{"servers": servers, "scenarios": scenarios}[list[1]], `"`+name+`"`)
			}
		}
	}
}

// The refusal that scaling.md shows is the server's, word by word.
func TestUnknownSession(t *testing.T) {
	answer := httptest.NewRecorder()
	socketio.NewServer(nil).ServeHTTP(answer, httptest.NewRequest("GET", "/socket.io/?EIO=4&transport=polling&sid=unknown", nil))
	assert.Equal(t, http.StatusBadRequest, answer.Code)
	assert.Equal(t, strings.TrimSpace(only(t, "scaling.md", "json")), strings.TrimSpace(answer.Body.String()))
}

// The commands of releasing.md are targets of the Makefile, whose work tools/release tests.
func TestReleaseCommands(t *testing.T) {
	makefile := read(t, "../Makefile")
	for command := range strings.Lines(only(t, "releasing.md", "sh")) {
		assert.Regexp(t, `^make release VERSION=v0\.1\.0( DRY=1)? +#`, command)
	}
	assert.Contains(t, makefile, "\nrelease: ##")
	assert.Contains(t, makefile, "$(if $(DRY),-n)")
	assert.Contains(t, makefile, "'$(VERSION)'")
}

// The commands of tutorial.md start the program with flags and a variable that it has.
func TestTutorialCommands(t *testing.T) {
	const run = `SESSION_KEY=secret ./team -addr 127\.0\.0\.1:500[01] -redis redis://127\.0\.0\.1:6379`
	known := regexp.MustCompile(`^(mkdir team && cd team|go mod init team|go get ` + module + ` ` + module + `/brokers/redis|` +
		`go run \.   # open http://127\.0\.0\.1:5000 .*|go build -o team \.|` + run + `)\n$`)
	for _, b := range blocks(t, "tutorial.md") {
		if b.info != "sh" {
			continue
		}
		for command := range strings.Lines(b.src) {
			assert.Regexp(t, known, command)
		}
	}
	main := read(t, "../examples/team/main.go")
	for _, name := range []string{`flag.String("addr", "127.0.0.1:5000"`, `flag.String("redis"`, `os.Getenv("SESSION_KEY")`} {
		assert.Contains(t, main, name)
	}
}

// The blocks of tutorial.md, copied one after the other, are the program that e2e tests.
func TestTutorialIsTheProgram(t *testing.T) {
	files := map[string]string{}
	for _, b := range blocks(t, "tutorial.md") {
		if b.info == "html" {
			b.info = "html examples/team/index.html"
		}
		if _, file, ok := strings.Cut(b.info, " "); ok {
			files[file] += b.src + "\n"
		}
	}
	assert.Len(t, files, 3)
	for file, text := range files {
		program := read(t, "../"+file)
		if _, code, ok := strings.Cut(program, "package main\n"); ok { // without the comment in front
			program = "package main\n" + code
		}
		assert.Equal(t, strings.Fields(program), strings.Fields(text), file)
	}
}

// The README has every example with the command that runs it.
func TestExamplesTable(t *testing.T) {
	readme := read(t, "../README.md")
	dirs, err := os.ReadDir("../examples")
	require.NoError(t, err)
	for _, dir := range dirs {
		assert.Regexp(t, `\n\| \[`+dir.Name()+`\]\(examples/`+dir.Name()+`\) \|.*go run \./examples/`+dir.Name()+"[` ]", readme)
	}
}
