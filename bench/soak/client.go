package soak

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
)

// client is one of the clients. It may come and go; a life is one connection.
type client struct {
	*run
	n       int
	kind    clientKind
	rng     *rand.Rand
	spaces  []string // its namespaces
	speaker bool     // it broadcasts
	slow    bool     // it reads slowly

	life     int
	leg      int   // counts the connections of all lives
	link     *link // nil between two lives; the old one if the client has lost its connection
	dialed   int64
	ready    bool // every namespace accepted it
	goal     ending
	going    bool // the end has begun
	dropping bool // it is about to lose its connection, or has lost it, and comes back
	sockets  []*socket

	// A packet that waits for its attachment.
	waits    bool
	waiting  packet
	keptText []byte
}

// connect begins a life.
func (c *client) connect() error {
	c.life++
	c.goal, c.going, c.dropping = endClean, false, false
	c.sockets = nil
	transport := c.kind
	if c.kind == kindChurning {
		transport = pick(c.rng, churnTransports)
		c.goal = pick(c.rng, churnEndings[transport])
	}
	return c.dial(transport)
}

// dial opens a connection.
func (c *client) dial(transport clientKind) error {
	c.leg++
	c.ready, c.waits = false, false
	c.dialed = c.Clock()
	l := &link{run: c.run, user: c}
	c.link = l
	c.connecting++
	if err := l.open(transport != kindWebSocket); err != nil {
		return err
	}
	leg := c.leg
	c.After(patience, func() {
		if c.leg == leg && !c.ready && !c.going {
			c.fault(c.faultf(faultUnanswered, "has not been connected after %v", patience))
		}
	})
	if transport != kindUpgrading {
		return nil
	}
	return c.later(c.rng.Int64N(2000), func() error {
		switch {
		case c.going || c.dropping && c.ready || l.sid == "":
			return nil
		case c.goal == endMidUpgrade:
			c.going = true
			if c.rng.IntN(2) == 0 {
				return l.beginUpgrade(upgradeOpen)
			}
			return l.beginUpgrade(upgradeProbe)
		case c.rng.IntN(10) == 0: // gives up, and goes on by polling
			return l.beginUpgrade(upgradeProbe)
		}
		return l.beginUpgrade(upgradeNone)
	})
}

// later calls f after some milliseconds if this connection goes on.
func (c *client) later(ms int64, f func() error) error {
	leg := c.leg
	c.After(time.Duration(ms)*time.Millisecond, func() {
		if c.leg == leg && c.link != nil && !c.link.dead {
			if err := f(); err != nil {
				c.Fail(err)
			}
		}
	})
	return nil
}

// opened is called after the Engine.IO handshake.
func (c *client) opened() error {
	for _, s := range c.sockets { // it is back
		if err := s.connect(); err != nil {
			return err
		}
	}
	if len(c.sockets) > 0 {
		return nil
	}
	for _, ns := range c.spaces {
		s := newSocket(c, ns)
		c.sockets = append(c.sockets, s)
		s.enter()
		if err := s.connect(); err != nil {
			return err
		}
	}
	return nil
}

// accepted is called when a namespace has accepted the client.
func (c *client) accepted() error {
	if c.ready || c.going {
		return nil
	}
	for _, s := range c.sockets {
		if s.state != socketIn {
			return nil
		}
	}
	c.ready = true
	c.connecting--
	c.timing(kindConnect, c.dialed)
	c.returned()
	if err := c.later(c.think(), c.act); err != nil {
		return err
	}
	if c.speaker {
		c.announce()
	}
	if c.slow && c.link.onWS {
		_ = c.later(c.rng.Int64N(20_000), c.stall)
	}
	if c.cfg.Recovery && c.goal != endMidUpgrade {
		_ = c.later(c.stay(5_000, 60_000), c.drop)
	}
	switch {
	case c.kind == kindChurning && c.goal != endMidUpgrade:
		return c.later(c.stay(5_000, 30_000), c.leave)
	case c.kind == kindUpgrading:
		return c.later(c.stay(120_000, 360_000), c.leave)
	}
	return nil
}

// stay is a time in milliseconds between two, which a short run cuts down.
func (c *client) stay(from, to int64) int64 {
	return int64(float64(from+c.rng.Int64N(to-from)) * c.cfg.Haste)
}

// stall makes the client not read for a while, now and then.
func (c *client) stall() error {
	if c.going {
		return nil
	}
	if err := c.link.ws.Pause(); err != nil {
		return err
	}
	l := c.link // which later is for
	return c.later(500+c.rng.Int64N(2500), func() error {
		_ = c.later(10_000+c.rng.Int64N(20_000), c.stall)
		return l.ws.Resume()
	})
}

