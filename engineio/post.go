package engineio

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/httpbody"
)

var (
	errPostOverlap = errors.New("engineio: a POST came while another one was being read")
	// errSessionOver ends the reading of a POST whose session has ended.
	errSessionOver = errors.New("engineio: the session has ended")

	refuseBusy = refuse(http.StatusServiceUnavailable, CodeBadRequest, causeTooLarge,
		"too many bodies: the server is receiving more than it can hold (Options.Limits.PostBudget): send again later")
)

var bodyPool = sync.Pool{New: func() any { return new([httpbody.SmallBody]byte) }}

// servePost delivers the packets of a POST and then answers it. The answer does not
// depend on what the Receiver does with the messages.
func (c *Conn) servePost(w http.ResponseWriter, r *http.Request) *Refusal {
	c.mu.Lock()
	refusal := c.refuseRequestLocked()
	switch {
	case refusal != nil:
	case c.reactLocked() || c.isLatePostLocked():
		c.mu.Unlock()
		c.srv.answerLatePost(w, r)
		return nil
	case c.closed:
		refusal = refuseUnknownSID
	case c.poll.posting:
		c.mu.Unlock()
		c.refuseAndEnd(w, r, refuseOverlap, errPostOverlap)
		return nil
	}
	if refusal != nil {
		c.mu.Unlock()
		return refusal
	}
	b := c.srv.bodies.New(w)
	p, begin := c.poll, time.Now()
	p.posting, p.body = true, b
	c.mu.Unlock()
	c.srv.liftOwnDeadlines(w, r)
	refusal, err := c.readPost(p, b, r)
	if err != nil {
		c.refuseAndEnd(w, r, refusal, err)
	}
	c.mu.Lock() // before the answer: when the client has it, it may send the next POST
	p.posting, p.body = false, nil
	if now := time.Now(); now.Sub(begin) >= c.srv.opts.PingInterval {
		p.resumesLocked(now)
	}
	c.dropPollLocked()
	late, closed := c.isLatePostLocked(), c.closed
	c.mu.Unlock()
	if !closed { // otherwise endUnlock may be about to cut the body off
		b.Recycle()
	}
	switch {
	case err != nil: // answered
	case refusal != nil && late:
		c.srv.answerLatePost(w, r)
	case refusal != nil:
		return refusal
	default:
		c.srv.answerPost(w)
	}
	return nil
}

// readPost reads the body of a POST and handles its packets. If it returns an error,
// the caller ends the session for that, after the refusal.
func (c *Conn) readPost(p *pollState, b *httpbody.Body, r *http.Request) (*Refusal, error) {
	if err := c.dialect().beginPost(r.Header, b); err != nil {
		refusal, err := refuseParse(err)
		return refusal.withoutBody(), err
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return refuseParse(&parseError{"the POST has a Content-Encoding: clients send payloads without one"})
	}
	buf := bodyPool.Get().(*[httpbody.SmallBody]byte)
	defer bodyPool.Put(buf)
	b.Await((*bodyOwner)(c))
	payload, err := b.ReadAll(buf[:], r)
	defer b.Release() // when the Receiver has taken the packets
	switch {
	case err == errSessionOver:
		return refuseUnknownSID, nil
	case err == httpbody.ErrTooLarge:
		return c.srv.refuseTooLarge()
	case err != nil && errors.As(err, new(*limitError)):
		return refuseBusy, err
	case err != nil:
		return badRequest("the body could not be read"), err
	}
	switch err := c.dialect().receivePost(c, p, r.Header, payload); {
	case errors.Is(err, errClientClosed):
		c.endFor(err)
	case err == httpbody.ErrTooLarge:
		return c.srv.refuseTooLarge()
	case err != nil:
		return refuseParse(err)
	}
	return nil, nil
}

// bodyOwner is a Conn as the body of its POST sees it.
type bodyOwner Conn

// AwaitRoom waits for room in the budget, or for the end of the connection.
func (o *bodyOwner) AwaitRoom(room <-chan struct{}) { (*Conn)(o).awaitRoom(room) }

// isBinary reports whether the body of a POST is binary data.
func isBinary(h http.Header) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "application/octet-stream")
}

// refuseParse returns the refusal of a POST that breaks the protocol, and err.
func refuseParse(err error) (*Refusal, error) {
	return badRequest(strings.TrimPrefix(err.Error(), "engineio: ")), err
}

// refuseTooLarge returns the refusal of a body that is too large, and the error that
// its session ends with.
func (s *Server) refuseTooLarge() (*Refusal, error) {
	s.stats.limits.add(limitPayload)
	err := errTooLarge(s.opts.Limits.MaxPayload)
	return refuse(http.StatusRequestEntityTooLarge, CodeBadRequest, causeTooLarge, strings.TrimPrefix(err.Error(), "engineio: ")).withoutBody(), err
}

// overPostBudget counts a POST that is cut off because Options.Limits.PostBudget is used
// up, and returns the error that says so.
func (s *Server) overPostBudget() error {
	s.stats.limits.add(limitPostBudget)
	return &limitError{limitPostBudget, fmt.Sprintf("the bodies of all POSTs took more than %d bytes, and this one was the slowest", s.opts.Limits.PostBudget)}
}

// reactionTime is how long a client whose request was refused has to leave by itself.
// Then its poll is answered with the end.
const reactionTime = time.Second

// refuseAndEnd answers a request with a refusal and then ends the session for err. A
// client whose poll ends first does not learn why. The official client handles a
// refusal later than the answer to a poll, so refuseAndEnd waits in between.
func (c *Conn) refuseAndEnd(w http.ResponseWriter, r *http.Request, refusal *Refusal, err error) {
	c.srv.refuse(w, r, refusal)
	_ = http.NewResponseController(w).Flush()
	c.awaitReaction()
	c.endFor(err)
}

// awaitReaction waits until the client whose request was refused has sent another one,
// the session has ended, or reactionTime is over. If no poll waits, it returns at once:
// then the refusal is all that the client can get.
func (c *Conn) awaitReaction() {
	c.mu.Lock()
	p := c.poll
	if !c.polling || c.closed || p.reaction != nil {
		c.mu.Unlock()
		return
	}
	reaction := make(chan struct{})
	p.reaction = reaction
	c.mu.Unlock()
	timer := time.NewTimer(reactionTime)
	defer timer.Stop()
	select {
	case <-reaction:
	case <-timer.C:
	}
}

// reactLocked ends awaitReaction, and reports whether there was one.
func (c *Conn) reactLocked() bool {
	p := c.poll
	if p == nil || p.reaction == nil {
		return false
	}
	close(p.reaction)
	p.reaction = nil
	return true
}

// answerPost answers a POST that was taken.
func (s *Server) answerPost(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"], h["Cache-Control"] = htmlText, noStore
	s.limitAnswer(w)
	_, _ = io.WriteString(w, "ok")
}

// isLatePostLocked reports whether a POST comes after the end of its session while the
// client does not know of the end yet.
func (c *Conn) isLatePostLocked() bool {
	return c.closed && (c.cause.Reason == ReasonServerShutdown || c.lingering && c.cause.Reason != ReasonClientDisconnect)
}

// answerLatePost answers a POST whose session has ended and whose client may still
// fetch what was queued. A refusal would make the client drop the poll that fetches it.
func (s *Server) answerLatePost(w http.ResponseWriter, r *http.Request) {
	if s.isClosed() {
		endKeepAlive(w)
	}
	httpbody.Drop(w, r)
	s.answerPost(w)
}
