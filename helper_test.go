package socketio_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// logs collects what a server logs.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// newServer returns a server that is shut down when the test ends, by when it
// has to have forgotten everything. Its log is silent unless opts has a Logger.
func newServer(t testing.TB, opts *socketio.Options) *socketio.Server {
	t.Helper()
	var o socketio.Options
	if opts != nil {
		o = *opts
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	srv := socketio.NewServer(&o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if sids, rooms, running := srv.Sizes(); sids+rooms+running != 0 {
			t.Errorf("after Shutdown %d sids, %d rooms and %d sockets remain", sids, rooms, running)
		}
	})
	return srv
}

// peer is a client that speaks Socket.IO packets as text.
type peer struct {
	t testing.TB
	c *eiotest.Client
	// sid is the session id in the namespace connected last.
	sid string
}

func dialWith(t testing.TB, srv http.Handler, opts eiotest.Options) *peer {
	t.Helper()
	opts.Path = "/socket.io/"
	if opts.Transport == nil {
		opts.Transport = eiotest.Serve(t, srv, nil)
	}
	return &peer{t: t, c: eiotest.Connect(t, nil, &opts)}
}

func dial(t testing.TB, srv http.Handler, mode eiotest.Mode) *peer {
	t.Helper()
	return dialWith(t, srv, eiotest.Options{Mode: mode})
}

// join dials and connects to the namespaces, "/" if there are none.
func join(t testing.TB, srv http.Handler, mode eiotest.Mode, namespaces ...string) *peer {
	t.Helper()
	p := dial(t, srv, mode)
	if len(namespaces) == 0 {
		namespaces = []string{"/"}
	}
	for _, ns := range namespaces {
		p.connect(ns)
	}
	return p
}

func prefix(ns string) string {
	if ns == "/" {
		return ""
	}
	return ns + ","
}

// connect connects to a namespace and returns the session id.
func (p *peer) connect(ns string) string {
	p.t.Helper()
	p.send("0" + prefix(ns))
	return p.connected(ns)
}

// connected expects the CONNECT packet of a namespace.
func (p *peer) connected(ns string) string {
	p.t.Helper()
	got := p.next()
	payload, ok := strings.CutPrefix(got, "0"+prefix(ns))
	require.True(p.t, ok, "got %s, want a CONNECT packet of %s", got, ns)
	var reply struct{ SID string }
	require.NoError(p.t, json.Unmarshal([]byte(payload), &reply), got)
	require.Len(p.t, reply.SID, 27)
	p.sid = reply.SID
	return reply.SID
}

// send sends packets.
func (p *peer) send(packets ...string) {
	p.t.Helper()
	for _, s := range packets {
		if bin, ok := strings.CutPrefix(s, "b:"); ok {
			require.NoError(p.t, p.c.SendBinary([]byte(bin)))
			continue
		}
		require.NoError(p.t, p.c.Send(s))
	}
}

// next returns the next message; a binary one begins with "b:".
func (p *peer) next() string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	m, err := p.c.Receive(ctx)
	require.NoError(p.t, err)
	if m.Binary {
		return "b:" + string(m.Data)
	}
	return string(m.Data)
}

// want expects messages, exactly these and in this order.
func (p *peer) want(packets ...string) {
	p.t.Helper()
	for _, want := range packets {
		require.Equal(p.t, want, p.next())
	}
}

// wantAckEvent expects an event of "/" with an acknowledgement id, which it returns.
func (p *peer) wantAckEvent(rest string) (id string) {
	p.t.Helper()
	got := p.next()
	m := regexp.MustCompile(`^2((?:/[^,]*,)?)(\d+)(\[.*)$`).FindStringSubmatch(got)
	require.NotNil(p.t, m, "got %s, want an event with an acknowledgement id", got)
	require.Equal(p.t, rest, m[1]+m[3])
	return m[2]
}

// quiet expects that nothing has been sent that was not received yet. It
// works in a synctest bubble only.
func (p *peer) quiet() {
	p.t.Helper()
	synctest.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if m, err := p.c.Receive(ctx); err == nil {
		p.t.Fatalf("got %s, want nothing", m.Data)
	}
}

// closed expects that the connection ends, with nothing before.
func (p *peer) closed() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	m, err := p.c.Receive(ctx)
	require.Error(p.t, err, "got %s, want the end of the connection", m.Data)
	require.ErrorIs(p.t, err, eiotest.ErrClosed)
}

// record collects what handlers have seen.
type record struct {
	mu    sync.Mutex
	lines []string
}

func (r *record) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// take returns what was recorded since the last take.
func (r *record) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.lines
	r.lines = nil
	return lines
}

func (r *record) want(t testing.TB, lines ...string) {
	t.Helper()
	synctest.Wait()
	if got := r.take(); len(got)+len(lines) > 0 {
		require.Equal(t, lines, got)
	}
}

// modes runs a test in a synctest bubble over polling, WebSocket and upgrade.
func modes(t *testing.T, f func(t *testing.T, mode eiotest.Mode)) {
	t.Helper()
	eiotest.RunSync(t, f)
}

// bubble runs a test that does not depend on the transport, in a synctest bubble.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func synctestWait() { synctest.Wait() }

// logger logs everything to l.
func logger(l *logs) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// sidsOf returns the session ids of everyone in a namespace.
func sidsOf(n interface {
	Sockets() iter.Seq[*socketio.Socket]
}) (sids []string) {
	for s := range n.Sockets() {
		sids = append(sids, s.ID())
	}
	return sids
}

// membersOf returns the session ids in a room.
func membersOf(t require.TestingT, n interface {
	Members(room string) ([]string, error)
}, room string) []string {
	sids, err := n.Members(room)
	require.NoError(t, err)
	return sids
}
