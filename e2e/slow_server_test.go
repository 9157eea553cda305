package e2e

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio"
)

// This file has the server that broadcasts while some of its clients do not read. It runs in a
// process of its own, so that its memory can be measured.

const (
	tickEvery = 400 * time.Millisecond // to everyone
	tickSize  = 1 << 10
	bulkEvery = 25 * time.Millisecond // to those who asked for it: 2.6 MB/s
	bulkSize  = 64 << 10
	// greeting is what some clients get first: more than the kernel's buffers hold, and
	// less than the queue's limit.
	greeting = 900 << 10

	// slowTimeout is the server's Options.WriteTimeout, and queueLimit its SendQueueLimit.
	slowTimeout = 2 * time.Second
	queueLimit  = 1 << 20
)

// broadcastStats is the state of the server.
type broadcastStats struct {
	Sockets    int
	Goroutines int
	Heap       uint64                     // bytes alive
	RSS        uint64                     // bytes; 0 where it is not known
	Reasons    map[string]socketio.Reason // by the name of each client that left
	Wrong      string                     // the first error, if any
}

// broadcaster records which clients left.
type broadcaster struct {
	mu      sync.Mutex
	sockets int
	reasons map[string]socketio.Reason
	wrong   string
}

func (b *broadcaster) connect(c *socketio.Context, auth struct {
	Name           string
	Bulk, Greeting bool
}) error {
	c.Session().Set("name", auth.Name)
	b.mu.Lock()
	b.sockets++
	b.mu.Unlock()
	switch {
	case auth.Bulk:
		return c.Join("bulk")
	case auth.Greeting:
		return c.Emit("greeting", strings.Repeat("x", greeting))
	}
	return nil
}

func (b *broadcaster) disconnect(c *socketio.Context, reason socketio.Reason) {
	name, _ := c.Session().Get("name").(string)
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, twice := b.reasons[name]; twice {
		b.wrong = "two disconnect handlers for " + name
	}
	b.sockets--
	b.reasons[name] = reason
}

func (b *broadcaster) stats() broadcastStats {
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	var pages uint64
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := strings.Fields(string(statm)); len(fields) > 1 {
			pages, _ = strconv.ParseUint(fields[1], 10, 64)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	reasons := make(map[string]socketio.Reason, len(b.reasons))
	for name, reason := range b.reasons {
		reasons[name] = reason
	}
	return broadcastStats{b.sockets, runtime.NumGoroutine(), mem.HeapAlloc, pages * uint64(os.Getpagesize()), reasons, b.wrong}
}

type connKey struct{}

func broadcastProgram() {
	programConfig(new(struct{}))
	b := &broadcaster{reasons: make(map[string]socketio.Reason)}
	srv := socketio.NewServer(&socketio.Options{WriteTimeout: slowTimeout, Limits: socketio.Limits{SendQueueLimit: queueLimit}, Logger: slog.New(slog.DiscardHandler)})
	srv.On("connect", b.connect)
	srv.On("disconnect", b.disconnect)
	go every(tickEvery, func() {
		_ = srv.Emit("tick", socketio.Args{time.Now().UnixNano(), strings.Repeat("x", tickSize)})
	})
	bulk := strings.Repeat("x", bulkSize)
	go every(bulkEvery, func() { _ = srv.Emit("bulk", bulk, socketio.To("bulk")) })

	mux := http.NewServeMux()
	mux.HandleFunc("/stats", func(w http.ResponseWriter, r *http.Request) { _ = json.NewEncoder(w).Encode(b.stats()) })
	mux.HandleFunc("/socket.io/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("narrow") { // its small buffers are full at once
			_ = r.Context().Value(connKey{}).(*net.TCPConn).SetWriteBuffer(4 << 10)
		}
		srv.ServeHTTP(w, r)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	programPrint(listener.Addr().String())
	web := &http.Server{Handler: mux, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}}
	panic(web.Serve(listener))
}

func every(d time.Duration, f func()) {
	for range time.Tick(d) {
		f()
	}
}
