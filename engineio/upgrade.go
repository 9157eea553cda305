package engineio

import (
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/protocol"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

var errProbe = errors.New("engineio: an upgrade did not begin with a probe")

// upgrade serves the WebSocket handshake of a session over polling (protocol:
// "Upgrade"). If the upgrade fails, the session goes on over polling.
func (c *Conn) upgrade(w http.ResponseWriter, r *http.Request, base64 bool) *Refusal {
	if c.srv.opts.DisableUpgrades {
		return badRequest("upgrades are turned off by Options.DisableUpgrades; begin with transport=websocket")
	}
	t, refusal := c.srv.acceptWebSocket(w, r, c.dialect().form(base64), func() *Refusal {
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
	if c.receiverDone && c.transportDone { // the server has forgotten the session
		c.mu.Unlock()
		t.Close()
		return nil
	}
	c.srv.wg.Add(1)
	p := c.poll
	taken := c.closed || c.ws != nil || p == nil || p.probe != nil
	if !taken {
		p.probe = t
	}
	c.mu.Unlock()
	if taken {
		// As on the reference server, a second WebSocket does not harm the session.
		defer c.srv.wg.Done()
		t.Goodbye(nil)
		return nil
	}
	if err := t.WriteAlone(nil); err != nil {
		defer c.srv.wg.Done()
		c.giveUpProbe(p, t, err)
		return nil
	}
	go c.serveProbe(p, t)
	return nil
}

// serveProbe is the goroutine of an upgrade. After a success it starts that of the
// WebSocket.
func (c *Conn) serveProbe(p *pollState, t *websock.Conn) {
	taken, err := false, error(nil)
	defer func() { // also if the application panics or calls runtime.Goexit in Upgraded
		if taken {
			c.park(t)
			return
		}
		c.giveUpProbe(p, t, err)
		c.srv.wg.Done()
	}()
	stop := c.limitProbe(p, t)
	err = c.awaitUpgrade(p, t)
	stop()
	if err == nil {
		err = c.takeOver(p, t, &taken)
	}
	if err != nil {
		c.srv.opts.Logger.Debug("engineio: upgrade failed", "error", err)
	}
}

// probeChecks is how many times within UpgradeTimeout limitProbe checks an upgrade that
// has not ended.
const probeChecks = 4

// limitProbe ends the reading from the WebSocket of an upgrade after UpgradeTimeout,
// unless stop is called before. The time in which the answer to a poll flows to the
// client does not count: the client sends its UPGRADE packet only when it has received
// that answer, and if its WebSocket ended before, it might poll no more.
func (c *Conn) limitProbe(p *pollState, t *websock.Conn) (stop func()) {
	timeout := c.srv.opts.UpgradeTimeout
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.transportDone { // otherwise transportDoneLocked has ended the reading for good
		t.ReadUntil(time.Now().Add(timeout))
	}
	stopped, answered := false, p.answered.Load() // protected by c.mu
	var timer *time.Timer
	timer = time.AfterFunc(timeout/probeChecks, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if stopped || c.transportDone {
			return
		}
		now := time.Now()
		n := p.answered.Load()
		if c.writing && n != answered || now.Before(p.arrives) { // NOOPs do not count
			t.ReadUntil(now.Add(timeout))
		}
		answered = n
		timer.Reset(timeout / probeChecks)
	})
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		stopped = true
		timer.Stop()
	}
}

func (c *Conn) giveUpProbe(p *pollState, t *websock.Conn, err error) {
	c.mu.Lock()
	awaited := c.awaitsUpgradeLocked()
	if awaited && errors.Is(err, os.ErrDeadlineExceeded) {
		c.transportDoneLocked()
	}
	waited := c.probing && c.transportDone // the session has ended, and the UPGRADE packet did not come
	p.probe, c.probing = nil, false
	if awaited && !c.transportDone { // the client has ended the WebSocket, and may poll again
		c.lingerLocked()
	}
	p.resumesLocked(time.Now())
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
func (c *Conn) awaitUpgrade(p *pollState, t *websock.Conn) error {
	if err := expectPacket(t, func(p string) bool { return p == "2probe" }); err != nil {
		return err
	}
	// When the client has the answer, it stops polling. If the session ends then, the
	// client learns of it only over this WebSocket: see endUnlock.
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
	// Answer the poll that waits with NOOP at once, and every later one after
	// noopPace, so that the client can stop polling.
	c.mu.Lock()
	p.noopAt = time.Time{}
	c.wakePollLocked()
	c.mu.Unlock()
	// Some clients send more than the packet type.
	return expectPacket(t, func(p string) bool { return p != "" && p[0] == protocol.Upgrade })
}

// takeOver makes a WebSocket the transport of the session, sets done, and then calls
// Receiver.Upgraded.
func (c *Conn) takeOver(p *pollState, t *websock.Conn, done *bool) error {
	p.turn.Lock() // the packets of a POST under way come first
	defer p.turn.Unlock()
	c.recvMu.Lock()
	defer c.recvMu.Unlock()
	c.mu.Lock()
	if c.transportDone {
		c.mu.Unlock()
		return ErrClosed
	}
	*done = true
	t.ReadUntil(time.Time{})
	if c.lingering { // closed meanwhile: the client gets what is queued over the WebSocket
		c.lingering = false
		c.timer.Stop()
		t.AwaitClose()
	}
	c.ws, p.probe, c.probing = t, nil, false
	t.SetOwner((*webSocketOwner)(c))
	c.countUpgradeLocked()
	c.wakePollLocked()
	c.dropPollLocked()
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

func expectPacket(t *websock.Conn, isExpected func(string) bool) error {
	data, binary, err := t.Next()
	if err == nil && (binary || !isExpected(string(data))) {
		err = errProbe
	}
	return err
}
