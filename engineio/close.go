package engineio

import (
	"errors"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
)

// closeTimeout bounds how long a closed connection lingers: a WebSocket for the
// client's close frame, polling for the request that takes what was queued.
const closeTimeout = websock.CloseTimeout

// Close closes the connection: further sends are refused, what is queued is
// written if the client takes it within 5 seconds, and Receiver.Closed is called
// with reason and err. The first Close decides. It returns at once. A polling
// client that does not poll just then learns of its end by its next poll, within
// 5 seconds too.
//
// With ReasonSlowClient nothing more is written: the network connection is cut,
// since its client does not take what it is sent.
func (c *Conn) Close(reason Reason, err error) {
	if reason == ReasonSlowClient {
		c.end(reason, err, abort)
		return
	}
	c.end(reason, err, deliver)
}

// ending is what becomes of the queue and the network connection at the end.
type ending int

const (
	deliver ending = iota // write what is queued, then close; a polling client may fetch it a little later
	refused               // likewise, but a polling client knows of the end by a refusal
	discard               // drop what is queued, then close
	left                  // the client has closed: drop what is queued; the reader closes
	abort                 // cut the network connection at once
)

var (
	errPanic  = errors.New("engineio: panic in the application's code")
	errGoexit = errors.New("engineio: the application's code called runtime.Goexit")
)

func (c *Conn) end(reason Reason, err error, how ending) {
	c.mu.Lock()
	c.endUnlock(reason, err, how)
}

// endUnlock unlocks mu, which is held, and ends the connection.
func (c *Conn) endUnlock(reason Reason, err error, how ending) {
	ws, probe := c.ws, c.probe
	if c.closed {
		if ws == nil && !c.polling && (how == abort || reason == ReasonServerShutdown && (c.reason == ReasonClientDisconnect || c.hasEverythingLocked())) {
			c.transportDoneLocked() // nobody waits for a client that is leaving, or has nothing to fetch
		}
		c.mu.Unlock()
		cut(how, ws, probe)
		return
	}
	c.closed = true
	c.reason, c.closeErr = reason, err
	c.countClosedLocked()
	if how >= discard {
		c.queue.Drop()
	}
	c.queue.EndWaits()
	if c.timer != nil {
		c.timer.Stop()
	}
	switch {
	case ws != nil:
		if how != left {
			ws.AwaitClose()
		}
	case c.polling || c.probing && how != abort || how == deliver && (reason != ReasonServerShutdown || !c.hasEverythingLocked()):
		// The poll that waits, or the next one, is answered with what is queued and the
		// end. A client whose probe was answered does not poll any more: it gets
		// both over the WebSocket when it has sent its UPGRADE packet.
		c.lingering = true
		c.setTimerLocked(time.Now().Add(closeTimeout))
	default:
		c.transportDoneLocked()
	}
	c.startWritingLocked()
	c.pause.endLocked()
	c.reactLocked()
	cancel, remote, body := c.cancel, c.req.RemoteAddr, c.body
	c.mu.Unlock()
	body.Cut(errSessionOver)
	c.srv.noteEnd(remote, reason, err)
	cut(how, ws, probe)
	if how == abort {
		c.cutAnswer()
	}
	if cancel != nil {
		cancel(&CloseError{Reason: reason, Err: err})
	}
	go c.finish()
}

// hasEverythingLocked reports whether a polling client has got everything: nothing is
// queued or on its way, and no poll waits.
func (c *Conn) hasEverythingLocked() bool {
	return c.ws == nil && !c.polling && !c.writing && c.queue.Empty()
}

// cut ends network connections if that is how the connection ends.
func cut(how ending, transports ...*websock.Conn) {
	for _, t := range transports {
		if how == abort && t != nil {
			t.Cut()
		}
	}
}

// finish calls Receiver.Closed. It has a goroutine of its own since end is
// called from inside the application's Send and Close.
func (c *Conn) finish() {
	c.recvMu.Lock() // wait for the Message under way
	defer func() {  // whatever the application does
		c.recvMu.Unlock()
		c.mu.Lock()
		c.receiverDone = true
		c.forgetLocked()
		c.mu.Unlock()
	}()
	if c.receiver != nil {
		c.guard("Closed", func() { c.receiver.Closed(c.reason, c.closeErr) })
	}
}

func (c *Conn) transportDoneLocked() {
	if c.transportDone {
		return
	}
	c.transportDone = true
	c.lingering = false
	if c.probe != nil {
		c.probe.ReadUntil(time.Unix(1, 0)) // ends its goroutine's wait
	}
	c.queue.Drop()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.forgetLocked()
}

func (c *Conn) forgetLocked() {
	if c.receiverDone && c.transportDone {
		c.srv.forget(c)
	}
}
