package engineio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

var (
	errPollOverlap = errors.New("engineio: a poll came while another one waited")
	errPostOverlap = errors.New("engineio: a POST came while another one was being read")
	errPollAborted = errors.New("engineio: the client aborted a poll")

	errBodyTooLarge = errors.New("engineio: body too large")
)

var (
	refuseUnknownSID = &Refusal{http.StatusBadRequest, codeUnknownSID,
		"Session ID unknown: the session has ended, or another server process holds it; " +
			"with several processes use sticky sessions, WebSocket as the only transport, or Options.PeerURL", causeSession}
	refuseTransport = badRequest("Bad request: this session uses another transport, having been upgraded")
	refuseOverlap   = badRequest("Bad request: one GET and one POST at a time; the session has been closed")
)

// Header values, shared so that an answer allocates none.
var (
	plainText  = []string{"text/plain; charset=UTF-8"}
	htmlText   = []string{"text/html"} // as the reference server says
	noStore    = []string{"no-store"}
	varyOrigin = []string{"Origin"}
)

// lengthKnown is the size of an answer from which on net/http does not find out
// its Content-Length by itself, at less cost.
const lengthKnown = 2 << 10

// servePoll answers a GET (protocol: "HTTP long-polling"): at once with what
// is queued, else with what comes next.
func (c *Conn) servePoll(w http.ResponseWriter, r *http.Request) *Refusal {
	c.mu.Lock()
	if refusal := c.refuseRequestLocked(); refusal != nil {
		c.mu.Unlock()
		return refusal
	}
	if c.polling {
		c.mu.Unlock()
		c.end(ReasonTransportError, errPollOverlap, told)
		return refuseOverlap
	}
	c.polling = true
	if c.wake == nil {
		c.wake = make(chan struct{}, 1)
	}
	late := c.probing // a client that is about to upgrade does not poll any more
	c.hurry = c.srv.peers != nil && mark(r) == markSoon
	if late || c.hurry {
		c.noopAt = time.Now()
	}
	for {
		if late && c.ws != nil {
			c.polling = false
			c.mu.Unlock()
			return refuseTransport
		}
		answer, pause := c.pollAnswerLocked()
		if answer != nil {
			c.polling = false
			c.mu.Unlock()
			c.answerPoll(w, r, answer)
			return nil
		}
		c.mu.Unlock()
		if !waitPoll(r, c.wake, pause) {
			c.end(ReasonTransportError, errPollAborted, abort)
			c.mu.Lock()
			c.polling = false
			if c.closed {
				c.transportDoneLocked()
			}
			c.mu.Unlock()
			return nil
		}
		c.mu.Lock()
	}
}

// refuseRequestLocked reports why a request cannot be part of this session.
func (c *Conn) refuseRequestLocked() *Refusal {
	switch {
	case c.transportDone || c.expiredLocked() || c.closed && !c.lingering:
		return refuseUnknownSID
	case c.ws != nil:
		return refuseTransport
	}
	return nil
}

// waitPoll waits until the poll is woken or the pause, if there is one, is
// over. It reports false if the client has gone.
func waitPoll(r *http.Request, wake <-chan struct{}, pause time.Duration) bool {
	var over <-chan time.Time
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-wake:
	case <-over:
	case <-r.Context().Done():
		return false
	}
	return true
}

// pollAnswer is what a poll is answered with.
type pollAnswer struct {
	batch   []*Frames
	size    int     // bytes of the batch in the queue
	last    *Frames // sent after the batch, or nil
	writer  bool    // it holds Conn.writing
	goodbye bool    // nothing follows
}

// pollAnswerLocked returns the answer, or nil while there is none yet and how
// long to wait at most (zero: until woken).
func (c *Conn) pollAnswerLocked() (*pollAnswer, time.Duration) {
	switch {
	case c.ws != nil:
		return &pollAnswer{last: noopFrames}, 0 // what is queued goes to the WebSocket
	case c.writing:
		return nil, 0 // the answer before this one is still being written
	case c.closed || len(c.queue) > 0:
		return c.takeAnswerLocked(), 0
	case !c.probing && !c.hurry:
		return nil, 0
	}
	if pause := noopPace - time.Since(c.noopAt); pause > 0 {
		return nil, pause
	}
	return &pollAnswer{last: noopFrames}, 0
}

