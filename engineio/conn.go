package engineio

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/httpbody"
	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
	"github.com/seed-d124fa34/socketio/internal/pace"
)

// Conn is the session of one client. It outlives the upgrade of its transport.
// All methods are safe for concurrent use.
//
// Goroutines: one reads from a WebSocket (Conn.serveWebSocket). It starts after the
// handshake and ends with the network connection. A flusher, which many connections
// share and which never waits, writes what is queued. If the network takes no more, or
// if messages are compressed or encrypted, a goroutine of the connection (flush)
// writes instead, until nothing is queued. Another one calls Receiver.Closed and ends. A
// polling client has only the goroutines of its HTTP requests. Server.Shutdown waits for
// all of them.
//
// Locks, in the order in which they are taken: turnMu, recvMu, mu. turnMu keeps the
// packets of a POST together and in front of those of an upgrade. It is the only lock
// that is held while waiting: for the Receiver to have room, or for the end of the
// connection. recvMu makes the calls of the Receiver one at a time. No lock is held
// while waiting for the network.
type Conn struct {
	srv      *Server
	id       string
	receiver Receiver
	flusher  *flusher
	header   int          // size of req in Server.headers, in bytes
	answered atomic.Int64 // bytes of answers to polls that have been written

	answerMu sync.Mutex    // protects the following; held while setting a deadline
	answer   *answerWriter // of the poll that is being answered

	turnMu sync.Mutex // held while the packets of a POST are delivered, waits included
	recvMu sync.Mutex // held while the receiver is called

	mu sync.Mutex // protects the following

	req    *http.Request           // of the handshake; it has the context of the connection once cancel is set
	cancel context.CancelCauseFunc // nil until the first call of Request or Context

	ws      *websock.Conn // nil while polling
	probe   *websock.Conn // the WebSocket of an upgrade that has not ended
	probing bool          // the probe was answered: polls get NOOP
	noopAt  time.Time     // when the waiting poll came, if it came while probing; it gets NOOP after noopPace

	queue outgoing.Queue
	// writing is true while somebody takes from the queue and writes to the client: the
	// handshake, a flusher, flush, or the answer to a poll. There is one at a time.
	writing bool
	written chan struct{} // closed when writing ends, if somebody waits for it

	polling bool           // a poll waits
	hurried bool           // that poll waits no longer than noopPace
	wake    chan struct{}  // wakes that poll
	posting bool           // a POST is being read
	body    *httpbody.Body // of that POST, or nil
	// reaction is closed when the client reacts to a refusal after which the session
	// ends. It is nil if there was no such refusal.
	reaction chan struct{}

	timer   *time.Timer // next ping, pong timeout or, once closed, end of lingering
	due     time.Time   // when timer fires
	pongDue bool
	pause   *pause // nil if the Receiver has always had room
	// PingTimeout counts from pongSince for the pong that is due. progress is what the
	// client had taken at the last check.
	pongSince time.Time
	progress  progress
	receives  time.Time // until then the client may still be receiving the last answer to a poll
	arrives   time.Time // the same over a slow link; zero when the client polls again

	controls *pace.Limiter // of control packets; guarded by recvMu

	counted   carrier // the transport by which Stats counts it
	closed    bool
	reason    Reason
	closeErr  error
	lingering bool // closed while polling: the next poll is answered with what is queued
	// The server forgets the connection when both are true.
	receiverDone  bool // Receiver.Closed has returned
	transportDone bool // nothing more is read from the client or written to it
}

func newConn(s *Server, r *http.Request, id string) *Conn {
	if r.Body != nil && r.Body != http.NoBody {
		// The body would keep buffers of net/http alive.
		r = r.WithContext(r.Context())
		r.Body = http.NoBody
	}
	c := &Conn{srv: s, id: id, req: r, writing: true, flusher: s.nextFlusher()}
	c.queue.Init(c.flusher.budget)
	return c
}

// ID returns the session id: 22 characters of base64url from a cryptographic
// source, followed by a dot and Options.ServerID if that is set.
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
			cancel(&CloseError{Reason: c.reason, Err: c.closeErr})
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
