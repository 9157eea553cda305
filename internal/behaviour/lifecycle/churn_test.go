package lifecycle_test

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// churnSize is how many clients come and go: the environment variable CHURN, which "make churn" sets, or a number that
// takes a second or two.
func churnSize(t *testing.T, normal int) int {
	s := os.Getenv("CHURN")
	if s == "" {
		return normal
	}
	n, err := strconv.Atoi(s)
	require.NoError(t, err, "CHURN")
	return n
}

// Clients of every kind (churn_lives_test.go), good, bad and broken ones, come and go in random order. When the last has
// gone the server is what it was before the first: no session, socket, room, goroutine or connection, and the heap has
// the objects that it had. CHURN_SEED repeats an order.
//
// In memory, time costs nothing: every life is lived to its end, however long the server waits for a client.
func TestChurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newChurnServer(t)
		tr := eiotest.Serve(t, srv, nil)
		c := &churn{t: t, srv: srv, workers: 16, failed: func(err error) { t.Error(err) }, dial: func() (net.Conn, error) { return tr.DialConn(context.Background()) }}
		c.run(churnSize(t, 5000), lives, func() usage {
			time.Sleep(time.Minute) // past every timeout
			synctest.Wait()
			u := measure(srv, tr.Conns())
			u.goroutines = bytes.Count(stacks(), []byte(", synctest bubble ")) // others of the process come and go
			return u
		})
	})
}