// takeAnswerLocked returns what is queued as an answer.
func (c *Conn) takeAnswerLocked() *pollAnswer {
	c.writing = true
	a := &pollAnswer{writer: true}
	a.batch, a.size = c.takeLocked()
	switch {
	case !c.closed:
	case c.reason == ReasonClientDisconnect: // it knows, and does not poll any more
		a.goodbye, a.last = true, noopFrames
	case len(a.batch) == 0:
		// A message in front of it would be lost: official clients put off
		// what comes in a message, and forget it when the connection ends.
		a.goodbye, a.last = true, closeFrames
	}
	return a
}

func (c *Conn) answerPoll(w http.ResponseWriter, r *http.Request, a *pollAnswer) {
	if a.goodbye && c.reason == ReasonServerShutdown { // once closed, the reason stays
		endKeepAlive(w)
	}
	err := c.srv.writePayload(w, r, a)
	c.mu.Lock()
	if a.writer {
		c.endWriteLocked(a.batch, a.size)
	}
	if a.goodbye {
		c.transportDoneLocked()
	}
	c.mu.Unlock()
	if err != nil {
		c.endForWrite(err, ReasonTransportError)
	}
}

// endWriteLocked is called by whoever has written a batch.
func (c *Conn) endWriteLocked(batch []*Frames, size int) {
	c.wroteLocked(batch, size)
	c.endWritingLocked()
	c.kickLocked()
	if c.polling {
		c.wakeLocked()
	}
	if c.closed && c.reason == ReasonServerShutdown && c.restsLocked() {
		c.transportDoneLocked() // closed while this was written; the next poll would get nothing but the news
	}
}

var payloadPool = sync.Pool{New: func() any { return new([]byte) }}

const maxPooled = 64 << 10 // larger buffers are left to the garbage collector

func putPayload(b *[]byte) {
	if cap(*b) <= maxPooled {
		payloadPool.Put(b)
	}
}

// writePayload writes the body of a poll's answer.
func (s *Server) writePayload(w http.ResponseWriter, r *http.Request, a *pollAnswer) error {
	var body []byte
	compress := false
	for _, f := range a.batch {
		compress = compress || f.compress
	}
	if len(a.batch) == 1 && a.last == nil {
		body = a.batch[0].pollPayload()
	} else {
		buf := payloadPool.Get().(*[]byte)
		defer putPayload(buf)
		body = (*buf)[:0]
		for _, f := range a.batch {
			body = append(append(body, f.pollPayload()...), separator)
		}
		if a.last != nil {
			body = append(body, a.last.pollPayload()...)
		} else {
			body = body[:len(body)-1]
		}
		*buf = body
	}
	h := w.Header()
	h["Content-Type"], h["Cache-Control"] = plainText, noStore
	// The http.Server's own deadline, if it has one, began with the request
	// and would cut long polls short.
	s.noteDeadline(http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * s.opts.WriteTimeout)))
	if compress && !s.opts.DisableHTTPCompression && len(body) >= s.opts.HTTPCompressionThreshold {
		h.Add("Vary", "Accept-Encoding")
		if encoding := acceptedEncoding(r.Header.Get("Accept-Encoding")); encoding != "" {
			return writeCompressed(w, encoding, body)
		}
	}
	if len(body) >= lengthKnown {
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(http.StatusOK) // middleware that compresses removes the length now
	}
	_, err := w.Write(body)
	return err
}

