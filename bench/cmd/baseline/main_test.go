package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const output = `goos: linux
BenchmarkDecode/event 	 1000	       800.0 ns/op	  76.09 MB/s	     144 B/op	       2 allocs/op
BenchmarkDecode/event 	 1000	       700.0 ns/op	  76.09 MB/s	     144 B/op	       2 allocs/op
BenchmarkDecode/ack 	 1000	       100 ns/op	     0 B/op	       0 allocs/op
PASS
`

func TestParseBenchmarks(t *testing.T) {
	got, err := parseBenchmarks("./parser", []byte(output))
	require.NoError(t, err)
	assert.Equal(t, results{"./parser BenchmarkDecode/event": {2, 700}, "./parser BenchmarkDecode/ack": {0, 100}}, got)
	_, err = parseBenchmarks("./parser", []byte("BenchmarkX 1 100 ns/op"))
	assert.ErrorContains(t, err, "how much it allocates")
}

func TestFormat(t *testing.T) {
	want := results{"./parser BenchmarkDecode/event": {2, 7}, ". BenchmarkX": {0, 0.125}}
	got, err := parseResults(want.format())
	require.NoError(t, err)
	assert.Equal(t, want, got)
	for _, text := range []string{"a b c", "a b x 1", "a b 1 x"} {
		_, err := parseResults([]byte(text))
		assert.ErrorContains(t, err, "line 1")
	}
}

func TestCompare(t *testing.T) {
	before := results{"p A": {2, 1}, "p B": {0, 1}, "p C": {5, 1}, "p D": {1, 1}, "q E": {1, 1}, "q G": {1, 1}}
	now := results{"p A": {2, 2.9}, "p B": {1, 1}, "p C": {4, 1}, "q E": {1, 3.1}, "q F": {0, 1}, "q G": {1, 4}}
	assert.Equal(t, []string{"p", "q"}, before.worse(now))
	now.improve(results{"q G": {1, 1}})
	faults, notes := before.compare(now)
	assert.Equal(t, []string{
		"p B: 1 allocations, were 0",
		"p D: the benchmark does not exist any more",
		"q E: 3.1 times as slow as before, compared with the calibration",
	}, faults)
	assert.Equal(t, []string{"p C: 4 allocations, were 5", "q F: new"}, notes)
	faults, notes = before.compare(before)
	assert.Empty(t, append(faults, notes...))
}

// The committed baseline can be read, and has benchmarks of all packages.
func TestBaseline(t *testing.T) {
	text, err := os.ReadFile("baseline.txt")
	require.NoError(t, err)
	r, err := parseResults(text)
	require.NoError(t, err)
	for _, p := range paths {
		found := false
		for name := range r {
			found = found || strings.HasPrefix(name, p.pkg+" ")
		}
		assert.True(t, found, "%s: run make baseline", p.pkg)
	}
}
