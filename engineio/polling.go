package engineio

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"
)

var (
	errPollOverlap = errors.New("engineio: a poll came while another one waited")
	errPollAborted = errors.New("engineio: the client aborted a poll")
)

var (
	refuseUnknownSID = refuse(http.StatusBadRequest, codeUnknownSID, causeSession,
		"session ID unknown: the session has ended, or another server process holds it; "+
			"with several processes use sticky sessions, WebSocket as the only transport, or Options.PeerURL")
	refuseTransport = badRequest("this session uses another transport, having been upgraded")
	refuseOverlap   = badRequest("one GET and one POST at a time; the session has been closed").withoutBody()
)

// Header values, shared so that an answer allocates none.
var (
	plainText  = []string{"text/plain; charset=UTF-8"}
	htmlText   = []string{"text/html"} // as the reference server says
	noStore    = []string{"no-store"}
	varyOrigin = []string{"Origin"}
	noSniff    = []string{"nosniff"}
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
		c.refuseAndEnd(w, r, refuseOverlap, errPollOverlap)
		return nil
	}
	c.polling = true
	if c.wake == nil {
		c.wake = make(chan struct{}, 1)
	}
	c.mu.Unlock()
	c.srv.liftDeadlines(w, r)
	c.mu.Lock()
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
			c.pollAborted()
			return nil
		}
		c.mu.Lock()
	}
}

// pollAborted is called when the client has aborted the poll that waited. It has
// gone, unless the session goes on as WebSocket.
func (c *Conn) pollAborted() {
	c.mu.Lock()
	if c.ws != nil {
		c.polling = false
		c.mu.Unlock()
		return
	}
	c.endUnlock(ReasonTransportError, errPollAborted, abort)
	c.mu.Lock()
	c.polling = false
	if c.ws == nil {
		c.transportDoneLocked()
	}
	c.mu.Unlock()
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
	lost := a.writer || c.ws == nil // a NOOP is nothing to a client that has upgraded
	c.mu.Unlock()
	if err != nil && lost {
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