// servePost takes the packets of a POST and answers at once, whatever becomes
// of the messages.
func (c *Conn) servePost(w http.ResponseWriter, r *http.Request) *Refusal {
	c.mu.Lock()
	refusal := c.refuseRequestLocked()
	switch {
	case refusal != nil:
	case c.closed && c.reason == ReasonServerShutdown:
		c.mu.Unlock()
		return c.srv.serveGone(w, r)
	case c.closed:
		refusal = refuseUnknownSID
	case c.posting:
		c.mu.Unlock()
		c.end(ReasonTransportError, errPostOverlap, told)
		return refuseOverlap
	default:
		c.posting = true
	}
	c.mu.Unlock()
	if refusal == nil {
		refusal = c.readPost(w, r)
	}
	if refusal == nil {
		answerPost(w)
	}
	return refusal
}

func answerPost(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"], h["Cache-Control"] = htmlText, noStore
	_, _ = io.WriteString(w, "ok")
}

func (c *Conn) readPost(w http.ResponseWriter, r *http.Request) *Refusal {
	defer func() { // before the answer: the client may send the next one as soon as it has it
		c.mu.Lock()
		c.posting = false
		c.mu.Unlock()
	}()
	limit := c.srv.opts.MaxPayload
	tooLarge := func(option string, err error) *Refusal {
		c.end(ReasonTransportError, err, told)
		return c.srv.refuseTooLarge(w, option, err)
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/octet-stream") {
		err := &parseError{"a POST of binary data: in revision 4 of the protocol the payload is text, with binary messages in base64"}
		c.endFor(err)
		return badRequest("Bad request: " + err.what)
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		err := &parseError{"a POST with a Content-Encoding: clients send payloads as they are"}
		c.endFor(err)
		return badRequest("Bad request: " + err.what)
	}
	buf := payloadPool.Get().(*[]byte)
	defer putPayload(buf)
	body, err := c.srv.readBody((*buf)[:0], w, r)
	*buf = body
	switch {
	case err == errBodyTooLarge:
		return tooLarge(limitPayload, errTooLarge(limit))
	case err != nil:
		c.end(ReasonTransportError, err, told)
		return badRequest("Bad request: the body could not be read")
	}
	packets := bytes.Count(body, []byte{separator}) + 1
	if most := c.srv.opts.MaxPayloadPackets; packets > most {
		return tooLarge(limitPayloadPackets, &limitError{limitPayloadPackets, fmt.Sprintf("a payload of more than %d packets", most)})
	}
	c.flusher.traffic.received(packets, len(body))
	if err := c.receivePayload(body); err != nil {
		c.endFor(err)
		if !errors.Is(err, errClientClosed) {
			return badRequest("Bad request: " + strings.TrimPrefix(err.Error(), "engineio: "))
		}
	}
	return nil
}

// readBody appends the body of a POST to b, which is empty. Its client may take
// as long as until a silent one is gone.
func (s *Server) readBody(b []byte, w http.ResponseWriter, r *http.Request) ([]byte, error) {
	limit := s.opts.MaxPayload
	if r.ContentLength > int64(limit) {
		return b, errBodyTooLarge
	}
	rc := http.NewResponseController(w)
	s.noteDeadline(rc.SetReadDeadline(time.Now().Add(s.opts.PingInterval + s.opts.PingTimeout)))
	b, err := readInto(b, r.Body, int(max(r.ContentLength, 0)), limit)
	_ = rc.SetReadDeadline(time.Time{})
	return b, err
}

func (s *Server) refuseTooLarge(w http.ResponseWriter, option string, err error) *Refusal {
	s.stats.limits.add(option)
	// The rest of the body is not worth reading.
	w.Header().Set("Connection", "close")
	return &Refusal{http.StatusRequestEntityTooLarge, codeBadRequest, "Payload too large: " + err.Error(), causeTooLarge}
}

// readInto appends what r holds, about size bytes, to b, which is empty. More
// than limit is errBodyTooLarge.
func readInto(b []byte, r io.Reader, size, limit int) ([]byte, error) {
	if need := min(size, maxPooled) + 1 - cap(b); need > 0 { // one more, to meet the end without growing
		b = make([]byte, 0, max(size+1, 512))
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if len(b) > limit {
			return b, errBodyTooLarge
		}
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}
