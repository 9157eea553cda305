package websock

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/instant"
	"github.com/seed-d124fa34/socketio/engineio/internal/rawconn"
	"github.com/seed-d124fa34/socketio/internal/pace"
	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

// CloseTimeout is how long a client has to end the connection when it is being closed.
const CloseTimeout = 5 * time.Second

// Owner is what a connection belongs to once its WebSocket is in use.
type Owner interface {
	// ControlQueued is called when the goroutine that reads has left control frames
	// to be written. The owner has them written, with TryWrite or Write.
	ControlQueued()
	// ControlFlood is called by the goroutine that reads when the client sends more
	// control frames than Options.ControlRate and Next cannot say so. What time it
	// takes holds the client back.
	ControlFlood()
}

// Conn is one WebSocket.
//
// One goroutine reads: Next, ReadUntil, Close and what waits for the client. One at a
// time writes messages: TryWrite, Write, WriteAlone. Other methods may be called from
// any goroutine.
type Conn struct {
	opts  *Options
	owner Owner // nil while an upgrade is probed

	// For the goroutine that reads, but library for writing as well.
	in        rawconn.Inbox // has the network connection
	frames    wsframe.Reader
	library   *library      // with permessage-deflate, instead of frames; else nil
	controls  *pace.Limiter // of control frames
	discarded int32         // bytes read since AwaitClose

	lastPong int32 // where the last pong in control starts; protected by mu

	// closeSent: a close frame has been written, or is in control, or the end has come: no
	// message may follow; set with mu held.
	closeSent    atomic.Bool
	closeWritten atomic.Bool // the close frame has gone to the network
	ending       atomic.Bool // AwaitClose was called

	busy     bool // a write waits for the network, or has to: control frames are queued; protected by mu
	opening  bool // control begins with the answer to the handshake, which goes with the first write; protected by mu
	narrowed bool // see narrowLocked

	rest []byte // what the network did not take of a write; used by whoever writes messages

	mu       sync.Mutex      // protects the following; never held while waiting for the network
	control  []byte          // control frames that go with the next write; the first may be the end of one
	deadline instant.Instant // of the writes
	final    instant.Instant // no deadline is later, if it is not zero
	written  int64           // bytes handed to the network
}

// SetOwner says what the connection belongs to from now on. It is called once.
func (c *Conn) SetOwner(o Owner) { c.owner = o }

// WritesAtOnce reports whether TryWrite may be used: where writing has to wait for
// nothing, and takes little time.
func (c *Conn) WritesAtOnce() bool { return c.in.Raw() != nil && c.library == nil }

func (c *Conn) network() net.Conn { return c.in.Conn() }

// kernel is for asking the kernel what it holds; nil where that is out of reach.
func (c *Conn) kernel() syscall.RawConn {
	if secure, ok := c.network().(*tls.Conn); ok {
		return rawconn.Access(secure.NetConn())
	}
	return c.in.Raw()
}

// CloseSent reports whether a close frame has been written or is about to be, or
// the connection has ended.
func (c *Conn) CloseSent() bool { return c.closeSent.Load() }

// ReadUntil ends the waiting of whoever reads at t, if it is not zero.
func (c *Conn) ReadUntil(t time.Time) { _ = c.network().SetReadDeadline(t) }

// AwaitClose gives the client CloseTimeout to end the connection, which is being
// closed.
func (c *Conn) AwaitClose() {
	c.ending.Store(true)
	c.ReadUntil(time.Now().Add(CloseTimeout))
}

// Cut ends the network connection at once. What the kernel holds for a client
// that does not take it is dropped, rather than kept for minutes.
func (c *Conn) Cut() {
	conn := below(c.network()) // TLS says goodbye when it is closed, which waits for the network
	if l, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = conn.Close()
}

// below returns the connection that carries a connection, under TLS.
func below(conn net.Conn) net.Conn {
	for {
		w, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = w.NetConn()
	}
}

// Progress is what a client has taken up to some time.
type Progress struct {
	Written int64 // bytes handed to the network
	Held    int64 // bytes of them that the client's side has not acknowledged, -1 if not known
	Waiting bool  // a write waits for the network
	Polling bool  // over long-polling: it is not of a Conn, but counted by its user
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
// transport. A write that did not have to wait proves nothing: the kernel takes it for a
// dead client, too.
func (p Progress) Since(before Progress) bool {
	if p.Polling != before.Polling {
		return false
	}
	if before.Waiting && p.Written > before.Written {
		return true
	}
	return p.Held >= 0 && before.Held >= 0 && p.Written-p.Held > before.Written-before.Held
}

// WaitedSince reports whether what is sent last may be behind what the client took
// since before: a write has waited for the network, or bytes that the network had
// before are still not acknowledged. Otherwise what is sent arrives at once.
func (p Progress) WaitedSince(before Progress) bool {
	return p.Waiting && before.Waiting || p.Held >= 0 && p.Written-p.Held < before.Written
}

// closeWrite ends the outgoing direction, if the network connection can do that.
// Nothing is being written.
func (c *Conn) closeWrite() {
	if half, ok := c.network().(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
