package engineio

import (
	"errors"
	"time"
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
		c.setTimerLocked(c.due.Add(wait))
		c.pushLocked(pingFrames)
		c.mu.Unlock()
	}
}

// pong takes the answer to a PING. Others have no effect.
func (c *Conn) pong() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pongDue && !c.closed {
		c.pongDue = false
		from := time.Now()
		if c.excusedLocked() && !c.pause.pinged.IsZero() {
			from = c.pause.pinged // the pong may have waited long, and the client waits for a ping
		}
		c.setTimerLocked(from.Add(c.srv.opts.PingInterval))
	}
}

// expiredLocked reports whether the pong timeout has passed although its timer has
// not run yet, so that a request which comes just then is not served.
func (c *Conn) expiredLocked() bool {
	return c.pongDue && !time.Now().Before(c.due) && !c.excusedLocked()
}
