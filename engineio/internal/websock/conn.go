package websock

import (
	"crypto/tls"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/instant"
	"github.com/seed-d124fa34/socketio/engineio/internal/rawconn"
	"github.com/seed-d124fa34/socketio/internal/pace"
	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

// CloseTimeout is how long a client may take to end the connection after the close frame.
const CloseTimeout = 5 * time.Second

// Owner is notified of what happens to a connection whose WebSocket is in use.
type Owner interface {
	// ControlQueued is called by the goroutine that reads when it has queued control
	// frames. The owner then calls TryWrite or Write.
	ControlQueued()
	// ControlFlood is called by the goroutine that reads when the client sends more
	// control frames than Options.ControlRate allows, and Next cannot return an error
	// for it. The client is held back for as long as ControlFlood takes.
	ControlFlood()
	// Watcher returns what waits for the client while the connection is parked: see
	// Conn.Park. It is always the same.
	Watcher() Watcher
	// Readable is called when somebody has to read again after Conn.Park. It must not
	// wait.
	Readable()
	// Holds is called when Write begins to hold a copy of messages for this client alone
	// until the client has taken it, with its size in bytes, and with -n when it holds the
	// copy no longer. Small copies are not counted.
	Holds(n int)
}

// Conn is one WebSocket.
//
// One goroutine reads: it calls Next, Park, Close, Goodbye and DiscardAll. One goroutine at
// a time writes messages: it calls TryWrite, Write and WriteAlone. Other methods may be
// called from any goroutine.
type Conn struct {
	opts  *Options
	owner Owner // nil while an upgrade is probed

	// Only the goroutine that reads uses these, except that writers use library, too.
	in        rawconn.Inbox // contains the network connection
	frames    wsframe.Reader
	library   *library      // replaces frames with permessage-deflate, otherwise nil
	controls  *pace.Limiter // limits the control frames of the client
	discarded int32         // bytes read since AwaitClose
	place     rawconn.Place // in the Watcher of owner; 0: none

	lastPong int32 // where the last pong in control starts; protected by mu

	flags flags

	busy     bool // a write waits for the network, or is about to, so control frames are queued; protected by mu
	opening  bool // control begins with the answer to the handshake, which the first write sends; protected by mu
	narrowed bool // see narrowLocked

	rest []byte // what the network has not taken of a write; only the goroutine that writes messages uses it

	mu       sync.Mutex      // protects the following; never held while waiting for the network
	control  []byte          // control frames for the next write; it may begin with the rest of one
	deadline instant.Instant // the deadline of the writes
	final    instant.Instant // no deadline is later, if it is not zero
	written  int64           // bytes handed to the network
}

// SetOwner sets the owner, before the WebSocket is used. It is called once.
func (c *Conn) SetOwner(o Owner) { c.owner = o }

// WritesAtOnce reports whether TryWrite may be used: a write then waits for nothing, and
// takes little time.
func (c *Conn) WritesAtOnce() bool { return c.in.Raw() != nil && c.library == nil }

func (c *Conn) network() net.Conn { return c.in.Conn() }

// kernel returns the connection for system calls, or nil if there is none.
func (c *Conn) kernel() syscall.RawConn {
	if secure, ok := c.network().(*tls.Conn); ok {
		return rawconn.Access(secure.NetConn())
	}
	return c.in.Raw()
}

// CloseSent reports whether a close frame has been written or queued, or the connection has
// ended.
func (c *Conn) CloseSent() bool { return c.flags.has(closeSent) }

// ReadUntil sets the deadline of reads. Zero means none. It has no effect while the
// connection is parked.
func (c *Conn) ReadUntil(t time.Time) { _ = c.network().SetReadDeadline(t) }

// AwaitClose gives the client CloseTimeout to end the connection. It is called when the
// connection is being closed.
func (c *Conn) AwaitClose() {
	c.flags.set(ending)
	c.ReadUntil(time.Now().Add(CloseTimeout))
	c.unpark()
}

// Cut ends the network connection at once. The kernel drops what it holds for the client;
// otherwise it would keep that for minutes for a client that takes nothing.
func (c *Conn) Cut() {
	conn := below(c.network()) // closing TLS sends an alert, which may wait for the network
	if l, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = conn.Close()
	c.unpark() // a Watcher does not hear of a descriptor that this process has closed
}

// below returns the connection under TLS, or conn itself without TLS.
func below(conn net.Conn) net.Conn {
	for {
		w, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = w.NetConn()
	}
}

// Progress says what a client has taken up to one moment.
type Progress struct {
	Written int64 // bytes handed to the network
	Held    int64 // bytes of these that the client's kernel has not acknowledged, -1 if unknown
	Waiting bool  // a write waits for the network
	Polling bool  // it is about long-polling: the user of this package has counted it, and not a Conn
}

// Progress returns what the client has taken.
func (c *Conn) Progress() Progress {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := Progress{Waiting: c.busy, Written: c.written, Held: -1}
	if held, known := rawconn.Unacknowledged(c.kernel()); known {
		p.Held = held
	}
	return p
}

// Since reports whether the client has taken something since before, over the same
// transport. A write that did not wait proves nothing: the kernel takes bytes for a client
// that is dead, too.
func (p Progress) Since(before Progress) bool {
	if p.Polling != before.Polling {
		return false
	}
	if before.Waiting && p.Written > before.Written {
		return true
	}
	return p.Held >= 0 && before.Held >= 0 && p.Written-p.Held > before.Written-before.Held
}

// WaitedSince reports whether something that was sent after before may still be on its way,
// although the client has taken something: a write has waited for the network, or bytes
// that were written before are not acknowledged yet.
func (p Progress) WaitedSince(before Progress) bool {
	return p.Waiting && before.Waiting || p.Held >= 0 && p.Written-p.Held < before.Written
}

// closeWrite ends the outgoing direction, if the network connection can do that. No write is
// under way.
func (c *Conn) closeWrite() {
	if half, ok := c.network().(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
