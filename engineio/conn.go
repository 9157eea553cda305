package engineio

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/instant"
	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
	"github.com/seed-d124fa34/socketio/engineio/internal/protocol"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
	"github.com/seed-d124fa34/socketio/internal/pace"
)

// Conn is the session of one client. It outlives the upgrade of its transport.
// All methods are safe for concurrent use.
//
// Goroutines: one reads from a WebSocket (Conn.serveWebSocket). It starts after the
// handshake and ends with the network connection, or when the client falls silent. In
// the latter case the connection is parked: a Watcher, which many connections share,
// waits for the client and starts another one (Conn.park). A flusher, which many
// connections share and which never waits, writes what is queued. If the network takes no
// more, a goroutine of the connection (flush) writes instead, until nothing is queued; if
// messages are compressed or encrypted, one of the writers does, which connections share
// as long as their networks take something. Another one calls Receiver.Closed and ends. A
// polling client has only the goroutines of its HTTP requests. Server.Shutdown waits for
// all of them.
//
// Locks, in the order in which they are taken: pollState.turn, recvMu, mu. turn keeps the
// packets of a POST together and in front of those of an upgrade. It is the only lock
// that is held while waiting: for the Receiver to have room, or for the end of the
// connection. recvMu makes the calls of the Receiver one at a time. No lock is held
// while waiting for the network.
type Conn struct {
	srv      *Server
	id       string
	receiver Receiver
	flusher  *flusher

	recvMu sync.Mutex // held while the receiver is called

	mu sync.Mutex // protects the following

	req    *http.Request           // of the handshake; it has the context of the connection once cancel is set
	cancel context.CancelCauseFunc // nil until the first call of Request or Context
	header int32                   // size of req in Server.headers, in bytes; not changed
	pings  uint16                  // those that the client has not answered

	polling bool // a poll waits
	probing bool // the probe of an upgrade was answered: polls get NOOP
	// writing is true while somebody takes from the queue and writes to the client: the
	// handshake, a flusher, flush, or the answer to a poll. There is one at a time.
	writing   bool
	pongDue   bool
	dialectID dialectID // not changed
	counted   carrier   // the transport by which Stats counts it
	closed    bool
	lingering bool // closed while polling: the next poll is answered with what is queued
	// The server forgets the connection when both are true.
	receiverDone  bool // Receiver.Closed has returned
	transportDone bool // nothing more is read from the client or written to it

	numbers *numbering // nil until a message is sent with a number

	poll    *pollState    // nil unless the session began with polling; see dropPollLocked
	ws      *websock.Conn // nil while polling
	queue   outgoing.Queue
	written chan struct{} // closed when writing ends, if somebody waits for it

	timer *time.Timer     // next ping, pong timeout or, once closed, end of lingering
	due   instant.Instant // when timer fires
	pause *pause          // nil if the Receiver has always had room
	// With revision 3, the last PING came at pongSince. With revision 4,
	// PingTimeout counts from pongSince for the pong that is due. progress is what the
	// client had taken at the last check.
	pongSince instant.Instant
	progress  websock.Progress

	controls *pace.Limiter // of control packets; guarded by recvMu

	cause *CloseError // why the connection has ended; nil until closed
}

func newConn(s *Server, r *http.Request, id, transport string, d dialectID) *Conn {
	if r.Body != nil && r.Body != http.NoBody {
		// The body would keep buffers of net/http alive.
		r = r.WithContext(r.Context())
		r.Body = http.NoBody
	}
	c := &Conn{srv: s, id: id, dialectID: d, req: r, writing: true, flusher: s.nextFlusher()}
	c.queue.Init(c.flusher.budget)
	if transport == Polling {
		c.poll = new(pollState)
	}
	return c
}

func (c *Conn) dialect() dialect { return dialects[c.dialectID] }

// reasonLocked returns why the connection has ended, "" if it has not.
func (c *Conn) reasonLocked() Reason {
	if c.cause == nil {
		return ""
	}
	return c.cause.Reason
}

// Ended returns a connection that has ended, for reason and err, and that no client was
// ever on: it stands for one that a client had with another server. It counts nowhere.
func (s *Server) Ended(reason Reason, err error) *Conn {
	r := &http.Request{Method: http.MethodGet, URL: new(url.URL), Header: http.Header{}, Body: http.NoBody}
	c := newConn(s, r, protocol.NewID(), WebSocket, revision4)
	c.closed, c.receiverDone, c.transportDone = true, true, true
	c.cause = &CloseError{Reason: reason, Err: err}
	return c
}

// ID returns the session id: 22 characters of base64url from a cryptographic
// source, or 27 if Revision is 3, followed by a dot and Options.ServerID if that is set.
func (c *Conn) ID() string { return c.id }

// Request returns the handshake request: URL, header, cookies, remote address. It
// stays the same across an upgrade. Its context is Context. It must not be modified.
//
// The server keeps the request as long as the connection. It therefore refuses a
// handshake with more than 64 KiB of header with 431; each field counts with its text
// and 128 bytes.
func (c *Conn) Request() *http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel == nil { // made when first needed, which is rare
		// ServeHTTP returns while the connection lives on: keep the values of
		// the request's context without its end.
		ctx, cancel := context.WithCancelCause(context.WithoutCancel(c.req.Context()))
		c.req, c.cancel = c.req.WithContext(ctx), cancel
		c.req.Body = http.NoBody
		if c.closed {
			cancel(c.cause)
		}
	}
	return c.req
}

// ClientIP returns the address of the client, without a port, or "" if there is
// none. It is what Options.ClientIP returns for the handshake request. Without that
// option it is the last entry of X-Forwarded-For if Options.TrustForwarded is set, and
// the address of the network connection otherwise.
func (c *Conn) ClientIP() string {
	c.mu.Lock()
	r := c.req
	c.mu.Unlock()
	ip, _ := c.srv.clientIP(r)
	return ip
}

// Context returns a context with the values of the handshake request's context. It is
// cancelled when the connection ends, with a *CloseError as its cause.
func (c *Conn) Context() context.Context { return c.Request().Context() }

// Transport returns the transport in use: Polling or WebSocket. It changes from the
// first to the second when an upgrade has been completed.
func (c *Conn) Transport() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ws != nil {
		return WebSocket
	}
	return Polling
}