// The same over sockets of the operating system, where connections are written and read in other ways. Lives that the
// server waits for by the clock, for five seconds, are left to TestChurn unless CHURN is set.
func TestChurnOverSockets(t *testing.T) {
	srv := newChurnServer(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	web := &http.Server{Handler: srv, ReadHeaderTimeout: time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	var open atomic.Int64
	web.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = web.Serve(l)
	}()
	t.Cleanup(func() {
		_ = web.Close()
		<-served
	})
	all := lives
	if os.Getenv("CHURN") == "" {
		all = slices.DeleteFunc(slices.Clone(lives), func(l life) bool { return l.lingers })
	}
	addr := l.Addr().String()
	// A machine that is busy makes a client miss its time, and its life is another than it was to be: as good.
	c := &churn{t: t, srv: srv, workers: 32, failed: func(err error) { t.Log(err) }, dial: func() (net.Conn, error) { return net.Dial("tcp", addr) }}
	var before *usage
	n := churnSize(t, 1000)
	c.run(n, all, func() usage {
		deadline := time.Now().Add(20 * time.Second)
		for last := 0; ; { // for goroutines, descriptors and what timers hold there is no condition to wait for
			got := look(srv, int(open.Load()))
			if over := time.Now().After(deadline); over || got.idle() && (before == nil || got.goroutines <= before.goroutines && got.files <= before.files) {
				got = measure(srv, int(open.Load()))
				if over || before != nil && got.objects <= before.objects+allowance(n, all) || before == nil && got.objects >= last-20 && last > 0 {
					before = &got
					return got
				}
				last = got.objects
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// usage is what a server holds.
type usage struct {
	sessions, sids, rooms, sockets, conns int // all of them zero when everybody has gone
	goroutines, files, objects            int
}

func (u usage) idle() bool { return u.sessions+u.sids+u.rooms+u.sockets+u.conns == 0 }

// look counts what a server holds, but for the heap. A descriptor that was forgotten is there until the garbage
// collector finds it.
func look(srv *churnHost, conns int) usage {
	u := usage{conns: conns, sids: srv.known(), goroutines: runtime.NumGoroutine()}
	st := srv.Stats()
	u.sessions, u.rooms = st.Polling+st.WebSocket, st.Rooms
	for _, n := range st.Sockets {
		u.sockets += n
	}
	if entries, err := os.ReadDir("/proc/self/fd"); err == nil {
		u.files = len(entries)
	}
	return u
}

func measure(srv *churnHost, conns int) usage {
	u := look(srv, conns)
	for range 3 { // what a sync.Pool holds goes with the second
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.objects = int(m.HeapObjects)
	return u
}

func stacks() []byte {
	buf := make([]byte, 1<<20)
	return buf[:runtime.Stack(buf, true)]
}

type churn struct {
	t       *testing.T
	srv     *churnHost
	dial    func() (net.Conn, error)
	workers int
	failed  func(error) // a life that went another way
}

// allowance is how many objects on the heap n lives may leave. A session that stays
// is more than ten objects, and each kind of life is lived n/len(lives) times: about
// 100 times in memory, 25 over sockets. What is allowed are maps and pools that still
// grow to the size they keep.
func allowance(n int, lives []life) int { return max(n/len(lives)/2, 150) }

// run lives n lives in random order, and compares what measure finds before and after.
func (c *churn) run(n int, lives []life, measure func() usage) {
	t := c.t
	seed := rand.Uint64()
	if s := os.Getenv("CHURN_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err, "CHURN_SEED")
	}
	t.Logf("CHURN_SEED=%d", seed)
	c.live(2000, lives, seed+1) // what is made once is made now, and maps grow to the size they need
	before := measure()
	begin := time.Now()
	c.live(n, lives, seed)
	took := time.Since(begin)
	after := measure()
	t.Logf("%d lives of %d kinds in %v\nbefore: %+v\nafter:  %+v", n, len(lives), took.Round(time.Millisecond), before, after)
	require.True(t, before.idle(), "not idle before: %+v", before)
	require.True(t, after.idle(), "something is left: %+v", after)
	require.LessOrEqual(t, after.goroutines, before.goroutines, "goroutines:\n%s", stacks())
	require.LessOrEqual(t, after.files, before.files, "file descriptors")
	require.LessOrEqual(t, after.objects, before.objects+allowance(n, lives), "objects on the heap")
	require.Equal(t, c.srv.accepted.Load(), c.srv.left.Load(), "calls of the connect handler that accepted, and of the disconnect handler")
	require.Zero(t, c.srv.calls.Load(), "calls to clients that have not returned")
}

func (c *churn) live(n int, lives []life, seed uint64) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range c.workers {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(n) {
					return
				}
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				l := lives[r.IntN(len(lives))]
				if i <= int64(len(lives)) {
					l = lives[i-1] // each kind at least once
				}
				v := &guest{Rand: r, dial: c.dial}
				if err := v.run(l); err != nil {
					c.failed(fmt.Errorf("life %d, %s: %w", i, l.name, err))
				}
			}
		})
	}
	wg.Wait()
}

// churnHost is the server that the guests find, and what it counts.
type churnHost struct {
	*socketio.Server
	accepted, left atomic.Int64
	calls          atomic.Int64 // Calls that have not returned
	// asked are the session ids of those who wanted to connect last, the next one at the place next. It
	// never grows, so that it does not show in the heap.
	mu    sync.Mutex
	asked [][27]byte
	next  int
}

func (s *churnHost) note(sid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	copy(s.asked[s.next][:], sid)
	s.next = (s.next + 1) % len(s.asked)
}

// known returns how many of the session ids in asked the server remembers.
func (s *churnHost) known() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sid := range s.asked {
		if s.Socket(string(sid[:])) != nil {
			n++
		}
	}
	return n
}

var errNotToday = errors.New("not today")

func newChurnServer(t *testing.T) *churnHost {
	s := &churnHost{asked: make([][27]byte, 1<<14)}
	s.Server = siotest.NewServer(t, &socketio.Options{
		PingInterval: 300 * time.Millisecond, PingTimeout: 300 * time.Millisecond, UpgradeTimeout: 200 * time.Millisecond,
		WriteTimeout: 200 * time.Millisecond, ConnectTimeout: 500 * time.Millisecond, Limits: socketio.Limits{SendQueueLimit: 256 << 10},
		Namespaces: []string{"/quiet"}, PerMessageDeflate: true,
		Session: func(r *http.Request) map[string]any {
			if r.URL.Query().Has("refuse") {
				panic(errNotToday)
			}
			return map[string]any{"address": r.RemoteAddr}
		},
	})
	s.On("connect", func(c *socketio.Context, auth map[string]any) error {
		s.note(c.ID())
		switch {
		case auth["refuse"] != nil:
			return errNotToday
		case auth["panic"] != nil:
			panic(errNotToday)
		case auth["slow"] != nil:
			<-c.Context().Done() // the client goes while it waits
		}
		if err := c.Join("everyone"); err != nil {
			return err
		}
		s.accepted.Add(1)
		return nil
	})
	s.On("disconnect", func(c *socketio.Context) { s.left.Add(1) })
	s.On("echo", func(c *socketio.Context, v any) (any, error) { return v, c.Emit("echo", v) })
	s.On("rooms", func(c *socketio.Context, n int) error {
		for i := range n {
			if err := c.Join(fmt.Sprint(c.ID(), i)); err != nil {
				return err
			}
			if err := c.Join(fmt.Sprint("shared", i)); err != nil {
				return err
			}
		}
		c.Session().Set("rooms", c.Rooms())
		return c.Emit("joined", nil)
	})
	big := make([]byte, 100_000) // not to be compressed
	_, _ = crand.Read(big)
	s.On("flood", func(c *socketio.Context, n int) error {
		for range n {
			if err := c.Emit("flood", big); err != nil {
				return err
			}
		}
		return nil
	})
	s.On("ask", func(c *socketio.Context) error {
		_ = c.Emit("question", nil, socketio.OnAck(func(*socketio.Context, string) {}))
		s.calls.Add(2)
		go func() { // owned by the socket: it ends when the client leaves
			defer s.calls.Add(-1)
			_, _ = c.Call(context.Background(), "question", nil)
		}()
		defer s.calls.Add(-1)
		_, err := c.Call(context.Background(), "question", nil)
		return err
	})
	s.On("panic", func(*socketio.Context) { panic(errNotToday) })
	s.On("part", func(c *socketio.Context) { c.Disconnect() })
	s.On("bye", func(c *socketio.Context) { c.CloseConnection() })
	return s
}
