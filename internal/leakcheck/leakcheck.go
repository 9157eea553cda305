// Package leakcheck fails a package's tests when they leave goroutines behind.
// Every package of the module calls it from TestMain.
package leakcheck

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// grace is how long goroutines that are on their way out may take.
const grace = 5 * time.Second

// harmless are the goroutines no test of ours starts or ends: each string is
// looked for in the goroutine's stack.
var harmless = []string{
	"testing.(*M).",         // the test runner itself
	"testing.(*T).Run",      // parents waiting for a subtest
	"testing.runFuzzing",    // the fuzzing engine
	"testing.runFuzzTests",  // seed corpus runs
	"testing.tRunner.func",  // a test function that is just returning
	"os/signal.signal_recv", // started by signal.Notify, never ends
	"os/signal.loop",        // the same
	"runtime/pprof.",        // -cpuprofile and friends
	"runtime.ensureSigM",    // signal mask keeper of the runtime
	"runtime.ReadTrace",     // -trace
}

// Main runs the tests of m, then waits up to five seconds for the goroutines
// they started. If any is left, it prints their stacks and the run fails.
// It does not return:
//
//	func TestMain(m *testing.M) { leakcheck.Main(m) }
//
// Idle connections of http.DefaultTransport are closed first; tests that use a
// transport of their own close its idle connections themselves.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 && !fuzzing() {
		if left := leftover(grace); len(left) > 0 {
			fmt.Fprintf(os.Stderr, "leakcheck: %d goroutine(s) still running after the tests:\n\n%s\n",
				len(left), strings.Join(left, "\n\n"))
			code = 1
		}
	}
	os.Exit(code)
}

// fuzzing reports whether the run is a fuzzing one, whose workers end at any
// moment and whose engine keeps goroutines of its own.
func fuzzing() bool {
	for _, name := range []string{"test.fuzz", "test.fuzzworker"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" && f.Value.String() != "false" {
			return true
		}
	}
	return false
}

// leftover polls until no goroutine of a test is left or wait has passed, and
// returns the stacks of those that remain.
func leftover(wait time.Duration) []string {
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
	deadline := time.Now().Add(wait)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		left := running()
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(pause)
	}
}

// running returns the stacks of all goroutines but the caller's and the
// harmless ones, sorted so that equal runs print equal reports.
func running() []string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf)) // cut off: a goroutine may be missing
	}
	var left []string
	// The first stack is the calling goroutine's.
	for _, stack := range strings.Split(string(buf), "\n\n")[1:] {
		if stack = strings.TrimSpace(stack); stack != "" && !isHarmless(stack) {
			left = append(left, stack)
		}
	}
	slices.Sort(left)
	return left
}

func isHarmless(stack string) bool {
	// "created by" names the starter, which says nothing about what runs.
	body, _, _ := strings.Cut(stack, "\ncreated by ")
	return slices.ContainsFunc(harmless, func(s string) bool { return strings.Contains(body, s) })
}
