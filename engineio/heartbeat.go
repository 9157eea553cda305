package engineio

import (
	"errors"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
)

var errNoPong = errors.New("engineio: no answer to a ping")

// setTimerLocked arms the one timer of a connection.
func (c *Conn) setTimerLocked(due time.Time) {
	c.due = due
	d := time.Until(due)
	if c.timer == nil {
		c.timer = time.AfterFunc(d, c.onTimer)
	} else {
		c.timer.Reset(d)
	}
}

// onTimer sends a PING or finds that the last one was not answered (protocol:
// "Heartbeat"). After the end it gives up lingering.
func (c *Conn) onTimer() {
	c.mu.Lock()
	switch {
	case time.Until(c.due) > 0:
		// Armed anew while this run was starting.
		c.mu.Unlock()
	case c.closed:
		if c.lingering {
			c.transportDoneLocked()
		}
		c.mu.Unlock()
	case c.reaction != nil && !c.pongDue: // it is about to end: the poll that waits is to get that
		c.setTimerLocked(time.Now().Add(reactionTime))
		c.mu.Unlock()
	case c.pongDue && !c.pongOverdueLocked():
		c.awaitPongLocked()
		c.mu.Unlock()
	case c.pongDue && !c.excusedLocked():
		c.mu.Unlock()
		c.end(ReasonPingTimeout, errNoPong, discard)
	default:
		c.pongDue = true
		wait := c.srv.opts.PingTimeout
		if c.pause != nil {
			c.pause.pinged = time.Now()
			if c.pause.waiting > 0 { // no pong can be read; the client expects pings all the same
				wait = c.srv.opts.PingInterval
			}
		}
		// From when it was due rather than from now, so that delays of the
		// timer do not add up.
		c.pongSince = c.due.Add(wait - c.srv.opts.PingTimeout)
		c.progress = c.progressLocked()
		c.awaitPongLocked()
		c.pushLocked(pingPacket)
		c.mu.Unlock()
	}
}

// pongLooks is how many times in PingTimeout a connection whose pong is missing
// is looked at.
const pongLooks = 4

// awaitPongLocked arms the timer for the next look at a connection whose pong is missing.
func (c *Conn) awaitPongLocked() {
	timeout := c.srv.opts.PingTimeout
	next := time.Now().Add(timeout / pongLooks)
	if end := c.pongSince.Add(timeout); end.Before(next) {
		next = end
	}
	c.setTimerLocked(next)
}

// pongOverdueLocked reports whether the client has not answered the ping for
// PingTimeout, the time not counted in which it took what waited for it: the ping may
// wait behind that.
func (c *Conn) pongOverdueLocked() bool {
	now := time.Now()
	progress := c.progressLocked()
	flows := progress.since(c.progress) && progress.waits(c.progress) || c.ws == nil && now.Before(c.receives)
	if flows && !c.excusedLocked() { // who is held back is pinged on time, see pause
		c.pongSince = now
	}
	c.progress = progress
	return !now.Before(c.pongSince.Add(c.srv.opts.PingTimeout))
}

// progress is what a client has taken up to some time.
type progress struct {
	ws *websock.Conn // nil: polling
	websock.Progress
}

// since reports whether the client has taken something since before.
func (p progress) since(before progress) bool {
	return p.ws == before.ws && p.Since(before.Progress)
}

// waits reports whether the ping may be behind what the client took since before.
func (p progress) waits(before progress) bool { return p.WaitedSince(before.Progress) }

func (c *Conn) progressLocked() progress {
	if c.ws == nil {
		return progress{nil, websock.Progress{Waiting: c.writing, Written: c.answered.Load(), Held: -1}}
	}
	return progress{c.ws, c.ws.Progress()}
}

// pong takes the answer to a PING. Others have no effect, which it reports.
func (c *Conn) pong() (expected bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.pongDue {
		return false
	}
	if !c.closed {
		c.pongDue = false
		from := time.Now()
		if c.excusedLocked() && !c.pause.pinged.IsZero() {
			from = c.pause.pinged // the pong may have waited long, and the client waits for a ping
		}
		c.setTimerLocked(from.Add(c.srv.opts.PingInterval))
	}
	return true
}

// expiredLocked reports whether the pong timeout has passed although its timer has
// not run yet, so that a request which comes just then is not served.
func (c *Conn) expiredLocked() bool {
	return c.pongDue && c.pongOverdueLocked() && !c.excusedLocked()
}
