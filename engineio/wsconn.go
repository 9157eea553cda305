package engineio

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// readBuffer is what an idle WebSocket holds for reading; larger messages
	// are read past it.
	readBuffer = 1 << 10
	// controlBuffer holds the largest control frame (RFC 6455, section 5.5), so
	// that the library writes each with one call.
	controlBuffer = 160
	// corkSize is how many bytes of small frames are collected for one write.
	corkSize = 32 << 10
)

// wsConn is the network connection under a WebSocket. Corked, it collects what
// is written, so that a batch of frames costs one system call.
type wsConn struct {
	net.Conn
	before []byte // read by net/http beyond the handshake request
	head   []byte // the answer to the handshake, until it is written

	closeSent atomic.Bool // a close frame has been written or the end has come: nothing may follow
	timeout   time.Duration

	mu       sync.Mutex // protects the following; never held while writing
	corked   *[]byte    // what is collected, or nil
	deadline time.Time  // of the writes
}

func (c *wsConn) Read(p []byte) (int, error) {
	if len(c.before) > 0 {
		n := copy(p, c.before)
		c.before = c.before[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// Write is called by the WebSocket library: with control frames from the
// goroutine that reads, and with compressed messages while corked.
func (c *wsConn) Write(p []byte) (int, error) {
	if c.closeSent.Load() {
		return len(p), nil // the library's answer to a close frame that answers ours
	}
	c.mu.Lock()
	if c.corked != nil {
		*c.corked = append(*c.corked, p...)
		c.mu.Unlock()
		return len(p), nil
	}
	c.mu.Unlock()
	if err := c.writeNow(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// writeNow writes whole frames. A client has between one and two timeouts to
// take them: setting the deadline for each write would cost as much as a short write.
func (c *wsConn) writeNow(p []byte) error {
	now := time.Now()
	c.mu.Lock()
	if c.deadline.Sub(now) < c.timeout {
		c.deadline = now.Add(2 * c.timeout)
		_ = c.Conn.SetWriteDeadline(c.deadline)
	}
	c.mu.Unlock()
	_, err := c.Conn.Write(p)
	return err
}

func (c *wsConn) cork() {
	buf := payloadPool.Get().(*[]byte)
	*buf = append((*buf)[:0], c.head...)
	c.head = nil
	c.mu.Lock()
	c.corked = buf
	c.mu.Unlock()
}

// add collects the frames in wire, or writes them if they are large.
func (c *wsConn) add(wire []byte) error {
	c.mu.Lock()
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

// uncork writes what was collected.
func (c *wsConn) uncork() error {
	c.mu.Lock()
	buf := c.corked
	c.corked = nil
	c.mu.Unlock()
	defer putPayload(buf)
	if len(*buf) == 0 {
		return nil
	}
	return c.writeNow(*buf)
}

// flushHead writes the answer to the handshake, if it has not been.
func (c *wsConn) flushHead() error {
	c.cork()
	return c.uncork()
}

// sendClose writes a close frame without a status, once, as the last thing.
func (c *wsConn) sendClose() error {
	if c.closeSent.Swap(true) {
		return nil
	}
	_ = c.Conn.SetWriteDeadline(time.Now().Add(closeTimeout))
	_, err := c.Conn.Write(append(c.head, finClose, 0))
	c.head = nil
	return err
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

// Hijack takes the connection over with buffers much smaller than those of
// net/http: an idle client holds them for as long as it stays.
func (h *hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if h.refused = h.before(); h.refused != nil {
		return nil, nil, h.refused
	}
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	c := &wsConn{Conn: conn, timeout: h.timeout}
	if n := rw.Reader.Buffered(); n > 0 {
		b, _ := rw.Reader.Peek(n)
		c.before = bytes.Clone(b)
	}
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	_ = h.Header().Write(&head)
	head.WriteString("\r\n")
	c.head = head.Bytes()
	h.conn = c
	return c, bufio.NewReadWriter(bufio.NewReaderSize(c, readBuffer), bufio.NewWriterSize(c, controlBuffer)), nil
}

// deflate reports whether compression was negotiated.
func (h *hijackWriter) deflate() bool {
	return h.Header().Get("Sec-WebSocket-Extensions") != ""
}

// refusal is the answer to a handshake that the library did not accept.
func (h *hijackWriter) refusal(err error) *Refusal {
	h.Header().Del("Connection")
	h.Header().Del("Upgrade")
	if h.refused != nil {
		return h.refused
	}
	if h.status < 400 || h.status >= 500 {
		return &Refusal{http.StatusNotImplemented, codeBadRequest,
			"Bad request: this connection cannot become a WebSocket (" + err.Error() +
				"): serve over HTTP/1.1, and let middleware pass on http.Hijacker or Unwrap"}
	}
	return badRequest("Bad request: " + strings.TrimSpace(h.text.String()))
}
