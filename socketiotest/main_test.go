package socketiotest_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var transports = []socketiotest.Transport{socketiotest.WebSocket, socketiotest.Polling, socketiotest.Upgrade}

// each runs a subtest for each transport, in a synctest bubble and outside.
func each(t *testing.T, f func(t *testing.T, tr socketiotest.Transport)) {
	for _, tr := range transports {
		t.Run(string(tr), func(t *testing.T) { f(t, tr) })
	}
	eachBubble(t, f)
}

// eachBubble runs a subtest for each transport, in a synctest bubble.
func eachBubble(t *testing.T, f func(t *testing.T, tr socketiotest.Transport)) {
	for _, tr := range transports {
		t.Run(string(tr)+"/bubble", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, tr) })
		})
	}
}

// failing runs f with a testing.TB that fails without failing the test, ends
// it, and returns what it reported.
func failing(t testing.TB, f func(tb testing.TB)) string {
	t.Helper()
	tb := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(tb)
	}()
	<-done
	for i := len(tb.cleanups) - 1; i >= 0; i-- {
		tb.cleanups[i]()
	}
	return tb.log.String()
}

// wantFailure checks what failing returned.
func wantFailure(t testing.TB, got string, parts ...string) {
	t.Helper()
	rest := got
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Errorf("the test reported\n%s\nwithout %q", got, part)
			return
		}
		rest = after
	}
	if len(parts) == 0 && got != "" {
		t.Errorf("the test reported\n%s", got)
	}
}

type recorder struct {
	testing.TB
	mu       sync.Mutex
	log      bytes.Buffer
	cleanups []func()
}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Helper()          {}

func (r *recorder) write(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log.WriteString(strings.TrimSuffix(s, "\n") + "\n")
}

func (r *recorder) Logf(format string, args ...any)   { r.write(fmt.Sprintf(format, args...)) }
func (r *recorder) Errorf(format string, args ...any) { r.write(fmt.Sprintf(format, args...)) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.write(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (r *recorder) Fatal(args ...any) {
	r.write(fmt.Sprint(args...))
	runtime.Goexit()
}
