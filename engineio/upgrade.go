package engineio

import (
	"errors"
	"net/http"
	"time"
)

var errProbe = errors.New("engineio: an upgrade began with something else than a probe")

// upgrade serves the WebSocket handshake of a session that polls (protocol:
// "Upgrade"). Whatever becomes of it, the session lives on.
func (c *Conn) upgrade(w http.ResponseWriter, r *http.Request) *Refusal {
	if c.srv.opts.DisableUpgrades {
		return badRequest("Bad request: upgrades are turned off by Options.DisableUpgrades; begin with transport=websocket")
	}
	t, refusal := c.srv.acceptWebSocket(w, r, func() *Refusal {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.closed {
			return refuseUnknownSID
		}
		return nil
	})
	if refusal != nil {
		return refusal
	}
	c.mu.Lock()
	taken := c.closed || c.ws != nil || c.probe != nil
	if !taken {
		c.probe = t
		c.srv.wg.Add(1)
	}
	c.mu.Unlock()
	if taken {
		// As the reference server does: the session is not harmed.
		t.goodbye(nil)
		return nil
	}
	if err := t.flushHead(); err != nil {
		c.giveUpProbe(t, err)
		c.srv.wg.Done()
		return nil
	}
	go c.serveProbe(t)
	return nil
}

// serveProbe is the goroutine of an upgrade, and after its success that of the WebSocket.
func (c *Conn) serveProbe(t *wsTransport) {
	// The read deadline is the timer of the upgrade.
	t.readUntil(time.Now().Add(c.srv.opts.UpgradeTimeout))
	if err := c.awaitUpgrade(t); err != nil {
		c.srv.opts.Logger.Debug("engineio: upgrade failed", "error", err)
		c.giveUpProbe(t, err)
		c.srv.wg.Done()
		return
	}
	go c.serveWebSocket(t, false) // with a smaller stack
}

func (c *Conn) giveUpProbe(t *wsTransport, err error) {
	c.mu.Lock()
	c.probe, c.probing = nil, false
	c.mu.Unlock()
	c.srv.stats.upgradesFailed.Add(1)
	t.goodbye(err)
}

func (c *Conn) awaitUpgrade(t *wsTransport) error {
	if err := expectPacket(t, "2probe"); err != nil {
		return err
	}
	if err := t.writeNow(probeReplyFrames.wire); err != nil {
		return err
	}
	// NOOP to the poll that waits, at once, and to every later one, so that
	// the client can stop polling.
	c.mu.Lock()
	c.probing = true
	c.noopAt = time.Time{}
	c.wakePollLocked()
	c.mu.Unlock()
	if err := expectPacket(t, "5"); err != nil {
		return err
	}
	c.turnMu.Lock() // the packets of a POST under way come first
	defer c.turnMu.Unlock()
	c.recvMu.Lock()
	defer c.recvMu.Unlock()
	if err := c.takeOver(t); err != nil {
		return err
	}
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if u, ok := c.receiver.(Upgrader); ok && !closed {
		c.guard("Upgraded", u.Upgraded)
	}
	return nil
}

// takeOver makes a WebSocket the transport of the session.
func (c *Conn) takeOver(t *wsTransport) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.transportDone {
		return ErrClosed
	}
	t.readUntil(time.Time{})
	if c.lingering { // closed meanwhile: the client gets what is left here
		c.lingering = false
		c.timer.Stop()
		t.awaitClose()
	}
	c.ws, c.probe, c.probing = t, nil, false
	c.countUpgradeLocked()
	c.wakePollLocked()
	c.kickLocked()
	return nil
}

func (c *Conn) wakePollLocked() {
	if c.polling {
		c.wakeLocked()
	}
}

func expectPacket(t *wsTransport, want string) error {
	data, binary, err := t.next()
	if err == nil && (binary || string(data) != want) {
		err = errProbe
	}
	return err
}
