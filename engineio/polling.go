package engineio

import (
	"errors"
	"net/http"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/handover"
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
	c.polling, c.arrives = true, time.Time{}
	if c.wake == nil {
		c.wake = make(chan struct{}, 1)
	}
	c.mu.Unlock()
	c.srv.liftDeadlines(w, r)
	c.mu.Lock()
	late := c.probing // the client is about to upgrade and should poll no more
	c.hurried = c.srv.peers != nil && handover.IsHurried(r)
	if late || c.hurried {
		c.noopAt = time.Now()
	}
	for {
		if late && c.ws != nil {
			c.polling = false
			c.mu.Unlock()
			return refuseTransport
		}
		// Take nothing from the queue for a client that has gone.
		answer, pause := (*pollAnswer)(nil), time.Duration(0)
		gone := r.Context().Err() != nil
		if !gone {
			answer, pause = c.pollAnswerLocked()
		}
		if answer != nil {
			c.polling = false
			c.mu.Unlock()
			c.answerPoll(w, r, answer)
			return nil
		}
		c.mu.Unlock()
		if gone || !waitPoll(r, c.wake, pause) {
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
		c.hurried, c.noopAt = true, time.Time{}
		c.wakeLocked()
	}
}

// refuseRequestLocked returns the refusal of a request that this session cannot take,
// nil if it can.
func (c *Conn) refuseRequestLocked() *Refusal {
	switch {
	case c.transportDone || c.expiredLocked() || c.closed && !c.lingering:
		return refuseUnknownSID
	case c.ws != nil:
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
