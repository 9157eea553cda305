package engineio

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is the session of one client. It outlives the upgrade of its transport.
// All methods are safe for concurrent use.
//
// Goroutines: a WebSocket has one that reads (Conn.serveWebSocket), started
// after the handshake and ended by the end of the network connection. What is
// queued is written by a flusher, which many connections share and which never
// waits, or by a goroutine of the connection's own (flush) where the network has to
// be waited for, or messages are compressed or encrypted; both end when nothing is queued. end starts one that calls Receiver.Closed. Polling has none besides
// those of its HTTP requests. Server.Shutdown waits for all of them.
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

	ws      *wsTransport // nil while polling
	probe   *wsTransport // the WebSocket of an upgrade that has not ended
	probing bool         // the probe was answered: polls get NOOP
	noopAt  time.Time    // when the poll that waits came, if since then

	queue  []*Frames
	spare  []*Frames // the other slice of queue, reused
	queued int       // bytes in queue and in the write under way
	handed uint64    // bytes that have been handed to the network, or dropped at the end
	// writing: somebody takes from the queue and writes to the client: the
	// handshake, a flusher, flush, or the answer to a poll. There is one at a time.
	writing bool
	written chan struct{} // closed when writing ends, if somebody waits for it
	waiters []flushWaiter
	// charging: what is in queue is counted in the server's budget. taken: so is
	// the write under way.
	charging, taken bool

	polling bool          // a poll waits
	hurry   bool          // it is to wait no longer than noopPace
	wake    chan struct{} // wakes it
	posting bool          // a POST is being read
	body    *body         // its body, or nil
	// reaction is closed when the client does something about a refusal that is
	// to end the session; nil while there is none.
	reaction chan struct{}

	timer   *time.Timer // next ping, pong timeout or, once closed, end of lingering
	due     time.Time   // when timer fires
	pongDue bool
	pause   *pause // nil for a client that was never held back
	// pongSince is from when on the time for the pong that is due counts, and
	// flow what the client had taken when that was looked at last.
	pongSince time.Time
	flow      flow
	receives  time.Time // until when the client may still receive the last answer to a poll

	controls *bucket // of control packets; guarded by recvMu

	counted   carrier // as what Stats counts it
	closed    bool
	reason    Reason
	closeErr  error
	lingering bool // closed while polling: the next poll takes what is queued
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
	return &Conn{srv: s, id: id, req: r, writing: true, flusher: s.nextFlusher(), charging: s.budget.limit > 0}
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

// Send queues f and returns at once; what is queued is written in order, as
// much as possible at a time. It returns ErrClosed if the connection has ended,
// and ErrSendQueueFull, having queued nothing, if f and what waits already are
// more than Options.Limits.SendQueueLimit. A message of any size is accepted if nothing
// waits. A full queue does not end the connection: a client that takes nothing for
// Options.WriteTimeout is closed anyway. Who sends much at a time waits with Flush.
func (c *Conn) Send(f *Frames) error { return c.send(f, true) }

// SendText is Send for one text message to this client alone.
func (c *Conn) SendText(text string) error { return c.Send(TextFrames(text)) }

// SendBinary is Send for one binary message to this client alone. It copies data.
func (c *Conn) SendBinary(data []byte) error { return c.Send(BinaryFrames(data)) }

// SendAnyway is Send without regard to Options.Limits.SendQueueLimit: for what has been
// accepted, and counted, before it could be sent.
func (c *Conn) SendAnyway(f *Frames) error { return c.send(f, false) }

func (c *Conn) send(f *Frames, limited bool) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	if limited && c.queued > 0 && c.queued+f.size()+frameOverhead*len(c.queue) > c.srv.opts.Limits.SendQueueLimit {
		c.mu.Unlock()
		c.srv.stats.limits.add(limitSendQueue)
		return ErrSendQueueFull
	}
	c.pushLocked(f)
	c.mu.Unlock()
	return nil
}

// SendVolatile sends f only if it can be written at once: nothing is queued or
// being written and, for polling, a request waits. Otherwise f is dropped.
func (c *Conn) SendVolatile(f *Frames) (sent bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false, ErrClosed
	}
	if c.writing || len(c.queue) > 0 || c.ws == nil && !c.polling {
		c.flusher.traffic.volatileDropped.Add(1)
		return false, nil
	}
	c.pushLocked(f)
	return true, nil
}

func (c *Conn) pushLocked(f *Frames) {
	c.queue = append(c.queue, f)
	c.queued += f.size()
	c.chargePushedLocked(f)
	c.kickLocked()
}

