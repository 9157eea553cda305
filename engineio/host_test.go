package engineio_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// patience is how long a test waits for what must come. Most tests run in a synctest bubble, where it costs nothing.
const patience = time.Minute

// host is a server under test in memory, and the connections it has.
//
// At the end of the test it checks that Closed was called exactly once for every accepted connection, and that the
// server is left without connections and goroutines.
type host struct {
	t     *testing.T
	srv   *engineio.Server
	tr    *eiotest.Transport
	echo  bool                                   // set before clients connect
	onNew func(*peer) (engineio.Receiver, error) // called by OnConnect; nil accepts

	peers chan *peer // accepted, in order

	mu  sync.Mutex
	all []*peer
	log bytes.Buffer
}

// peer is the server's side of a connection: a Receiver that records.
type peer struct {
	*engineio.Conn
	engineio.ReceiverFuncs // of the methods that it does not have itself
	h                      *host
	msgs                   chan string // see describe

	mu     sync.Mutex
	ended  chan struct{} // closed by the first Closed
	closed int           // calls of Closed
	reason engineio.Reason
	err    error
}

// newHost starts a server, which takes clients of both revisions. Its OnConnect and Logger are the host's.
func newHost(t *testing.T, opts *engineio.Options, trOpts *eiotest.TransportOptions) *host {
	t.Helper()
	var o engineio.Options
	if opts != nil {
		o = *opts
	}
	o.AllowEIO3 = true
	return newHostWith(t, o, trOpts)
}

// newHostWith is newHost without AllowEIO3.
func newHostWith(t *testing.T, o engineio.Options, trOpts *eiotest.TransportOptions) *host {
	t.Helper()
	h := &host{t: t, peers: make(chan *peer, 1000)}
	o.OnConnect = h.connected
	o.Logger = slog.New(slog.NewTextHandler(h, &slog.HandlerOptions{Level: slog.LevelDebug}))
	srv, err := engineio.NewServer(&o)
	require.NoError(t, err)
	h.srv = srv
	t.Cleanup(h.finish)
	h.tr = eiotest.Serve(t, srv, trOpts)
	return h
}

func (h *host) connected(c *engineio.Conn) (engineio.Receiver, error) {
	p := &peer{Conn: c, h: h, msgs: make(chan string, 100_000), ended: make(chan struct{})}
	if h.onNew != nil {
		if r, err := h.onNew(p); r != engineio.Receiver(p) || err != nil {
			return r, err
		}
	}
	h.mu.Lock()
	h.all = append(h.all, p)
	h.mu.Unlock()
	h.peers <- p
	return p, nil
}

func (h *host) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	assert.NoError(h.t, h.srv.Shutdown(ctx), "connections or goroutines of the server are left")
	assert.Zero(h.t, h.srv.Len(), "connections after Shutdown")
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.all {
		p.mu.Lock()
		assert.Equal(h.t, 1, p.closed, "calls of Closed")
		p.mu.Unlock()
	}
}

// Write takes the server's log.
func (h *host) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.Write(b)
}

func (h *host) logged() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.String()
}

// connect connects a client.
func (h *host) connect(mode eiotest.Mode) (*eiotest.Client, *peer) {
	h.t.Helper()
	return h.connectWith(eiotest.Options{Mode: mode})
}

func (h *host) connectWith(opts eiotest.Options) (*eiotest.Client, *peer) {
	h.t.Helper()
	opts.Transport = h.tr
	c := eiotest.Connect(h.t, nil, &opts)
	return c, h.peer()
}

// raw opens a polling session that does nothing by itself.
func (h *host) raw() (*eiotest.Raw, *peer) {
	h.t.Helper()
	raw := &eiotest.Raw{Transport: h.tr}
	_, _, err := raw.Handshake(h.t.Context())
	require.NoError(h.t, err)
	return raw, h.peer()
}

// peer returns the next accepted connection.
func (h *host) peer() *peer {
	h.t.Helper()
	return next(h.t, h.peers)
}

// next receives from a channel.
func next[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}

func describe(data []byte, binary bool) string {
	if binary {
		return "binary " + string(data)
	}
	return "text " + string(data)
}

func (p *peer) Message(data []byte, binary bool) <-chan struct{} {
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed > 0 {
		p.h.t.Errorf("a message after Closed: %.50q", data)
	}
	p.msgs <- describe(data, binary)
	if p.h.echo {
		_ = p.Send(frames(string(data), binary))
	}
	return nil
}

func (p *peer) Closed(reason engineio.Reason, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed++
	if p.closed == 1 {
		p.reason, p.err = reason, err
		close(p.ended)
	}
}

// text queues a text message.
func (p *peer) text(s string) {
	p.h.t.Helper()
	require.NoError(p.h.t, p.Send(engineio.TextFrames(s)))
}

// want checks the next messages.
func (p *peer) want(messages ...string) {
	p.h.t.Helper()
	for _, m := range messages {
		require.Equal(p.h.t, m, next(p.h.t, p.msgs))
	}
}

// wantNone checks that no message is left.
func (p *peer) wantNone() {
	p.h.t.Helper()
	select {
	case m := <-p.msgs:
		p.h.t.Errorf("an unexpected message: %.50q", m)
	default:
	}
}

