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
	// libraryBuffer is the size of the buffer with which the library reads the header of a frame, in bytes.
	libraryBuffer = 16
	// controlBuffer holds the largest control frame (RFC 6455, section 5.5), so
	// that the library writes each with one call.
	controlBuffer = 128
)

// Options are the options of a connection. All must be set, except Form and those of compression.
type Options struct {
	WriteTimeout time.Duration // how long a client may take nothing of what is written to it
	Limit        int           // the size of a message, in bytes
	ControlRate  int           // control frames a second that a client may send
	Form         outgoing.Form // of the messages to the client
	// Deflate negotiates permessage-deflate, for messages of at least
	// DeflateThreshold bytes.
	Deflate          bool
	DeflateThreshold int
}

// Accept completes a handshake for which Check has returned nil. It calls before when it
// is certain that it can take the connection over; if before returns an error, Accept
// returns that error and has not accepted. Other errors are a *BadHandshake or a
// *HijackError. The first write to the connection sends the answer to the handshake, too.
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
	o := websocket.AcceptOptions{InsecureSkipVerify: true} // the caller has checked the origin
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
		ws.SetReadLimit(-1) // nextByLibrary enforces the limit
		hw.conn.library = &library{ws: ws}
	}
	return hw.conn, nil
}

// HijackError means that the network connection of a request cannot be taken over.
type HijackError struct{ Err error }

func (e *HijackError) Error() string { return e.Err.Error() }
func (e *HijackError) Unwrap() error { return e.Err }

// CanHijack reports whether the connection of w can be taken over, as far as this is known
// before it is tried.
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

// hijackWriter is the ResponseWriter for websocket.Accept. It keeps the answer back: the
// first write sends that of a success, and the caller of Accept writes that of a failure.
type hijackWriter struct {
	http.ResponseWriter
	opts   *Options
	before func() error // of Accept

	conn   *Conn
	failed error // the error of before or of the hijacking
	status int
	text   bytes.Buffer
}

func (h *hijackWriter) WriteHeader(status int)      { h.status = status }
func (h *hijackWriter) Write(p []byte) (int, error) { return h.text.Write(p) }

// Hijack implements http.Hijacker. The library calls it when it has found nothing wrong with the handshake.
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
		h.failed = &HijackError{http.ErrNotSupported} // before is not called
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

// deflate reports whether the handshake has negotiated compression.
func (h *hijackWriter) deflate() bool {
	return h.Header().Get("Sec-WebSocket-Extensions") != ""
}

// failure returns why the handshake was not accepted.
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

// NewConn returns a WebSocket on a network connection that was taken over. before are bytes
// that have been read from it already. The options are not copied.
func NewConn(network net.Conn, opts *Options, before []byte) *Conn {
	c := &Conn{opts: opts, in: rawconn.NewInbox(network, rawconn.Access(network), before)}
	c.frames.Limit = opts.Limit
	return c
}

// open queues the answer to the handshake. The first write sends it.
func (c *Conn) open(answer []byte) {
	c.control, c.lastPong, c.opening = answer, int32(len(answer)), true
}

// libraryConn is the network connection that the WebSocket library uses.
type libraryConn struct {
	net.Conn
	c *Conn
}

// Read is called by the goroutine that reads.
func (l libraryConn) Read(p []byte) (int, error) { return l.c.readForLibrary(p) }

// Write is called with control frames, by the goroutine that reads, and with pieces of
// compressed messages, by collectMessage.
func (l libraryConn) Write(p []byte) (int, error) { return l.c.writeForLibrary(p) }

// Close does nothing. The library calls it as soon as it has written its answer to a close
// frame, and the answer may still wait to be sent. Conn.Close closes the connection.
func (libraryConn) Close() error { return nil }
