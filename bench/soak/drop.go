package soak

import (
	"fmt"
	"time"
)

// With recovery, a client loses its connection now and then, while none of its events is on its
// way to the server, and comes back within seconds. It must get everything that was emitted
// to it meanwhile, as if it had not been away.

// drop makes the client lose its connection as soon as none of its events is under way.
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

// drain waits until the server has acknowledged everything. Then it sends one more request, so that
// the server has the client's acknowledgements, too, and cuts the connection.
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

// halfOpen is how long a connection stays open that the client has forgotten, if the server does
// not end it.
const halfOpen = 10 * time.Second

// cut ends the connection in one of several ways, and makes the client come back.
func (c *client) cut() {
	old := c.link
	switch c.rng.IntN(4) {
	case 0:
		old.kill(false)
	case 1: // the server does not notice
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
	if c.goal == endVanish { // only a client that polls can vanish
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

// back handles the answer to a CONNECT that continues a session.
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
