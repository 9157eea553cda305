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
// messages are compressed or encrypted, a goroutine of the connection's own (flush)
// writes instead, until nothing is queued. A last one calls Receiver.Closed. A polling
// client has only the goroutines of its HTTP requests. Server.Shutdown waits for all.
//
// Locks: turnMu, then recvMu, then mu. turnMu keeps the packets of a POST
// together and in front of those of an upgrade; it is the only one that is held
// while waiting, for the Receiver's room or the end of the connection. recvMu makes
// the calls of the Receiver one at a time. No lock is held while waiting for the network.
type Conn struct {
	srv      *Server
	id       string
	receiver Receiver
	flusher  *flusher
	header   int          // bytes of req that Server.headers counts
	answered atomic.Int64 // bytes of answers to polls that have been written

	answerMu sync.Mutex    // protects the following; held while setting a deadline
	answer   *answerWriter // of the poll that is being answered

	turnMu sync.Mutex // held while the packets of a POST are delivered, waits included
	recvMu sync.Mutex // held while the receiver is called

	mu sync.Mutex // protects the following

	req    *http.Request           // of the handshake; once there is cancel, with the context of the connection
	cancel context.CancelCauseFunc // nil until somebody asks for the request or its context

	ws      *websock.Conn // nil while polling
	probe   *websock.Conn // the WebSocket of an upgrade that has not ended
	probing bool          // the probe was answered: polls get NOOP
	noopAt  time.Time     // when the waiting poll came, if it came while probing: it gets its NOOP noopPace later

	queue outgoing.Queue
	// writing: somebody takes from the queue and writes to the client: the
	// handshake, a flusher, flush, or the answer to a poll. There is one at a time.
	writing bool
	written chan struct{} // closed when writing ends, if somebody waits for it

	polling bool           // a poll waits
	hurried bool           // that poll waits no longer than noopPace
	wake    chan struct{}  // wakes that poll
	posting bool           // a POST is being read
	body    *httpbody.Body // of that POST, or nil
	// reaction is closed when the client reacts to a refusal that ends the session
	// soon; nil if there was no such refusal.
	reaction chan struct{}

	timer   *time.Timer // next ping, pong timeout or, once closed, end of lingering
	due     time.Time   // when timer fires
	pongDue bool
	pause   *pause // nil for a client that was never held back
	// PingTimeout counts from pongSince for the pong that is due. progress is what the
	// client had taken at the last look.
	pongSince time.Time
	progress  progress
	receives  time.Time // the client may receive the last answer to a poll until then
	arrives   time.Time // the same over a slow link; zero when the client polls again

	controls *pace.Limiter // of control packets; guarded by recvMu

	counted   carrier // as what Stats counts it
	closed    bool
	reason    Reason
	closeErr  error
	lingering bool // closed while polling: the next poll is answered with what is queued
	// The server forgets the connection when both are true.
	receiverDone  bool // Receiver.Closed has returned
	transportDone bool // no network connection and no request of it will do more
}

func newConn(s *Server, r *http.Request, id string) *Conn {
	if r.Body != nil && r.Body != http.NoBody {
		// It would hold the buffers of net/http.
		r = r.WithContext(r.Context())
		r.Body = http.NoBody
	}
	c := &Conn{srv: s, id: id, req: r, writing: true, flusher: s.nextFlusher()}
	c.queue.Init(c.flusher.budget)
	return c
}

// ID returns the session id: 22 characters of base64url from a cryptographic
// source and, if that is set, a dot and Options.ServerID.
func (c *Conn) ID() string { return c.id }

// Request returns the handshake request: URL, header, cookies, remote
// address. It stays the same across an upgrade, and is kept as long as the
// connection: handshakes whose header has more than 64 KiB, each field with 128
// bytes more than its text, are refused with 431. Its context is Context. It must
// not be modified.
func (c *Conn) Request() *http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel == nil { // few connections need it
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

// ClientIP returns the address of the client, without a port: what
// Options.ClientIP says of the handshake request or, without that option, the last
// entry of X-Forwarded-For with Options.TrustForwarded, or else the address of the
// network connection. It is "" if there is none.
func (c *Conn) ClientIP() string {
	c.mu.Lock()
	r := c.req
	c.mu.Unlock()
	ip, _ := c.srv.clientIP(r)
	return ip
}

// Context returns a context with the values of the handshake request's, which
// is cancelled with a *CloseError as its cause when the connection ends.
func (c *Conn) Context() context.Context { return c.Request().Context() }

// Transport returns the transport in use: Polling, or WebSocket once an
// upgrade has been completed.
func (c *Conn) Transport() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ws != nil {
		return WebSocket
	}
	return Polling
}
