package engineio

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

const (
	// libraryBuffer is what the library has for reading the header of a frame.
	libraryBuffer = 16
	// controlBuffer holds the largest control frame (RFC 6455, section 5.5), so
	// that the library writes each with one call.
	controlBuffer = 128
	// corkSize is how many bytes of small frames are collected for one write.
	corkSize = 32 << 10
	// maxAfter bounds the control frames that wait for a client which does not read.
	maxAfter = 4 << 10
)

var errNotReading = errors.New("engineio: the client does not read what it asks for")

// wsConn is the network connection under a WebSocket. Corked, it collects what
// is written, so that a batch of frames costs one system call.
//
// There are two writers: whoever holds Conn.writing, and the goroutine that reads, with
// the control frames. Every write of theirs is of whole frames,
// and network connections do not interleave writes. The reader's frames do not
// wait for the network: see busy.
type wsConn struct {
	net.Conn
	in      inbox
	timeout time.Duration
	trying  *tryWriter // nil where it is not possible; used with mu held

	closeSent atomic.Bool // a close frame has been written or the end has come: nothing may follow; set by writers with mu held
	// closeWritten: the close frame of sendClose has gone to the network.
	closeWritten atomic.Bool
	// ending: awaitClose was called.
	ending    atomic.Bool
	discarded int    // bytes read since then, by whoever reads
	rest      []byte // what the network did not take of a write; used by the holder of Conn.writing

	mu     sync.Mutex // protects the following; never held while waiting for the network
	head   []byte     // the answer to the handshake, until it is written
	corked *[]byte    // what is collected, or nil
	// collecting: the library writes compressed messages to corked.
	collecting bool
	busy       bool      // a write waits for the network, or has to: control frames go to after
	after      []byte    // control frames that go with the next write
	deadline   time.Time // of the writes
}

// Close is called by the WebSocket library as soon as it has handed over its
// answer to a close frame, which may wait for a write. shut closes.
func (c *wsConn) Close() error { return nil }

// Write is called by the WebSocket library: with control frames, on the
// goroutine that reads, and with compressed messages, in pieces, while collecting.
func (c *wsConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.collecting {
		*c.corked = append(*c.corked, p...)
		c.mu.Unlock()
		return len(p), nil
	}
	c.mu.Unlock()
	if err := c.writeControl(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// writeControl writes a control frame, unless a close frame went before. The
// goroutine that reads calls it.
func (c *wsConn) writeControl(p []byte) error {
	c.mu.Lock()
	if c.closeSent.Load() { // this answers the close frame that answers ours
		c.mu.Unlock()
		return nil
	}
	if p[0] == finClose {
		c.closeSent.Store(true)
	}
	switch {
	case c.corked != nil && !c.collecting:
		*c.corked = append(*c.corked, p...)
	case c.busy || c.collecting || c.trying != nil && len(c.head) == 0:
		// A client that does not read gets its pongs with what comes next.
		if len(c.after)+len(p) > maxAfter {
			c.mu.Unlock()
			return errNotReading
		}
		n := 0
		if !c.busy && !c.collecting && len(c.after) == 0 {
			var err error
			if n, err = c.writeAtOnceLocked(p); err != nil {
				c.mu.Unlock()
				return err
			}
		}
		if n > 0 && n < len(p) {
			c.mu.Unlock()
			return errNotReading // in the middle of a frame, and nobody to go on
		}
		if n == 0 {
			c.after = append(c.after, p...)
		}
	default:
		c.extendLocked()
		c.mu.Unlock()
		_, err := c.Conn.Write(p)
		return err
	}
	c.mu.Unlock()
	return nil
}

// try writes whole frames as far as the network takes them at once. What it
// does not take is kept in rest.
func (c *wsConn) try(p []byte) (done bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tryLocked(p)
}

// tryMessage is try, unless a close frame went before: nothing may follow it.
func (c *wsConn) tryMessage(p []byte) (done bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closeSent.Load() {
		return true, nil
	}
	return c.tryLocked(p)
}

func (c *wsConn) tryLocked(p []byte) (done bool, err error) {
	n, err := c.writeAtOnceLocked(p)
	if err != nil || n == len(p) {
		return true, err
	}
	c.busy = true
	c.rest = bytes.Clone(p[n:])
	return false, nil
}

// writeAtOnceLocked writes what the network takes. It is called while no write waits.
func (c *wsConn) writeAtOnceLocked(p []byte) (int, error) {
	n, err := c.trying.write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) { // that of an earlier write
		c.extendLocked()
		n, err = c.trying.write(p)
	}
	return n, err
}

// hasMore reports whether something goes in front of the next frames.
func (c *wsConn) hasMore() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.head)+len(c.after) > 0
}

// writeNow writes whole frames.
func (c *wsConn) writeNow(p []byte) error {
	c.mu.Lock()
	return c.writeUnlock(p)
}

// writeMessage is writeNow, unless a close frame went before: nothing may follow it.
func (c *wsConn) writeMessage(p []byte) error {
	c.mu.Lock()
	if c.closeSent.Load() {
		c.mu.Unlock()
		return nil
	}
	return c.writeUnlock(p)
}

// writeUnlock unlocks mu, which is held, and writes.
func (c *wsConn) writeUnlock(p []byte) error {
	c.extendLocked()
	c.busy = true
	c.mu.Unlock()
	_, err := c.Conn.Write(p)
	c.mu.Lock()
	c.busy = false
	c.mu.Unlock()
	return err
}