// kickLocked sees to it that somebody writes what is queued, or says goodbye.
func (c *Conn) kickLocked() {
	switch {
	case c.writing:
		// The writer looks again when it is done.
	case c.ws != nil:
		if len(c.queue) > 0 || c.closed && !c.ws.closeSent.Load() || c.ws.hasMore() {
			c.writing = true
			if c.ws.tries() {
				c.flusher.add(c)
				return
			}
			batch, size := c.takeLocked(writePiece)
			c.srv.wg.Add(1)
			go c.flush(c.ws, batch, batch, size)
		}
	case c.polling:
		c.wakeLocked()
	}
}

// kick is called when the reader has left control frames to be written.
func (c *Conn) kick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.transportDone {
		c.kickLocked()
	}
}

// endWritingLocked lets go of writing.
func (c *Conn) endWritingLocked() {
	c.writing = false
	if c.written != nil {
		close(c.written)
		c.written = nil
	}
}

func (c *Conn) wakeLocked() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// takeLocked hands about limit bytes from the queue, one unit at least, to a
// writer, which calls wroteLocked with the slice when it has written it.
func (c *Conn) takeLocked(limit int) (batch []*Frames, size int) {
	c.taken = c.charging
	if c.queued <= limit || len(c.queue) == 1 {
		batch, size = c.queue, c.queued
		c.queue, c.spare = c.spare[:0], nil
	} else {
		n := 0
		for n < len(c.queue) && (n == 0 || size+c.queue[n].size() <= limit) {
			size += c.queue[n].size()
			n++
		}
		batch = append(c.spare[:0], c.queue[:n]...)
		c.spare = nil
		clear(c.queue[:n])
		c.queue = c.queue[n:]
	}
	c.flusher.traffic.taken(batch, size)
	return batch, size
}

// wroteLocked is called when a batch has been written, or cannot be.
func (c *Conn) wroteLocked(batch []*Frames, size int) {
	if c.taken {
		c.discharge(batch)
		c.taken = false
	}
	c.queued -= size
	c.handed += uint64(size)
	if c.waiters != nil {
		c.wakeWaitersLocked()
	}
	if cap(batch) > 16 { // after a burst, give the memory back
		return
	}
	clear(batch)
	c.spare = batch[:0]
}

// dropQueueLocked drops what nobody has begun to write.
func (c *Conn) dropQueueLocked() {
	size := 0
	for _, f := range c.queue {
		size += f.size()
	}
	if c.charging {
		c.discharge(c.queue)
	}
	c.queued -= size
	c.handed += uint64(size)
	c.queue, c.spare = nil, nil
}

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
	told                  // likewise, but a polling client has been told of the end by a refusal
	discard               // drop what is queued, then close
	gone                  // drop what is queued; the reader closes
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
		if ws == nil && !c.polling && (how == abort || reason == ReasonServerShutdown && (c.reason == ReasonClientDisconnect || c.restsLocked())) {
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
		c.dropQueueLocked()
	}
	c.wakeWaitersLocked()
	if c.timer != nil {
		c.timer.Stop()
	}
	switch {
	case ws != nil:
		if how != gone {
			ws.awaitClose()
		}
	case c.polling || c.probing && how != abort || how == deliver && (reason != ReasonServerShutdown || !c.restsLocked()):
		// A poll takes what is queued and the news: the one that waits, or the next.
		// A client whose probe was answered does not poll any more: it gets them
		// by the WebSocket when it has sent its UPGRADE packet.
		c.lingering = true
		c.setTimerLocked(time.Now().Add(closeTimeout))
	default:
		c.transportDoneLocked()
	}
	c.kickLocked()
	c.pause.endLocked()
	c.reactLocked()
	cancel, remote, body := c.cancel, c.req.RemoteAddr, c.body
	c.mu.Unlock()
	body.cut(errSessionOver)

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

// restsLocked reports whether a polling client has got everything: nothing is
// queued or on its way, and no poll waits.
func (c *Conn) restsLocked() bool {
	return c.ws == nil && !c.polling && !c.writing && len(c.queue) == 0
}

// cut ends network connections if that is how the connection ends.
func cut(how ending, transports ...*wsTransport) {
	for _, t := range transports {
		if how == abort && t != nil {
			t.cut()
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
		c.probe.readUntil(time.Unix(1, 0)) // ends its goroutine's wait
	}
	c.dropQueueLocked()
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

// deliverMessage calls the receiver. The caller holds recvMu.
func (c *Conn) deliverMessage(data []byte, binary bool) (room <-chan struct{}) {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if !closed {
		c.guard("Message", func() { room = c.receiver.Message(data, binary) })
	}
	return room
}

// guard runs code of the application on a goroutine of ours, where a panic would
// end the process and runtime.Goexit the connection's reader.
func (c *Conn) guard(what string, f func()) {
	returned := false
	defer func() {
		if v := recover(); v != nil {
			c.srv.logPanic(what, v)
			c.end(ReasonServerDisconnect, errPanic, deliver)
		} else if !returned {
			c.end(ReasonServerDisconnect, errGoexit, deliver)
		}
	}()
	f()
	returned = true
}
