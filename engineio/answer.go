package engineio

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/bufpool"
	"github.com/seed-d124fa34/socketio/engineio/internal/contentcoding"
	"github.com/seed-d124fa34/socketio/engineio/internal/httpbody"
	"github.com/seed-d124fa34/socketio/engineio/internal/instant"
	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
)

// pollAnswer is the answer to a poll.
type pollAnswer struct {
	batch  []*outgoing.Unit
	size   int            // bytes of the batch in the queue
	last   *outgoing.Unit // sent after the batch, or nil
	writer bool           // it holds Conn.writing
	final  bool           // nothing follows
	opens  bool           // it is that to the handshake
}

// pollAnswerLocked returns the answer to the poll that waits. While there is none, ready
// is false, and pause is how long to wait at most (zero: until woken).
func (c *Conn) pollAnswerLocked(p *pollState) (a pollAnswer, ready bool, pause time.Duration) {
	switch {
	case c.ws != nil:
		return pollAnswer{last: noopPacket}, true, 0 // what is queued goes to the WebSocket
	case c.writing:
		return pollAnswer{}, false, 0 // the answer before this one is still being written
	case c.closed || !c.queue.Empty():
		return c.takeAnswerLocked(), true, 0
	case !c.probing && !p.short:
		return pollAnswer{}, false, 0
	}
	if pause := noopPace - time.Since(p.noopAt); pause > 0 {
		return pollAnswer{}, false, pause
	}
	return pollAnswer{last: noopPacket}, true, 0
}

// takeAnswerLocked makes an answer of what is queued.
func (c *Conn) takeAnswerLocked() pollAnswer {
	c.writing = true
	a := pollAnswer{writer: true}
	a.batch, a.size = c.takeLocked(maxAnswer)
	switch {
	case !c.closed:
	case c.cause.Reason == ReasonClientDisconnect: // the client ended the session and polls no more
		a.final, a.last = true, noopPacket
	case len(a.batch) == 0:
		// CLOSE goes out alone: official clients handle messages a moment after they
		// arrive, and drop those that came together with CLOSE.
		a.final, a.last = true, closePacket
	}
	return a
}

// answerPoll answers a poll. p.answering is set.
func (c *Conn) answerPoll(p *pollState, w http.ResponseWriter, r *http.Request, a pollAnswer) {
	if a.final && c.cause.Reason == ReasonServerShutdown { // once closed, the cause stays
		endKeepAlive(w)
	}
	begin, before := time.Now(), p.answered.Load()
	err := c.srv.writePayload(c, p, c.dialectID, w, r, a)
	c.mu.Lock()
	now := time.Now()
	if c.pongDue && slices.Contains(a.batch, pingPacket) {
		c.pongSince = max(c.pongSince, instant.Of(now)) // the client has the ping only now
	}
	if a.writer {
		// The end of the answer is still in buffers of unknown size. It arrives within
		// the time that the whole answer took to be written.
		took, longest := now.Sub(begin), c.srv.opts.PingInterval+c.srv.opts.PingTimeout
		p.receives = now.Add(min(took, longest))
		// If the buffers took it at once, the time says nothing about the link.
		slow := time.Duration(p.answered.Load()-before) * time.Second / slowLink
		p.arrives = now.Add(min(max(took, slow), longest))
		if !a.opens { // a client that does not get that loses nothing: it connects elsewhere
			p.settled = p.arrives.Add(settleTime)
		}
		c.endWriteLocked(a.batch, a.size)
	} else if p.arrives.IsZero() {
		p.arrives = now // a NOOP is short
	}
	if a.final {
		c.transportDoneLocked()
	}
	lost := a.writer || c.ws == nil // a NOOP is nothing to a client that has upgraded
	p.answering = false
	c.dropPollLocked()
	c.mu.Unlock()
	if err != nil && lost {
		c.endForWrite(err, ReasonTransportError)
	}
}

// slowLink is the speed of a link on which an answer to a poll may still arrive, in
// bytes a second.
const slowLink = 16 << 10

// endWriteLocked ends the writing of a batch. Whoever has written one calls it.
func (c *Conn) endWriteLocked(batch []*outgoing.Unit, size int) {
	c.queue.Wrote(batch, size)
	c.endWritingLocked()
	c.startWritingLocked()
	if c.polling {
		c.wakeLocked()
	}
	if c.lingering && c.cause.Reason == ReasonServerShutdown {
		c.settleLocked() // all that a next poll could get is CLOSE
	}
}

// maxAnswer is the approximate size of the answer to one poll, in bytes. The answer
// holds whole units, one at least; the rest waits for the next poll.
const maxAnswer = 1 << 20