// extendLocked gives a client between one and two timeouts to take what is
// written: setting the deadline for each write would cost as much as a short write.
func (c *wsConn) extendLocked() {
	now := time.Now()
	if c.deadline.Sub(now) < c.timeout {
		c.deadline = now.Add(2 * c.timeout)
		_ = c.Conn.SetWriteDeadline(c.deadline)
	}
}

func (c *wsConn) cork() {
	buf := payloadPool.Get().(*[]byte)
	c.mu.Lock()
	*buf = append(append((*buf)[:0], c.head...), c.after...)
	c.head, c.after = nil, nil
	c.corked = buf
	c.mu.Unlock()
}

// add collects the frames in wire, or writes them if they are large.
func (c *wsConn) add(wire []byte) error {
	c.mu.Lock()
	if c.closeSent.Load() { // nothing may follow the close frame
		c.mu.Unlock()
		return nil
	}
	small := len(*c.corked)+len(wire) <= corkSize
	if small {
		*c.corked = append(*c.corked, wire...)
	}
	c.mu.Unlock()
	if small {
		return nil
	}
	if err := c.uncork(); err != nil {
		return err
	}
	c.cork()
	if len(wire) <= corkSize {
		return c.add(wire)
	}
	return c.writeNow(wire)
}

// beginCollecting lets the library write messages to what is corked, which
// control frames then follow. It reports false if a close frame went before.
func (c *wsConn) beginCollecting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.collecting = !c.closeSent.Load()
	return c.collecting
}

func (c *wsConn) endCollecting() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.collecting = false
	*c.corked = append(*c.corked, c.after...)
	c.after = nil
}

// uncork writes what was collected.
func (c *wsConn) uncork() error {
	buf := c.takeCork()
	defer putPayload(buf)
	if len(*buf) == 0 {
		return nil
	}
	return c.writeNow(*buf)
}

func (c *wsConn) takeCork() *[]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	buf := c.corked
	c.corked = nil
	return buf
}

// flushHead writes the answer to the handshake, if it has not been.
func (c *wsConn) flushHead() error {
	c.cork()
	return c.uncork()
}

// sendClose writes a close frame, once, as the last thing. A client whose network
// takes nothing at the moment does without.
func (c *wsConn) sendClose(status wsframe.Status) {
	c.mu.Lock()
	if c.closeSent.Swap(true) {
		c.mu.Unlock()
		return
	}
	p := wsframe.AppendClose(append(c.head, c.after...), status)
	c.head, c.after = nil, nil
	c.mu.Unlock()
	defer c.closeWritten.Store(true)
	if c.trying != nil {
		_, _ = c.try(p)
		return
	}
	_ = c.Conn.SetWriteDeadline(time.Now().Add(closeTimeout))
	_, _ = c.Conn.Write(p)
}

// readUntil ends the waiting of whoever reads at t, if it is not zero.
func (c *wsConn) readUntil(t time.Time) {
	_ = c.Conn.SetReadDeadline(t)
}

// hijackWriter is the ResponseWriter for websocket.Accept. It keeps the answer
// back: that of a success until there is something to send with it, that of
// a failure to be written in our form.
type hijackWriter struct {
	http.ResponseWriter
	timeout time.Duration
	// before is called when the request has been found to be good; it may still refuse.
	before func() *Refusal

	conn    *wsConn
	refused *Refusal
	status  int
	text    bytes.Buffer
}

func (h *hijackWriter) WriteHeader(status int)      { h.status = status }
func (h *hijackWriter) Write(p []byte) (int, error) { return h.text.Write(p) }

// Hijack is called by the library when it has found the handshake to be good.
func (h *hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := h.hijack(); err != nil {
		return nil, nil, err
	}
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	_ = h.Header().Write(&head)
	head.WriteString("\r\n")
	h.conn.head = head.Bytes()
	return h.conn, bufio.NewReadWriter(bufio.NewReaderSize(h.conn, libraryBuffer), bufio.NewWriterSize(h.conn, controlBuffer)), nil
}

// hijack takes the connection over, without the buffers of net/http.
func (h *hijackWriter) hijack() error {
	if !canHijack(h.ResponseWriter) {
		return http.ErrNotSupported // before the application hears of the client
	}
	if h.refused = h.before(); h.refused != nil {
		return h.refused
	}
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return err
	}
	raw := rawConn(conn)
	before, _ := rw.Reader.Peek(rw.Reader.Buffered())
	h.conn = &wsConn{Conn: conn, in: newInbox(conn, raw, before), timeout: h.timeout, trying: newTryWriter(raw)}
	return nil
}

// deflate reports whether compression was negotiated.
func (h *hijackWriter) deflate() bool {
	return h.Header().Get("Sec-WebSocket-Extensions") != ""
}

// refusal is the answer to a handshake that the library did not accept.
func (h *hijackWriter) refusal(err error) *Refusal {
	h.Header().Del("Connection")
	h.Header().Del("Upgrade")
	h.Header().Del(subprotocolHeader)
	if h.refused != nil {
		return h.refused
	}
	if h.status < 400 || h.status >= 500 {
		return refuseHijack(err)
	}
	return badRequest(strings.TrimSpace(h.text.String()))
}

// canHijack reports whether the connection under w may be taken over.
func canHijack(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case http.Hijacker:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}

func refuseHijack(err error) *Refusal {
	return refuse(http.StatusNotImplemented, codeBadRequest, causeNoUpgrade,
		"this connection cannot become a WebSocket ("+err.Error()+"): serve over HTTP/1.1, and let middleware pass on http.Hijacker or Unwrap")
}
