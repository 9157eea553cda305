package engineio

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
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

// wsConn is the network connection under a WebSocket: what has been read
// (inbox), and what is to be written (wswrite.go).
type wsConn struct {
	net.Conn
	in      inbox
	owner   *Conn           // whose WebSocket it is; nil while an upgrade is probed
	timeout time.Duration   // Options.WriteTimeout
	trying  *tryWriter      // nil where it is not possible; used with mu held
	kernel  syscall.RawConn // tells what the kernel holds; nil where that is not known
	resumes bool            // a write that its deadline ended can be continued

	closeSent atomic.Bool // a close frame has been written, or is in after, or the end has come: no message may follow; set with mu held
	// closeWritten: the close frame has gone to the network.
	closeWritten atomic.Bool
	// ending: awaitClose was called.
	ending    atomic.Bool
	discarded int    // bytes read since then, by whoever reads
	rest      []byte // what the network did not take of a write; used by the holder of Conn.writing

	mu         sync.Mutex // protects the following; never held while waiting for the network
	head       []byte     // the answer to the handshake, until it is written
	after      []byte     // control frames that go with the next write; the first may be the end of one
	lastPong   int        // where the last pong in after starts
	collecting *[]byte    // where the library's writes go while it compresses a message, or nil
	busy       bool       // a write waits for the network, or has to: control frames go to after
	deadline   time.Time  // of the writes
	final      time.Time  // no deadline is later, if it is not zero
	written    int64      // bytes handed to the network
}

// Close is called by the WebSocket library as soon as it has handed over its
// answer to a close frame, which may wait for a write. shut closes.
func (c *wsConn) Close() error { return nil }

// readUntil ends the waiting of whoever reads at t, if it is not zero.
func (c *wsConn) readUntil(t time.Time) {
	_ = c.Conn.SetReadDeadline(t)
}

// cut ends the network connection at once. What the kernel holds for a client
// that does not take it is dropped, rather than kept for minutes.
func (c *wsConn) cut() {
	conn := c.Conn
	for { // TLS says goodbye when it is closed, which waits for the network
		w, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = w.NetConn()
	}
	if l, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = conn.Close()
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
	below := raw
	secure, ok := conn.(*tls.Conn)
	if ok {
		below = rawConn(secure.NetConn())
	}
	h.conn = &wsConn{Conn: conn, in: newInbox(conn, raw, before), timeout: h.timeout, trying: newTryWriter(raw),
		kernel: below, resumes: !ok}
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
	return refuse(http.StatusNotImplemented, CodeBadRequest, causeNoUpgrade,
		"this connection cannot become a WebSocket ("+err.Error()+"): serve over HTTP/1.1, and let middleware pass on http.Hijacker or Unwrap")
}
