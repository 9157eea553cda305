package engineio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// handed is a request that has been handed over.
type handed struct {
	p         *peers
	id        string // of the other server
	w         http.ResponseWriter
	in        *http.Request
	endpoint  *url.URL
	body      []byte // of a POST
	transport string
	mark      string

	ctx      context.Context
	cancel   context.CancelCauseFunc
	patience *time.Timer // cuts it off

	out       atomic.Pointer[http.Request] // as it was sent
	hijacked  bool
	hijackErr error    // why not
	refusal   *Refusal // why there is no answer
}

// read reads the body of a POST: whole, so that no client that sends slowly holds
// anything but itself.
func (h *handed) read(b *body) *Refusal {
	h.p.mu.Lock()
	h.p.reading[b] = true
	closed := h.p.closed
	h.p.mu.Unlock()
	if closed {
		_ = b.until(time.Now().Add(closeTimeout))
	}
	var err error
	h.body, err = b.readAll(nil, h.in)
	h.p.mu.Lock()
	delete(h.p.reading, b)
	h.p.mu.Unlock()
	switch {
	case err == nil:
		return nil
	case err == errBodyTooLarge:
		refusal, _ := h.p.srv.refuseTooLarge()
		return refusal
	case errors.As(err, new(*limitError)):
		return refuseBusy
	}
	return badRequest("the body could not be read")
}

// wait returns how long the other server may be silent: longer than clients,
// whose polls and WebSockets get a PING in each PingInterval, bear.
func (h *handed) wait() time.Duration {
	return 2 * (h.p.srv.opts.PingInterval + h.p.srv.opts.PingTimeout)
}

// rewrite makes the request for the other server.
func (h *handed) rewrite(pr *httputil.ProxyRequest) {
	in, out := pr.In, pr.Out
	to := *h.endpoint
	to.RawQuery = in.URL.RawQuery
	out.URL, out.Host = &to, in.Host // which tells what the own origin is
	if h.p.srv.opts.TrustForwarded {
		// The last server in front of which a proxy stands is this one.
		for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
			if v := in.Header[name]; v != nil {
				out.Header[name] = v
			}
		}
	} else {
		pr.SetXForwarded()
	}
	out.Header.Del("Expect")
	if out.Header["User-Agent"] == nil { // or the proxy would, later
		out.Header["User-Agent"] = []string{""}
	}
	out.Header[markHeader] = []string{h.mark}
	if h.in.Method == http.MethodPost {
		out.Body, out.ContentLength, out.TransferEncoding = io.NopCloser(bytes.NewReader(h.body)), int64(len(h.body)), nil
	} else {
		// A body, empty as it is, keeps http.Transport from repeating a poll: an
		// answer that was lost has to be noticed.
		out.Body, out.ContentLength, out.TransferEncoding = io.NopCloser(strings.NewReader("")), 0, nil
	}
	h.out.Store(out)
}

// answered sees to the header of the answer.
func (h *handed) answered(resp *http.Response) error {
	h.p.count.Add(1)
	header := h.w.Header()
	for name, values := range resp.Header {
		switch name {
		case "Set-Cookie": // of middleware there and here
		case "Vary":
			resp.Header[name] = slices.DeleteFunc(values, func(v string) bool { return slices.Contains(header[name], v) })
		default:
			delete(header, name)
		}
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	if h.p.srv.isClosed() {
		endKeepAlive(h.w)
	}
	// As in writePayload.
	time2 := 2 * h.p.srv.opts.WriteTimeout
	h.p.srv.noteDeadline(http.NewResponseController(h.w).SetWriteDeadline(time.Now().Add(time2)))
	h.patience.Reset(time2 + peerDialTimeout)
	return nil
}

// failed notes why there is no answer.
func (h *handed) failed(_ http.ResponseWriter, _ *http.Request, err error) {
	switch {
	case h.hijacked || h.in.Context().Err() != nil: // nobody is there to be told
	case context.Cause(h.ctx) == ErrServerClosed:
		h.refusal = refusalOf(ErrServerClosed)
	case h.hijackErr != nil:
		h.refusal = refuseHijack(h.hijackErr)
	case errors.As(context.Cause(h.ctx), new(*limitError)):
		h.refusal = refuseBusy
	default:
		if cause := context.Cause(h.ctx); cause != nil {
			err = cause
		}
		h.p.warn(noticePeerAway, "a request cannot be handed over", "to", h.endpoint.Redacted(), "error", err)
		h.refusal = refuseNoPeer
	}
}

// Context returns what ends with the request.
func (h *handed) Context() context.Context { return h.ctx }

// drain ends the request because of Shutdown: a poll has its answer soon, so
// that the session is not harmed; a WebSocket has to be cut off.
func (h *handed) drain() {
	p := h.p
	p.mu.Lock()
	poll := h.transport == Polling && h.in.Method == http.MethodGet && p.open[h]
	if poll {
		p.srv.wg.Add(1) // it is not zero: the poll is open
	}
	p.mu.Unlock()
	switch {
	case poll:
		go h.release()
	case h.transport == WebSocket:
		h.cancel(ErrServerClosed)
	}
}

// release has the other server answer the poll.
func (h *handed) release() {
	defer h.p.srv.wg.Done()
	for h.ctx.Err() == nil {
		if poll := h.out.Load(); poll != nil {
			r := poll.Clone(h.ctx)
			r.Method, r.Body, r.GetBody = http.MethodPost, http.NoBody, nil
			r.Header[markHeader] = []string{markRelease}
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
