package engineio

import (
	"errors"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/instant"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
)

var errNoPong = errors.New("engineio: no answer to a ping")

// setTimerLocked arms the one timer of a connection.
func (c *Conn) setTimerLocked(due time.Time) {
	c.due = instant.Of(due)
	d := time.Until(due)
	if c.timer == nil {
		c.timer = time.AfterFunc(d, c.onTimer)
	} else {
		c.timer.Reset(d)
	}
}

// onTimer sends a PING, or ends the connection if the last one was not answered
// (protocol: "Heartbeat"). After the end of the connection it ends the lingering.
func (c *Conn) onTimer() {
	c.mu.Lock()
	switch {
	case c.due > instant.Now():
		// The timer was reset while this run was starting.
		c.mu.Unlock()
	case c.closed:
		if c.lingering && !c.awaitsUpgradeLocked() {
			c.transportDoneLocked()
		}
		c.mu.Unlock()
	case c.poll != nil && c.poll.reaction != nil && !c.pongDue: // the session is about to end: keep the poll for that
		c.setTimerLocked(time.Now().Add(reactionTime))
		c.mu.Unlock()
	default:
		err := c.dialect().heartbeatLocked(c)
		c.mu.Unlock()
		if err != nil {
			c.end(ReasonPingTimeout, err, discard)
		}
	}
}

// pingLocked sends a PING, or returns an error if the last one was not answered.
func (c *Conn) pingLocked() error {
	if c.pongDue {
		switch {
		case !c.pongOverdueLocked():
			c.awaitPongLocked()
			return nil
		case !c.pongMayBeLateLocked():
			return errNoPong
		}
	}
	c.pongDue = true
	wait := c.srv.opts.PingTimeout
	if c.pause != nil {
		c.pause.pinged = time.Now()
		if c.pause.waiting > 0 { // no pong can be read, but the client still expects pings
			wait = c.srv.opts.PingInterval
		}
	}
	// Count from when the PING was due rather than from now, so that delays of
	// the timer do not add up.
	c.pongSince = c.due.Add(wait - c.srv.opts.PingTimeout)
	c.progress = c.progressLocked()
	c.awaitPongLocked()
	c.sendPingLocked()
	return nil
}

// pongChecks is how many times within PingTimeout the server checks a connection whose
// pong is missing.
const pongChecks = 4

// awaitPongLocked sets the timer for the next check of a connection whose pong is missing.
func (c *Conn) awaitPongLocked() {
	timeout := c.srv.opts.PingTimeout
	next := instant.Now().Add(timeout / pongChecks)
	c.setTimerLocked(min(next, c.pongSince.Add(timeout)).Time())
}

// pongOverdueLocked reports whether the client has not answered the ping for
// PingTimeout. The time in which the client took what had waited for it does not
// count: the ping may be behind that.
func (c *Conn) pongOverdueLocked() bool {
	now := time.Now()
	progress := c.progressLocked()
	flows := progress.Since(c.progress) && progress.WaitedSince(c.progress) || // the ping may be behind what the client took
		c.ws == nil && c.poll != nil && now.Before(c.poll.receives)
	if flows && !c.pongMayBeLateLocked() { // a client that is not read from keeps its pings on time
		c.pongSince = instant.Of(now)
	}
	c.progress = progress
	return instant.Of(now) >= c.pongSince.Add(c.srv.opts.PingTimeout)
}

// progressLocked returns what the client has taken so far.
func (c *Conn) progressLocked() websock.Progress {
	switch {
	case c.ws != nil:
		return c.ws.Progress()
	case c.poll != nil:
		return websock.Progress{Waiting: c.writing, Written: c.poll.answered.Load(), Held: -1, Polling: true}
	}
	return websock.Progress{Held: -1} // the WebSocket is just being opened
}

// pong handles a PONG. expected reports whether it answers a PING; any other has no
// effect. If confirms is set, the caller calls confirm.
func (c *Conn) pong() (expected, confirms bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pings == 0 {
		return false, false
	}
	c.pings--
	confirms = c.numbers.answered()
	// A PONG to a PING that was sent before the one that is due, by Ping or while the
	// server did not read, has just come, too.
	if c.pongDue && !c.closed {
		c.pongDue = false
		from := time.Now()
		if c.pongMayBeLateLocked() && !c.pause.pinged.IsZero() {
			from = c.pause.pinged // the pong may have waited long to be read, and the client waits for a ping
		}
		c.setTimerLocked(from.Add(c.srv.opts.PingInterval))
	}
	return true, confirms
}

// expiredLocked reports whether the pong timeout has passed although its timer has
// not run yet. A request that comes then is not served.
func (c *Conn) expiredLocked() bool {
	return c.pongDue && c.pongOverdueLocked() && !c.pongMayBeLateLocked()
}