// writePayload writes the body of a poll's answer. c and p are nil for an answer that
// belongs to no session.
func (s *Server) writePayload(c *Conn, p *pollState, d dialectID, w http.ResponseWriter, r *http.Request, a pollAnswer) error {
	body, contentType, buf := dialects[d].payload(s, a.batch, a.last, r)
	defer bufpool.Put(buf)
	defer c.countAnswer(-c.countAnswer(bufSize(buf)))
	compress := false
	for _, f := range a.batch {
		compress = compress || f.Compress()
	}
	h := w.Header()
	h["Content-Type"], h["Cache-Control"] = contentType, noStore
	out := answerWriters.Get().(*answerWriter)
	*out = answerWriter{w: w, rc: *http.NewResponseController(w), timeout: s.opts.WriteTimeout, poll: p}
	defer out.end()
	p.setAnswer(out)
	s.noteDeadline(out.extend())
	if compress && !s.opts.DisableHTTPCompression && len(body) >= s.opts.HTTPCompressionThreshold {
		h.Add("Vary", "Accept-Encoding")
		if encoding := contentcoding.Accepted(r.Header.Get("Accept-Encoding")); encoding != "" {
			h.Set("Content-Encoding", encoding)
			compressed := bufpool.Get()
			defer bufpool.Put(compressed)
			*compressed = contentcoding.Append((*compressed)[:0], encoding, body)
			defer c.countAnswer(-c.countAnswer(bufSize(compressed)))
			body = *compressed
		}
	}
	if len(body) >= lengthKnown {
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(http.StatusOK) // middleware that compresses removes the length now
	}
	_, err := out.Write(body)
	return err
}

// countAnswer has Options.Limits.SendBudget count bytes that were allocated for one
// answer, and are no message that others share, or no longer if n is negative. It returns
// what it has counted: nothing for the small buffers that are used again, nor for a
// client that has gone. c may be nil.
func (c *Conn) countAnswer(n int) (counted int) {
	if n >= 0 && n <= bufpool.Max || c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 && c.transportDone {
		return 0
	}
	c.flusher.budget.Count(int64(n))
	return n
}

func bufSize(buf *[]byte) int {
	if buf == nil {
		return 0
	}
	return cap(*buf)
}

// answerPiece is the most of an answer that one write takes, in bytes.
const answerPiece = 32 << 10

// answerWriter writes the answer to a poll in pieces, and renews the write deadline
// with each. A deadline of http.Server.WriteTimeout began with the request and would
// cut long polls short.
type answerWriter struct {
	w        http.ResponseWriter
	rc       http.ResponseController
	poll     *pollState // may be nil
	timeout  time.Duration
	deadline time.Time
	cut      bool // the session has been cut; guarded by pollState.answerMu
}

var answerWriters = sync.Pool{New: func() any { return new(answerWriter) }}

// end ends the writing of the answer, whether it has succeeded or not. cutAnswer does not
// know the answer any more.
func (a *answerWriter) end() {
	a.poll.setAnswer(nil)
	*a = answerWriter{}
	answerWriters.Put(a)
}

// extend gives the client between one and two timeouts to take the next piece.
func (a *answerWriter) extend() error {
	now := time.Now()
	if a.deadline.Sub(now) >= a.timeout {
		return nil
	}
	if a.poll != nil {
		a.poll.answerMu.Lock()
		defer a.poll.answerMu.Unlock()
		if a.cut {
			return nil
		}
	}
	a.deadline = now.Add(2 * a.timeout)
	return a.rc.SetWriteDeadline(a.deadline)
}

func (a *answerWriter) Write(p []byte) (n int, err error) {
	for {
		_ = a.extend() // noted by writePayload
		w, err := a.w.Write(p[n:min(n+answerPiece, len(p))])
		n += w
		if a.poll != nil {
			a.poll.answered.Add(int64(w))
		}
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// setAnswer says which answer is being written, if there is one. p may be nil.
func (p *pollState) setAnswer(a *answerWriter) {
	if p == nil {
		return
	}
	p.answerMu.Lock()
	defer p.answerMu.Unlock()
	p.answer = a
}

// cutAnswer ends the writing of an answer that the client does not take.
func (p *pollState) cutAnswer() {
	p.answerMu.Lock()
	defer p.answerMu.Unlock()
	if p.answer != nil {
		p.answer.cut = true
		_ = p.answer.rc.SetWriteDeadline(time.Unix(1, 0))
	}
}

// liftDeadlines removes the deadlines that http.Server.ReadTimeout and WriteTimeout
// have set, from a request that may wait. They began with the request, and would end
// its network connection (HTTP/1) or its stream (HTTP/2) while it waits.
func (s *Server) liftDeadlines(w http.ResponseWriter, r *http.Request) {
	s.liftReadDeadline(w, r)
	s.noteDeadline(http.NewResponseController(w).SetWriteDeadline(time.Time{}))
}

// liftOwnDeadlines is liftDeadlines for a request of a session of this server: its body
// and its answer have deadlines of their own (httpbody, limitAnswer, writePayload). Over
// HTTP/1 without TLS nothing is written before those are set.
func (s *Server) liftOwnDeadlines(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 1 || r.TLS != nil {
		s.liftDeadlines(w, r)
		return
	}
	s.liftReadDeadline(w, r)
}

func (s *Server) liftReadDeadline(w http.ResponseWriter, r *http.Request) {
	if !httpbody.Exists(r) {
		s.noteDeadline(http.NewResponseController(w).SetReadDeadline(time.Time{}))
	}
}

// limitAnswer sets the write deadline of a small answer. answerWriter sets that of
// the answer to a poll.
func (s *Server) limitAnswer(w http.ResponseWriter) {
	s.noteDeadline(http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * s.opts.WriteTimeout)))
}
