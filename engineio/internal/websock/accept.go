package websock

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
	"github.com/seed-d124fa34/socketio/engineio/internal/rawconn"
)

const (
	// libraryBuffer is what the library has for reading the header of a frame, in bytes.
	libraryBuffer = 16
	// controlBuffer holds the largest control frame (RFC 6455, section 5.5), so
	// that the library writes each with one call.
	controlBuffer = 128
)

// Options are those of a connection. All but Form and those of compression must be set.
type Options struct {
	WriteTimeout time.Duration // how long a client may take nothing of what is written to it
	Limit        int           // of a message, in bytes
	ControlRate  int           // control frames a second that a client may send
	Form         outgoing.Form // of the messages to the client
	// Deflate negotiates permessage-deflate, for messages of at least
	// DeflateThreshold bytes.
	Deflate          bool
	DeflateThreshold int
}

// Accept completes a handshake that Check has found to be good, unless before,
// called when the connection can be taken over, returns an error, which Accept then
// returns. The answer to the client is not written yet: it waits for the first write.
// Other errors are a *BadHandshake or a *HijackError.
func Accept(w http.ResponseWriter, r *http.Request, opts *Options, before func() error) (*Conn, error) {
	if p, _ := firstSubprotocol(r); p != "" && w.Header().Get(subprotocolHeader) == "" { // middleware may have chosen
		w.Header().Set(subprotocolHeader, p)
	}
	hw := &hijackWriter{ResponseWriter: w, opts: opts, before: before}
	if key, plain := handshakeKey(r); plain && !(opts.Deflate && len(r.Header["Sec-Websocket-Extensions"]) > 0) {
		if err := hw.hijack(); err != nil {
			return nil, hw.failure(err)
		}
		hw.conn.open(appendAccept(make([]byte, 0, 192), key, w.Header()))
		return hw.conn, nil
	}
	o := websocket.AcceptOptions{InsecureSkipVerify: true} // our user has checked the origin
	if opts.Deflate {
		o.CompressionMode = websocket.CompressionNoContextTakeover
		o.CompressionThreshold = opts.DeflateThreshold
		o.OnPingReceived = func(context.Context, []byte) bool { hw.conn.controlByLibrary(); return true }
		o.OnPongReceived = func(context.Context, []byte) { hw.conn.controlByLibrary() }
	}
	ws, err := websocket.Accept(hw, r, &o)
	if err != nil {
		return nil, hw.failure(err)
	}
	if hw.deflate() {
		ws.SetReadLimit(-1) // nextByLibrary has a limit
		hw.conn.library = &library{ws: ws}
	}
	return hw.conn, nil
}

// HijackError says that the network connection under a request cannot be taken over.
type HijackError struct{ Err error }

func (e *HijackError) Error() string { return e.Err.Error() }
func (e *HijackError) Unwrap() error { return e.Err }

// CanHijack reports whether the connection under w may be taken over, as far as that
// can be known before it is tried.
func CanHijack(w http.ResponseWriter) bool {
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

// hijackWriter is the ResponseWriter for websocket.Accept. It keeps the answer
// back: that of a success until there is something to send with it, that of
// a failure for our user to write.
type hijackWriter struct {
	http.ResponseWriter
	opts   *Options
	before func() error // of Accept

	conn   *Conn
	failed error // of before, or of the hijacking
	status int
	text   bytes.Buffer
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
	h.conn.open(head.Bytes())
	conn := libraryConn{h.conn.network(), h.conn}
	return conn, bufio.NewReadWriter(bufio.NewReaderSize(conn, libraryBuffer), bufio.NewWriterSize(conn, controlBuffer)), nil
}

// hijack takes the connection over, without the buffers of net/http.
func (h *hijackWriter) hijack() error {
	if !CanHijack(h.ResponseWriter) {
		h.failed = &HijackError{http.ErrNotSupported} // before the application hears of the client
		return h.failed
	}
	if h.failed = h.before(); h.failed != nil {
		return h.failed
	}
	network, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		h.failed = &HijackError{err}
		return h.failed
	}
	before, _ := rw.Reader.Peek(rw.Reader.Buffered())
	h.conn = NewConn(network, h.opts, before)
	return nil
}

// deflate reports whether compression was negotiated.
func (h *hijackWriter) deflate() bool {
	return h.Header().Get("Sec-WebSocket-Extensions") != ""
}

// failure is why the handshake was not accepted.
func (h *hijackWriter) failure(err error) error {
	h.Header().Del("Connection")
	h.Header().Del("Upgrade")
	h.Header().Del(subprotocolHeader)
	if h.failed != nil {
		return h.failed
	}
	if h.status < 400 || h.status >= 500 {
		return &HijackError{err}
	}
	return &BadHandshake{http.StatusBadRequest, strings.TrimSpace(h.text.String())}
}

// NewConn returns a WebSocket on a network connection that was taken over, from which
// before has been read. opts is not copied.
func NewConn(network net.Conn, opts *Options, before []byte) *Conn {
	c := &Conn{opts: opts, in: rawconn.NewInbox(network, rawconn.Access(network), before)}
	c.frames.Limit = opts.Limit
	return c
}

// open queues the answer to the handshake, which goes with the first write.
func (c *Conn) open(answer []byte) {
	c.control, c.lastPong, c.opening = answer, int32(len(answer)), true
}

// libraryConn is the network connection as the WebSocket library has it.
type libraryConn struct {
	net.Conn
	c *Conn
}

// Read is called on the goroutine that reads.
func (l libraryConn) Read(p []byte) (int, error) { return l.c.readForLibrary(p) }

// Write is called with control frames, on the goroutine that reads, and with
// compressed messages, in pieces, while collecting.
func (l libraryConn) Write(p []byte) (int, error) { return l.c.writeForLibrary(p) }

// Close is called by the WebSocket library as soon as it has handed over its
// answer to a close frame, which may wait for a write. Conn.Close closes.
func (libraryConn) Close() error { return nil }
