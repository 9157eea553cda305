package engineio

import (
	"errors"
	"net/http"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/protocol"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

var errProbe = errors.New("engineio: an upgrade began with something else than a probe")

// upgrade serves the WebSocket handshake of a session that polls (protocol:
// "Upgrade"). Whatever becomes of it, the session lives on.
func (c *Conn) upgrade(w http.ResponseWriter, r *http.Request) *Refusal {
	if c.srv.opts.DisableUpgrades {
		return badRequest("upgrades are turned off by Options.DisableUpgrades; begin with transport=websocket")
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
	if c.receiverDone && c.transportDone { // the server has forgotten it
		c.mu.Unlock()
		t.Close()
		return nil
	}
	c.srv.wg.Add(1)
	taken := c.closed || c.ws != nil || c.probe != nil
	if !taken {
		c.probe = t
	}
	c.mu.Unlock()
	if taken {
		// As the reference server does: the session is not harmed.
		defer c.srv.wg.Done()
		t.Goodbye(nil)
		return nil
	}
	if err := t.WriteAlone(nil); err != nil {
		defer c.srv.wg.Done()
		c.giveUpProbe(t, err)
		return nil
	}
	go c.serveProbe(t)
	return nil
}

// serveProbe is the goroutine of an upgrade, and after its success that of the WebSocket.
func (c *Conn) serveProbe(t *websock.Conn) {
	taken, err := false, error(nil)
	defer func() { // also if the application panics or calls runtime.Goexit in Upgraded
		if taken {
			go c.serveWebSocket(t, false) // with a smaller stack
			return
		}
		c.giveUpProbe(t, err)
		c.srv.wg.Done()
	}()
	stop := c.limitProbe(t)
	err = c.awaitUpgrade(t)
	stop()
	if err == nil {
		err = c.takeOver(t, &taken)
	}
	if err != nil {
		c.srv.opts.Logger.Debug("engineio: upgrade failed", "error", err)
	}
}

// probeLooks is how many times in UpgradeTimeout an upgrade that has not ended is
// looked at.
const probeLooks = 4

// limitProbe ends the reading from a WebSocket that is probed after UpgradeTimeout,
// until stop is called. The time in which the answer to a poll flows to the client
// does not count: the client sends its UPGRADE packet when it has received that, and
// if its WebSocket ended before, it might not poll any more.
func (c *Conn) limitProbe(t *websock.Conn) (stop func()) {
	timeout := c.srv.opts.UpgradeTimeout
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.transportDone { // or the reading has been ended for good
		t.ReadUntil(time.Now().Add(timeout))
	}
	stopped, answered := false, c.answered.Load() // protected by c.mu
	var timer *time.Timer
	timer = time.AfterFunc(timeout/probeLooks, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if stopped || c.transportDone {
			return
		}
		now := time.Now()
		n := c.answered.Load()
		if c.writing && n != answered || now.Before(c.arrives) { // NOOPs do not count
			t.ReadUntil(now.Add(timeout))
		}
		answered = n
		timer.Reset(timeout / probeLooks)
	})
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		stopped = true
		timer.Stop()
	}
}

func (c *Conn) giveUpProbe(t *websock.Conn, err error) {
	c.mu.Lock()
	waited := c.probing && c.transportDone // for the UPGRADE packet, after the end of the session
	c.probe, c.probing = nil, false
	c.mu.Unlock()
	c.srv.stats.upgradesFailed.Add(1)
	if waited {
		t.SendClose(wsframe.StatusNone)
		t.Close()
		return
	}
	t.Goodbye(err)
}

// awaitUpgrade answers the probe and returns when the client has sent the UPGRADE packet.
func (c *Conn) awaitUpgrade(t *websock.Conn) error {
	if err := expectPacket(t, func(p string) bool { return p == "2probe" }); err != nil {
		return err
	}
	// When the client has the answer, it stops polling. It then learns only over this
	// WebSocket that the session has ended: see endUnlock.
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	c.probing = true
	c.mu.Unlock()
	if err := t.WriteAlone(probeReplyPacket.Wire()); err != nil {
		return err
	}
	// NOOP to the poll that waits, at once, and to every later one, so that
	// the client can stop polling.
	c.mu.Lock()
	c.noopAt = time.Time{}
	c.wakePollLocked()
	c.mu.Unlock()
	// Some clients send more than the type.
	return expectPacket(t, func(p string) bool { return p != "" && p[0] == protocol.Upgrade })
}

// takeOver makes a WebSocket the transport of the session, and tells the
// Receiver. It sets done when the first has been done.
func (c *Conn) takeOver(t *websock.Conn, done *bool) error {
	c.turnMu.Lock() // the packets of a POST under way come first
	defer c.turnMu.Unlock()
	c.recvMu.Lock()
	defer c.recvMu.Unlock()
	c.mu.Lock()
	if c.transportDone {
		c.mu.Unlock()
		return ErrClosed
	}
	*done = true
	t.ReadUntil(time.Time{})
	if c.lingering { // closed meanwhile: the client gets what is left here
		c.lingering = false
		c.timer.Stop()
		t.AwaitClose()
	}
	c.ws, c.probe, c.probing = t, nil, false
	t.SetOwner((*webSocketOwner)(c))
	c.countUpgradeLocked()
	c.wakePollLocked()
	c.startWritingLocked()
	closed := c.closed
	c.mu.Unlock()
	if !closed {
		c.guard("Upgraded", c.receiver.Upgraded)
	}
	return nil
}

func (c *Conn) wakePollLocked() {
	if c.polling {
		c.wakeLocked()
	}
}

func expectPacket(t *websock.Conn, good func(string) bool) error {
	data, binary, err := t.Next()
	if err == nil && (binary || !good(string(data))) {
		err = errProbe
	}
	return err
}
