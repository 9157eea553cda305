package engineio

import "math"

// numbering is what a connection needs to tell which messages its client has received.
// Pings and messages reach the client in order, and so do its answers: a pong confirms
// all that was queued before its ping. Conn.mu protects it.
type numbering struct {
	sent      uint64 // number of the last message
	confirmed uint64 // what Receiver.Confirmed was called with last
	pinged    uint64 // number of the last message before the ping that is watched
	pongs     uint16 // how many pongs are due up to that of this ping; 0: no ping is watched
	asked     bool   // Conn.Ping was called after the last call of Receiver.Confirmed
}

// SendNumbered sends f as Send does, and returns the number of the message, for
// Receiver.Confirmed: 1 for the first message of the connection that is sent with a
// number, and one more for each that follows. With an error the number is 0.
func (c *Conn) SendNumbered(f *Frames) (number uint64, err error) { return c.sendNumbered(f, true) }

// SendNumberedAnyway sends f as SendAnyway does, and returns the number of the message
// as SendNumbered does.
func (c *Conn) SendNumberedAnyway(f *Frames) (number uint64, err error) {
	return c.sendNumbered(f, false)
}

func (c *Conn) sendNumbered(f *Frames, limited bool) (number uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.sendLocked(&f.unit, limited); err != nil {
		return 0, err
	}
	n := c.numberingLocked()
	n.sent++
	return n.sent, nil
}

// Ping asks the client to confirm what has been sent so far without waiting for the next
// ping of the heartbeat: Receiver.Confirmed is called when the answer comes. It has no
// effect on the heartbeat, which judges the client by its own pings. At most one ping is
// sent for any number of calls: if one is on its way, or if the server does not read
// from the client (see Receiver.Message), Confirmed is called for the answer to that one,
// or to the next one of the heartbeat. A client of Engine.IO 3 is never asked.
//
// Ping returns at once. It may be called from any goroutine, and by the Receiver.
func (c *Conn) Ping() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.dialectID != revision4 {
		return
	}
	c.numberingLocked().asked = true
	if c.pings > 0 || c.pause != nil && c.pause.waiting > 0 {
		return
	}
	c.sendPingLocked()
}

func (c *Conn) numberingLocked() *numbering {
	if c.numbers == nil {
		c.numbers = &numbering{pongs: c.pings} // the pings on their way confirm no message
	}
	return c.numbers
}

// sendPingLocked sends a PING of the heartbeat or of Ping. If no other one is watched, its
// answer confirms what was sent before it.
func (c *Conn) sendPingLocked() {
	if c.pings < math.MaxUint16 {
		c.pings++
	}
	if n := c.numbers; n != nil && n.pongs == 0 {
		n.pinged, n.pongs = n.sent, c.pings
	}
	c.pushLocked(pingPacket)
}

// answered handles the pong to the first ping on its way, and reports whether
// Receiver.Confirmed is to be called. n may be nil.
func (n *numbering) answered() (confirms bool) {
	if n == nil || n.pongs == 0 {
		return false
	}
	n.pongs--
	if n.pongs > 0 || n.pinged == n.confirmed && !n.asked {
		return false
	}
	n.confirmed, n.asked = n.pinged, false
	return true
}

// confirm calls Receiver.Confirmed. The caller holds recvMu.
func (c *Conn) confirm() {
	c.mu.Lock()
	closed, number := c.closed, c.numbers.confirmed
	c.mu.Unlock()
	if !closed {
		c.guard("Confirmed", func() { c.receiver.Confirmed(number) })
	}
}
