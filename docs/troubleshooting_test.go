package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var codeSpan = regexp.MustCompile("`([^`]+)`")

// Every message that troubleshooting.md explains as one of the server's is in
// the sources.
func TestTroubleshootingMessages(t *testing.T) {
	var sources strings.Builder
	for _, pattern := range []string{"../*.go", "../engineio/*.go", "../engineio/internal/*/*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			sources.Write(text)
		}
	}
	text, err := os.ReadFile("troubleshooting.md")
	require.NoError(t, err)
	_, server, ok := strings.Cut(string(text), "## What the server answers")
	require.True(t, ok)
	server, rest, ok := strings.Cut(server, "## What the client reports")
	require.True(t, ok)
	_, logged, ok := strings.Cut(rest, "## What the server logs")
	require.True(t, ok)

	found := 0
	for _, table := range []struct {
		text   string
		column int
	}{{server, 2}, {logged, 1}} {
		for line := range strings.Lines(table.text) {
			cells := strings.Split(line, "|")
			if !strings.HasPrefix(line, "| ") || len(cells) < 3 {
				continue
			}
			for _, span := range codeSpan.FindAllStringSubmatch(cells[table.column], -1) {
				message := span[1]
				if strings.HasPrefix(message, "redis: ") {
					continue // the library's: brokers/redis has a test of it
				}
				for _, variable := range []string{"argument 0 of", `event "x" `, "func(...)", ": ..."} {
					message = strings.ReplaceAll(message, variable, "\x00")
				}
				for part := range strings.SplitSeq(message, "\x00") {
					assert.True(t, strings.Contains(sources.String(), strings.TrimSpace(part)), "%q is explained but nothing says it", span[1])
				}
				found++
			}
		}
	}
	assert.Greater(t, found, 20)
}

// Every go run in a document names a program that is there, every make a target.
func TestCommands(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	found := 0
	for _, doc := range documents(t) {
		text, err := os.ReadFile(doc)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`go (?:run|generate|test) (?:-\S+ )*\./([\w/.-]+)`).FindAllStringSubmatch(string(text), -1) {
			path := strings.TrimSuffix(strings.TrimSuffix(m[1], "..."), "/")
			there := path == ""
			for _, root := range []string{"..", "../bench", "../e2e"} {
				if info, err := os.Stat(filepath.Join(root, path)); err == nil && info.IsDir() {
					there = true
				}
			}
			assert.True(t, there, "%s: %s", doc, m[0])
			found++
		}
		for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z]+)").FindAllStringSubmatch(string(text), -1) {
			assert.Contains(t, string(makefile), "\n"+m[1]+":", "%s: %s", doc, m[0])
			found++
		}
	}
	assert.Greater(t, found, 5)
}
