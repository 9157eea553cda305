package websock

import (
	"syscall"

	"github.com/seed-d124fa34/socketio/engineio/internal/rawconn"
)

// Watcher is what a connection needs of a rawconn.Watcher.
type Watcher interface {
	Enter(rawconn.Watched) (p rawconn.Place, ok bool)
	Watch(raw syscall.RawConn, p rawconn.Place) (ok bool)
	Leave(rawconn.Place)
}

// Park ends the reading until the client sends something or the connection ends. Then
// Owner.Readable is called, once, and somebody has to read again. A connection that is
// parked has neither a goroutine nor a buffer.
//
// Park is called by whoever reads. If it returns true, another goroutine may be reading
// already. If it returns false, the caller has to read on: something has come, the
// connection is being closed, or it cannot be watched, as with TLS or compression.
func (c *Conn) Park() bool {
	if c.owner == nil || !c.WritesAtOnce() || !c.Idle() || c.flags.has(ending) {
		return false
	}
	c.Release()
	c.in.Release()
	w := c.owner.Watcher()
	if c.place == 0 {
		var ok bool
		if c.place, ok = w.Enter((*watched)(c)); !ok {
			return false
		}
	}
	// From now on nobody reads, and whoever clears the flag may start somebody who does:
	// nothing is used below that a reader changes.
	place := c.place
	c.flags.set(parked)
	if w.Watch(c.in.Raw(), place) && !c.flags.has(ending) {
		return true
	}
	return !c.flags.clear(parked)
}

// Parked reports whether nobody reads because of Park.
func (c *Conn) Parked() bool { return c.flags.has(parked) }

// unpark has somebody read again, if the connection is parked.
func (c *Conn) unpark() {
	if c.flags.clear(parked) {
		c.owner.Readable()
	}
}

// leaveWatcher is called by whoever reads when the network connection has been closed.
func (c *Conn) leaveWatcher() {
	if c.place != 0 {
		c.owner.Watcher().Leave(c.place)
		c.place = 0
	}
}

// watched is a Conn as the Watcher sees it.
type watched Conn

// Readable is called when there is something to read.
func (w *watched) Readable() { (*Conn)(w).unpark() }
