package socketio_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/seed-d124fa34/socketio/socketiotest"
)

// connect returns a client of an example: one of package socketiotest, whose
// clients belong to a test everywhere else. It is given back when the server
// shuts down, as every example with clients makes it do.
func connect(h http.Handler, opts ...socketiotest.Options) *socketiotest.Client {
	tb := new(exampleTB)
	c := socketiotest.Connect(tb, h, &append(opts, socketiotest.Options{})[0])
	go func() {
		<-c.Disconnected()
		tb.end()
	}()
	return c
}

// exampleTB is what clients take for their test.
type exampleTB struct {
	testing.TB // for what is not called

	mu       sync.Mutex
	cleanups []func()
}

func (tb *exampleTB) Helper()             {}
func (tb *exampleTB) Logf(string, ...any) {}

func (tb *exampleTB) Cleanup(f func()) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.cleanups = append(tb.cleanups, f)
}

func (tb *exampleTB) end() {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	for _, f := range tb.cleanups {
		f()
	}
}

func (tb *exampleTB) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (tb *exampleTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (tb *exampleTB) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
