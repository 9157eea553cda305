package handover

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/httpbody"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
)

// Request is a request that has been handed over.
type Request struct {
	p         *Peers
	id        string // of the other server
	w         http.ResponseWriter
	in        *http.Request
	endpoint  *url.URL
	body      []byte // of a POST
	webSocket bool
	mark      string

	ctx      context.Context
	cancel   context.CancelCauseFunc
	patience *time.Timer // cuts it off

	out       atomic.Pointer[http.Request] // the request that was sent
	hijacked  bool
	hijackErr error // why the connection was not taken over
	err       error // why there is no answer
}

// read reads the body of a POST to its end, so that a client that sends slowly holds no
// resource of the other server.
func (h *Request) read(b *httpbody.Body) error {
	h.p.mu.Lock()
	h.p.reading[b] = true
	closed := h.p.closed
	h.p.mu.Unlock()
	if closed {
		_ = b.Until(time.Now().Add(closeTimeout))
	}
	var err error
	h.body, err = b.ReadAll(nil, h.in)
	h.p.mu.Lock()
	delete(h.p.reading, b)
	h.p.mu.Unlock()
	switch {
	case err == nil, err == httpbody.ErrTooLarge, b.WasCut():
		return err
	}
	return ErrBody
}

// wait returns how long the other server may be silent: longer than a client waits, whose
// polls and WebSockets get a PING in each ping interval.
func (h *Request) wait() time.Duration {
	return 2 * h.p.opts.Silence
}

// rewrite makes the request for the other server.
func (h *Request) rewrite(pr *httputil.ProxyRequest) {
	in, out := pr.In, pr.Out
	to := *h.endpoint
	to.RawQuery = in.URL.RawQuery
	out.URL, out.Host = &to, in.Host // the own origin depends on Host
	if h.p.opts.TrustForwarded {
		// This is the last server with a proxy in front of it.
		for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
			if v := in.Header[name]; v != nil {
				out.Header[name] = v
			}
		}
	} else {
		pr.SetXForwarded()
	}
	out.Header.Del("Expect")
	if out.Header["User-Agent"] == nil { // otherwise the proxy adds one later
		out.Header["User-Agent"] = []string{""}
	}
	out.Header[Header] = []string{h.mark}
	if h.in.Method == http.MethodPost {
		out.Body, out.ContentLength, out.TransferEncoding = io.NopCloser(bytes.NewReader(h.body)), int64(len(h.body)), nil
	} else {
		// An empty body keeps http.Transport from repeating a poll: a lost answer
		// must be noticed.
		out.Body, out.ContentLength, out.TransferEncoding = io.NopCloser(strings.NewReader("")), 0, nil
	}
	h.out.Store(out)
}

// answered prepares the header of the answer for the client.
func (h *Request) answered(resp *http.Response) error {
	h.p.count.Add(1)
	header := h.w.Header()
	for name, values := range resp.Header {
		switch name {
		case "Set-Cookie": // of middleware on both servers
		case "Vary":
			resp.Header[name] = slices.DeleteFunc(values, func(v string) bool { return slices.Contains(header[name], v) })
		default:
			delete(header, name)
		}
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	if h.p.isClosed() { // the client's next request is for another server
		h.w.Header().Set("Connection", "close")
	}
	// A client has as much time for a poll's answer of this server.
	patience := 2 * h.p.opts.WriteTimeout
	h.p.opts.DeadlineSet(http.NewResponseController(h.w).SetWriteDeadline(time.Now().Add(patience)))
	h.patience.Reset(patience + dialTimeout)
	return nil
}

// failed notes why there is no answer.
func (h *Request) failed(_ http.ResponseWriter, _ *http.Request, err error) {
	switch {
	case h.hijacked || h.in.Context().Err() != nil: // the client has gone
	case context.Cause(h.ctx) == errSilent:
		h.unreachable(errSilent)
	case h.hijackErr != nil:
		h.err = &websock.HijackError{Err: h.hijackErr}
	case context.Cause(h.ctx) != nil: // from Cut, or from the body
		h.err = context.Cause(h.ctx)
	default:
		h.unreachable(err)
	}
}

func (h *Request) unreachable(err error) {
	h.p.opts.Warn(noticeAway, "a request cannot be handed over", "to", h.endpoint.Redacted(), "error", err)
	h.err = ErrUnreachable
}

// Context returns a context that ends with the request.
func (h *Request) Context() context.Context { return h.ctx }

// Drain ends the request because of a shutdown. A poll gets its answer soon, so that the
// session is not harmed. A WebSocket is cut off.
func (h *Request) Drain() {
	p := h.p
	p.mu.Lock()
	poll := !h.webSocket && h.in.Method == http.MethodGet && p.open[h]
	if poll {
		p.opts.Running.Add(1) // it was not zero, because the poll is open
	}
	p.mu.Unlock()
	switch {
	case poll:
		go h.release()
	case h.webSocket:
		h.cancel(ErrClosed)
	}
}

// release makes the other server answer the poll.
func (h *Request) release() {
	defer h.p.opts.Running.Done()
	for h.ctx.Err() == nil {
		if poll := h.out.Load(); poll != nil {
			r := poll.Clone(h.ctx)
			r.Method, r.Body, r.GetBody = http.MethodPost, http.NoBody, nil
			r.Header[Header] = []string{markRelease}
			if resp, err := h.p.transport.RoundTrip(r); err == nil {
				_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10))
				_ = resp.Body.Close()
			}
		}
		select {
		case <-time.After(releaseAgain):
		case <-h.ctx.Done():
		}
	}
}
