package engineio

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/handover"
	"github.com/seed-d124fa34/socketio/engineio/internal/httpbody"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
)

var (
	errPollOverlap = errors.New("engineio: a poll came while another one waited")
	errPollAborted = errors.New("engineio: the client aborted a poll")
)

var (
	refuseUnknownSID = refuse(http.StatusBadRequest, CodeUnknownSID, causeSession,
		"session ID unknown: the session has ended, or another server process holds it; "+
			"with several processes use sticky sessions, WebSocket as the only transport, or Options.PeerURL")
	refuseTransport = badRequest("this session uses another transport, having been upgraded")
	refuseOverlap   = badRequest("one GET and one POST at a time; the session has been closed").withoutBody()
)

// Header values that all answers share, so that an answer need not allocate them.
var (
	plainText = []string{"text/plain; charset=UTF-8"}
	htmlText  = []string{"text/html"} // as the reference server says
	noStore   = []string{"no-store"}
	noSniff   = []string{"nosniff"}
)

// lengthKnown is the size of an answer, in bytes, from which on the server sets
// Content-Length. net/http sets that of a smaller one, at less cost.
const lengthKnown = 2 << 10

// pollState is what a session has that began with polling, and that is not upgraded.
// Requests and goroutines that outlast the upgrade keep the one with which they began.
type pollState struct {
	turn sync.Mutex // held while the packets of a POST are delivered, waits included

	answered atomic.Int64 // bytes of answers to polls that have been written

	answerMu sync.Mutex    // protects the following; held while setting a deadline
	answer   *answerWriter // of the poll that is being answered

	// Protected by Conn.mu.

	probe     *websock.Conn  // the WebSocket of an upgrade that has not ended
	noopAt    time.Time      // when the waiting poll came, if it came while probing; it gets NOOP after noopPace
	short     bool           // the poll that waits does so no longer than noopPace
	wake      chan struct{}  // wakes that poll
	answering bool           // a poll is being answered
	posting   bool           // a POST is being read
	body      *httpbody.Body // of that POST, or nil
	// reaction is closed when the client reacts to a refusal after which the session
	// ends. It is nil if there was no such refusal.
	reaction chan struct{}
	receives time.Time // until then the client may still be receiving the last answer to a poll
	arrives  time.Time // the same over a slow link; zero when the client polls again
	settled  time.Time // then the last answer to a poll has arrived for certain: see settleLocked
}

// resumesLocked notes that what has held back the client's next poll is over.
func (p *pollState) resumesLocked(now time.Time) {
	if !p.arrives.IsZero() {
		p.arrives = now
	}
}

// dropPollLocked frees the memory that polling needed, if the session has been upgraded
// and no request is being served that came before.
func (c *Conn) dropPollLocked() {
	if p := c.poll; c.ws != nil && p != nil && !c.polling && !p.answering && !p.posting && p.reaction == nil {
		c.poll = nil
	}
}

// servePoll answers a GET (protocol: "HTTP long-polling"): at once with what is
// queued or, if nothing is, with what is queued next.
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
	p := c.poll
	c.polling, p.arrives = true, time.Time{}
	if c.lingering { // Shutdown does not end during the answer
		c.setTimerLocked(time.Now().Add(closeTimeout))
	}
	if p.wake == nil {
		p.wake = make(chan struct{}, 1)
	}
	c.mu.Unlock()
	c.srv.liftOwnDeadlines(w, r)
	c.mu.Lock()
	late := c.probing // the client is about to upgrade and should poll no more
	p.short = c.srv.peers != nil && handover.IsShortPoll(r)
	if late || p.short {
		p.noopAt = time.Now()
	}
	for {
		if late && c.ws != nil {
			c.polling = false
			c.mu.Unlock()
			return refuseTransport
		}
		// Take nothing from the queue for a client that has gone.
		var answer pollAnswer
		ready, pause := false, time.Duration(0)
		gone := r.Context().Err() != nil
		if !gone {
			answer, ready, pause = c.pollAnswerLocked(p)
		}
		if ready {
			c.polling, p.answering = false, true
			c.mu.Unlock()
			c.answerPoll(p, w, r, answer)
			return nil
		}
		c.mu.Unlock()
		if gone || !waitPoll(r, p.wake, pause) {
			c.pollAborted()
			return nil
		}
		c.mu.Lock()
	}
}

// pollAborted ends the session after the client has aborted the poll that waited. A
// session that has been upgraded goes on.
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

// releasePoll makes the poll that waits be answered at once.
func (c *Conn) releasePoll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.polling {
		c.poll.short, c.poll.noopAt = true, time.Time{}
		c.wakeLocked()
	}
}

// refuseRequestLocked returns the refusal of a request that this session cannot take,
// nil if it can.
func (c *Conn) refuseRequestLocked() *Refusal {
	switch {
	case c.transportDone || c.expiredLocked() || c.closed && !c.lingering:
		return refuseUnknownSID
	case c.ws != nil || c.poll == nil: // it has been upgraded, or began as WebSocket
		return refuseTransport
	}
	return nil
}

// waitPoll waits until the poll is woken or the pause is over; zero is no pause. It
// returns false if the client has gone.
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

// noteDeadline warns if err, from http.ResponseController, says that a deadline could
// not be set. Writes to such a client and reads from it may then wait for ever.
func (s *Server) noteDeadline(err error) {
	if errors.Is(err, http.ErrNotSupported) {
		s.notices.Warn(context.Background(), "deadline", "engineio: deadlines cannot be set, so a client that stops reading or sending "+
			"keeps its request for ever: make the middleware around this server pass on SetReadDeadline and SetWriteDeadline, "+
			"or give its http.ResponseWriter an Unwrap method", "error", err)
	}
}