// leave ends the life as it is meant to end.
func (c *client) leave() error {
	switch {
	case c.going:
		return nil
	case c.frozen || c.dropping || c.link.upgrading() || c.busy() && c.goal != endDrop && c.goal != endVanish:
		return c.later(200+c.rng.Int64N(800), c.leave)
	}
	c.going = true
	c.closing++
	c.leaves[c.goal]++
	l, life := c.link, c.life
	c.After(patience, func() {
		if c.life == life && c.link == l {
			c.fault(c.faultf(faultUnanswered, "the server did not let it go within %v (%s)", patience, c.goal))
			l.kill(false)
			c.gone()
		}
	})
	switch c.goal {
	case endDrop:
		l.kill(c.rng.IntN(2) == 0)
		c.gone()
		return nil
	case endVanish:
		l.vanish = true
		c.gone()
		return nil
	case endClose:
		return l.bye(nil)
	case endKick, endHangUp:
		return c.sockets[0].beKicked(c.goal)
	}
	var bye []message
	for _, s := range c.sockets {
		bye = append(bye, s.disconnect())
	}
	return l.bye(bye)
}

// busy reports whether a room is being joined or left or a namespace entered.
func (c *client) busy() bool {
	for _, s := range c.sockets {
		if s.state == socketConnecting || s.state == socketAway || s.moving > 0 {
			return true
		}
	}
	return false
}

// abandoned is called when an upgrade has been given up.
func (c *client) abandoned() error {
	c.abandons++
	if c.goal != endMidUpgrade {
		return nil
	}
	c.leaves[c.goal]++
	if !c.ready {
		c.connecting--
	}
	c.closing++
	c.link.kill(c.rng.IntN(2) == 0)
	c.gone()
	return nil
}

// lost is called when the link has ended. A nil error is a polite end.
func (c *client) lost(err error) error {
	switch {
	case c.goal == endMidUpgrade && c.going && err == nil:
		err = fmt.Errorf("the server closed the connection")
		fallthrough
	case !c.going || err != nil && c.goal != endHangUp:
		if err == nil {
			err = fmt.Errorf("the server closed the connection")
		}
		c.fault(c.faultf(faultDisconnect, "(%s) %v", c.goal, err))
		if !c.going || c.goal == endMidUpgrade {
			c.closing++
			if !c.ready {
				c.connecting--
			}
		}
		for _, s := range c.sockets {
			s.unexpected = true
		}
		c.going = true
	}
	c.gone()
	return nil
}

// gone ends the life. Churning clients come back.
func (c *client) gone() {
	if !c.link.vanish {
		c.link.dead = true
	}
	c.closing--
	if c.dropping {
		c.dropping = false
		c.run.dropping--
	}
	for _, s := range c.sockets {
		s.end(c.goal)
	}
	c.link, c.sockets = nil, nil
	if c.over {
		return
	}
	life := c.life
	c.After(time.Duration(c.stay(1_000, 8_000))*time.Millisecond, func() { c.comeBack(life) })
}

func (c *client) comeBack(life int) {
	switch {
	case c.over || c.life != life || c.link != nil:
	case c.frozen:
		c.After(200*time.Millisecond, func() { c.comeBack(life) })
	default:
		if err := c.connect(); err != nil {
			c.Fail(err)
		}
	}
}

// broken notes that the server broke the protocol, and drops the connection.
func (c *client) broken(err error) error {
	c.fault(c.faultf(faultProtocol, "%v", err))
	return c.link.lost(err)
}

// message handles a Socket.IO packet, or an attachment of one.
func (c *client) message(op byte, data []byte) error {
	if op == wire.OpBinary {
		if !c.waits {
			return c.broken(fmt.Errorf("an attachment of %d bytes that no packet announced", len(data)))
		}
		c.waits = false
		return c.dispatch(c.waiting, data)
	}
	if c.waits {
		return c.broken(fmt.Errorf("%.100q between a packet and its attachment", data))
	}
	p, err := parsePacket(data)
	if err != nil {
		return c.broken(fmt.Errorf("%w: %.200q", err, data))
	}
	if p.attachments == 0 {
		return c.dispatch(p, nil)
	}
	if p.attachments != 1 {
		return c.broken(fmt.Errorf("%d attachments: %.200q", p.attachments, data))
	}
	c.keptText = append(c.keptText[:0], p.data...)
	p.data = c.keptText
	c.waits, c.waiting = true, p
	return nil
}

func (c *client) dispatch(p packet, attachment []byte) error {
	for _, s := range c.sockets {
		if s.ns == p.ns {
			return s.packet(p, attachment)
		}
	}
	return c.broken(fmt.Errorf("a packet for namespace %s, which it is not in: %.200q", p.ns, p.data))
}

func (c *client) faultf(kind, format string, args ...any) *fault {
	transport := "away"
	switch {
	case c.link == nil:
	case c.link.onWS:
		transport = "websocket"
	default:
		transport = "polling"
	}
	return faultf(kind, "%v client %d.%d (%s, now %s): %s", c.elapsed(), c.n, c.life, c.kind, transport, fmt.Sprintf(format, args...))
}