// wantClosed waits for the end and checks it: what Closed got and what the context tells.
func (p *peer) wantClosed(reason engineio.Reason) error {
	p.h.t.Helper()
	next(p.h.t, p.ended)
	p.mu.Lock()
	defer p.mu.Unlock()
	assert.Equal(p.h.t, reason, p.reason, "reason (detail: %v)", p.err)
	var cause *engineio.CloseError
	if assert.ErrorAs(p.h.t, context.Cause(p.Context()), &cause) {
		assert.Equal(p.h.t, p.reason, cause.Reason)
		assert.Equal(p.h.t, p.err, cause.Err)
		assert.ErrorIs(p.h.t, cause, engineio.ErrClosed)
	}
	assert.ErrorIs(p.h.t, p.Send(engineio.TextFrames("x")), engineio.ErrClosed)
	sent, err := p.SendVolatile(engineio.TextFrames("x"))
	assert.False(p.h.t, sent)
	assert.ErrorIs(p.h.t, err, engineio.ErrClosed)
	return p.err
}

// isOpen checks that the connection works in both directions.
func (p *peer) isOpen(c *eiotest.Client) {
	p.h.t.Helper()
	p.text("still")
	wantMessages(p.h.t, c, "text still")
	require.NoError(p.h.t, c.Send("there"))
	p.want("text there")
}

func frames(s string, binary bool) *engineio.Frames {
	if binary {
		return engineio.BinaryFrames([]byte(s))
	}
	return engineio.TextFrames(s)
}

// wantMessages checks the next messages that a client receives.
func wantMessages(t *testing.T, c *eiotest.Client, messages ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, want := range messages {
		m, err := c.Receive(ctx)
		require.NoError(t, err)
		got := describe(m.Data, m.Binary)
		if len(got)+len(want) > 200 {
			require.True(t, got == want, "got %.50q... (%d bytes), want %.50q... (%d bytes)", got, len(got), want, len(want))
		}
		require.Equal(t, want, got)
	}
}

// wantEnd waits for the end of a client and checks how it came.
func wantEnd(t *testing.T, c *eiotest.Client, kind eiotest.CloseKind) *eiotest.CloseError {
	t.Helper()
	next(t, c.Closed())
	c.Wait()
	assert.Equal(t, kind, c.Err().Kind, c.Err().Error())
	return c.Err()
}

// get sends a poll on its own goroutine.
func get(t *testing.T, raw *eiotest.Raw) <-chan *eiotest.Response {
	return async(t, func() (*eiotest.Response, error) { return raw.Get(t.Context()) })
}

// async sends a request on its own goroutine; the channel gets nil if it fails.
func async(t *testing.T, request func() (*eiotest.Response, error)) <-chan *eiotest.Response {
	answer := make(chan *eiotest.Response, 1)
	go func() {
		resp, err := request()
		if err != nil {
			t.Logf("request: %v", err)
			resp = nil
		}
		answer <- resp
	}()
	return answer
}

// wantOK checks an answer.
func wantOK(t *testing.T, resp *eiotest.Response, err error, body string) {
	t.Helper()
	require.NoError(t, err)
	require.NotNil(t, resp, "the request failed")
	assert.Equal(t, http.StatusOK, resp.Status, resp.Body)
	assert.Equal(t, []string{"nosniff"}, resp.Header.Values("X-Content-Type-Options"))
	assert.Equal(t, body, resp.Body)
}

// wantRefused checks a refusal: the status and the body of the reference server, and the detail in the header, letter
// case aside.
func wantRefused(t *testing.T, resp *eiotest.Response, err error, status int, code, detail string) {
	t.Helper()
	var refused *eiotest.RefusedError
	if errors.As(err, &refused) {
		resp, err = refused.Response, nil
	}
	require.NoError(t, err)
	require.NotNil(t, resp, "the request failed")
	if status == http.StatusForbidden && resp.Header.Get("Content-Type") == "text/html" {
		status = http.StatusBadRequest // of a WebSocket handshake
	}
	assert.Equal(t, status, resp.Status, resp.Body)
	assert.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	assert.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	assert.Contains(t, strings.ToLower(resp.Header.Get(engineio.RefusalHeader)), strings.ToLower(detail))
	message := cmp.Or(codeMessages[code], code)
	switch kind := resp.Header.Get("Content-Type"); {
	case kind == "" || code == "HEAD":
		assert.Empty(t, resp.Body)
	case kind == "text/html": // a WebSocket handshake
		assert.Equal(t, message, resp.Body)
	default:
		assert.Equal(t, "application/json", kind)
		assert.Equal(t, `{"code":`+code+`,"message":"`+message+`"}`, resp.Body)
	}
}

// codeMessages are the reference server's.
var codeMessages = map[string]string{
	"0": "Transport unknown", "1": "Session ID unknown", "2": "Bad handshake method", "3": "Bad request", "4": "Forbidden", "5": "Unsupported protocol version",
}

// wantRefusedByApp checks a refusal by OnConnect, which is the same over every transport.
func wantRefusedByApp(t *testing.T, err error, status int, code, message string) {
	t.Helper()
	var refused *eiotest.RefusedError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, status, refused.Response.Status)
	assert.Equal(t, "application/json", refused.Response.Header.Get("Content-Type"))
	assert.Equal(t, `{"code":`+code+`,"message":"`+message+`"}`, refused.Response.Body)
	assert.Empty(t, refused.Response.Header.Values(engineio.RefusalHeader))
}
