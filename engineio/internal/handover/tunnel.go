package handover

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// tunnelBuffer is the buffer of each direction of a tunnel, in bytes.
const tunnelBuffer = 8 << 10

// tunnelWriter is the ResponseWriter of a WebSocket handshake that is handed
// over. The proxy takes the connection from it, and copies until either side
// closes.
type tunnelWriter struct {
	http.ResponseWriter
	h *Request
}

// Hijack returns a connection that has a time limit for the client. The proxy alone would
// wait for ever.
func (w *tunnelWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		w.h.hijackErr = err // the proxy does not pass it on
		return nil, nil, err
	}
	w.h.hijacked = true
	timeout := 2 * w.h.p.opts.WriteTimeout
	_ = conn.SetWriteDeadline(time.Now().Add(timeout)) // of the answer to the handshake
	return &tunnel{Conn: conn, in: rw.Reader, timeout: timeout, h: w.h}, rw, nil
}

// tunnel is the client's connection of a WebSocket that another server has. That
// server pings, applies limits and cuts slow clients; this one only ends a tunnel on
// which either side is silent for too long.
type tunnel struct {
	net.Conn
	in      *bufio.Reader // has what the client has sent ahead
	timeout time.Duration
	h       *Request
}

func (t *tunnel) Read(p []byte) (int, error) { return t.in.Read(p) }

// Write is called when the other server has sent something.
func (t *tunnel) Write(p []byte) (int, error) {
	t.h.patience.Reset(t.h.wait())
	_ = t.Conn.SetWriteDeadline(time.Now().Add(t.timeout))
	return t.Conn.Write(p)
}

// io.Copy uses ReadFrom and WriteTo. Without them its buffers are four times as large.
func (t *tunnel) ReadFrom(r io.Reader) (int64, error) {
	return copyThrough(struct{ io.Writer }{t}, r)
}

func (t *tunnel) WriteTo(w io.Writer) (int64, error) {
	return copyThrough(struct{ io.Writer }{w}, struct{ io.Reader }{t})
}

func copyThrough(w io.Writer, r io.Reader) (int64, error) {
	return io.CopyBuffer(w, r, make([]byte, tunnelBuffer))
}

// copyBuffers are the buffers for answers to polls.
type copyBuffers struct{}

var copyBufferPool = sync.Pool{New: func() any { return new([tunnelBuffer]byte) }}

func (copyBuffers) Get() []byte  { return copyBufferPool.Get().(*[tunnelBuffer]byte)[:] }
func (copyBuffers) Put(b []byte) { copyBufferPool.Put((*[tunnelBuffer]byte)(b)) }
