package soak

import (
	"fmt"
	"time"
)

// A client of a server with recovery loses its connection now and then, while
// nothing of its own is under way to the server, and comes back within seconds: all
// that was emitted to it meanwhile must come, as if it had been there.

// drop has the client lose its connection as soon as nothing is under way.
func (c *client) drop() error {
	switch {
	case c.going || c.dropping || c.over:
		return nil
	case c.frozen || c.link.upgrading() || c.busy():
		return c.later(200+c.rng.Int64N(800), c.drop)
	}
	c.dropping = true
	c.run.dropping++
	return c.drain(false)
}

// drain waits until the server has answered everything, then asks it once more, so
// that it has the client's answers, too, and has the connection cut.
func (c *client) drain(asked bool) error {
	again := func(asked bool) error {
		return c.later(20, func() error { return c.drain(asked) })
	}
	if c.going {
		return nil
	}
	idle := len(c.link.outbox) == 0 && (c.link.onWS || !c.link.post.Waiting)
	for _, s := range c.sockets {
		idle = idle && s.state == socketIn && len(s.pending) == 0
	}
	if !idle {
		return again(asked)
	}
	if asked {
		c.cut()
		return nil
	}
	for _, s := range c.sockets {
		if err := s.check(); err != nil {
			return err
		}
	}
	return again(true)
}

// halfOpen is how long the server's side of a connection stays open of which the client
// knows nothing any more, if the server does not end it.
const halfOpen = 10 * time.Second

// cut ends the connection in one of several ways, and has the client come back.
func (c *client) cut() {
	old := c.link
	switch c.rng.IntN(4) {
	case 0:
		old.kill(false)
	case 1: // the server does not hear of it
		old.dead = true
		c.After(halfOpen, func() { old.kill(false) })
	default:
		old.kill(true)
	}
	c.leg++
	c.ready = false
	for _, s := range c.sockets {
		s.state = socketAway
	}
	leg, transport := c.leg, pick(c.rng, churnTransports)
	if c.goal == endVanish { // which only a client that polls can
		transport = kindPolling
	}
	c.After(time.Duration(c.rng.Int64N(3000))*time.Millisecond, func() {
		if c.leg != leg {
			return
		}
		if err := c.dial(transport); err != nil {
			c.Fail(err)
		}
	})
}

// back takes the answer to a CONNECT that continues a session.
func (s *socket) back(sid, pid string) error {
	if sid != s.sid || pid != s.pid {
		return s.c.broken(fmt.Errorf("the session in %s has not been recovered: session id %q instead of %q", s.ns, sid, s.sid))
	}
	s.state = socketIn
	return s.c.accepted()
}

// returned is called when every namespace has accepted the client: again, if it had lost
// its connection.
func (c *client) returned() {
	if c.dropping {
		c.dropping = false
		c.run.dropping--
		c.returns++
	}
}
