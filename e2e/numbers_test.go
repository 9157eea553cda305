package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
)

// This file has the server for numbers.mjs. It records what its handlers see, each event
// before it is acknowledged.

// Kinds of records.
const (
	recListen     = "listen"     // the server is there, in Addr
	recConnect    = "connect"    // the connect handler ran
	recUp         = "up"         // number N came from the client
	recAnswered   = "answered"   // the client acknowledged number N of the server
	recDisconnect = "disconnect" // the disconnect handler ran
	recWrong      = "wrong"      // what Reason says
)

// record is one thing that a handler saw.
type record struct {
	Kind   string
	SID    string          `json:",omitempty"`
	Client string          `json:",omitempty"`
	N      int             `json:",omitempty"`
	Reason socketio.Reason `json:",omitempty"`
	Addr   string          `json:",omitempty"`
}

// journal is what the handlers of one or several servers saw, in order.
type journal struct {
	mu      sync.Mutex
	records []record
}

func (j *journal) add(r record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, r)
}

func (j *journal) all() []record {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.records)
}

// open counts the sessions that have not ended.
func (j *journal) open() int {
	n := 0
	for _, r := range j.all() {
		switch r.Kind {
		case recConnect:
			n++
		case recDisconnect:
			n--
		}
	}
	return n
}

// numbersConfig configures a server for numbers.
type numbersConfig struct {
	Addr                      string
	PingInterval, PingTimeout time.Duration
	Work                      time.Duration // the longest time that a handler takes
	DrainWindow               time.Duration
}

// newNumbers returns a server that answers each number with one of its own, and
// sends ticks to everyone until ctx is done.
func newNumbers(ctx context.Context, config numbersConfig, note func(record)) *socketio.Server {
	srv := socketio.NewServer(&socketio.Options{
		PingInterval: config.PingInterval,
		PingTimeout:  config.PingTimeout,
		WriteTimeout: 2 * time.Second,
		DrainWindow:  config.DrainWindow,
		Logger:       slog.New(slog.DiscardHandler),
	})
	srv.On("connect", func(c *socketio.Context, auth struct{ Client string }) {
		note(record{Kind: recConnect, SID: c.ID(), Client: auth.Client})
	})
	srv.On("disconnect", func(c *socketio.Context, reason socketio.Reason) {
		note(record{Kind: recDisconnect, SID: c.ID(), Reason: reason})
	})
	srv.On("up", func(c *socketio.Context, n int, data any) (int, error) {
		if !goodData(n, data) {
			note(record{Kind: recWrong, SID: c.ID(), N: n, Reason: "its data"})
		}
		if config.Work > 0 {
			time.Sleep(rand.N(config.Work))
		}
		note(record{Kind: recUp, SID: c.ID(), N: n})
		k := c.Session().Add("downs", 1) - 1
		var down any = strings.Repeat("y", k%1000)
		if k%3 == 0 {
			down = bytes.Repeat([]byte{byte(k)}, k%1000)
		}
		// The call fails if the client has gone.
		_ = c.Emit("down", socketio.Args{k, down}, socketio.OnAck(func(c *socketio.Context, answer int) {
			if answer != k {
				note(record{Kind: recWrong, SID: c.ID(), N: k, Reason: "its acknowledgement"})
			}
			note(record{Kind: recAnswered, SID: c.ID(), N: k})
		}))
		return n, nil
	})
	srv.OnError(func(c *socketio.Context, err error) any {
		note(record{Kind: recWrong, SID: c.ID(), Reason: socketio.Reason(err.Error())})
		return nil
	})
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			_ = srv.Emit("tick", i)
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	return srv
}

func goodData(n int, data any) bool {
	if n%3 != 0 {
		return data == strings.Repeat("x", n%1000)
	}
	b, ok := data.([]byte)
	return ok && bytes.Equal(b, bytes.Repeat([]byte{byte(n)}, n%1000))
}

// serveNumbers serves a server for numbers in this process and returns its
// address. The caller must wait until all sessions have ended: the shutdown at the end of
// the test is not meant to end them.
func serveNumbers(t *testing.T, config numbersConfig, j *journal) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	srv := newNumbers(ctx, config, j.add)
	listener, err := net.Listen("tcp", config.Addr)
	require.NoError(t, err)
	web := &http.Server{Handler: srv}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = web.Serve(listener)
	}()
	t.Cleanup(func() {
		cancel()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		assert.NoError(t, srv.Shutdown(ctx))
		_ = web.Close()
		<-served
	})
	return listener.Addr().String()
}

// numbersProgram is the same server in a process of its own. SIGTERM ends it.
func numbersProgram() {
	var config numbersConfig
	programConfig(&config)
	term, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	srv := newNumbers(context.Background(), config, func(r record) { programPrint(r) })
	listener, err := net.Listen("tcp", config.Addr)
	if err != nil {
		panic(err)
	}
	programPrint(record{Kind: recListen, Addr: listener.Addr().String()})
	web := &http.Server{Handler: srv}
	go func() {
		if err := web.Serve(listener); err != http.ErrServerClosed {
			panic(err)
		}
	}()
	<-term.Done()
	end, cancel := context.WithTimeout(context.Background(), 15*time.Second) // handlers may take 5 s, and the clients another 5 s
	defer cancel()
	if err := errors.Join(srv.Shutdown(end), web.Shutdown(end)); err != nil {
		panic(err)
	}
}

// startNumbers starts the program and waits until it listens.
func startNumbers(t *testing.T, config numbersConfig, j *journal) (p *process, addr string) {
	t.Helper()
	listens := make(chan string, 1)
	p = startProcess(t, "numbers", config, func(line []byte) {
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			r = record{Kind: recWrong, Reason: socketio.Reason(fmt.Sprintf("line %q: %v", line, err))}
		}
		if r.Kind == recListen {
			listens <- r.Addr
			return
		}
		j.add(r)
	})
	select {
	case addr = <-listens:
	case <-p.ended:
		require.FailNow(t, "the server ended", "it is to listen on %s", config.Addr)
	}
	return p, addr
}
