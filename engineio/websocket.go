package engineio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

// wsTransport is one WebSocket.
//
// coder/websocket does what is difficult, for the connections that need it: odd
// handshakes and their refusals, compression, and frames that are no whole, small
// message (see inbox.frame). The others, nearly all, do without its buffers and
// locks. What the server sends is framed once, in Frames, and written to the
// network connection beside it, many frames at a time; only compressed messages go
// through the library. The two do not mix up, since every call of Write carries
// whole frames and network connections do not interleave calls.
type wsTransport struct {
	*wsConn
	deflate bool
	limit   int // of a message, in bytes

	// For the goroutine that reads, but ws for writing with deflate, which is set then.
	ws    *websocket.Conn // nil until needed
	br    *bufio.Reader   // what ws reads from
	large *[]byte         // holds the message that ws has read last, or nil
}

// errPeerClosed is the ordinary end: the client sent a close frame, which has been answered.
var errPeerClosed = errors.New("engineio: the client closed the WebSocket")

// acceptWebSocket completes the handshake, unless before, called when the
// request has been found to be good, refuses it. The answer to the client is not
// written yet: it waits for the first write.
func (s *Server) acceptWebSocket(w http.ResponseWriter, r *http.Request, before func() *Refusal) (*wsTransport, *Refusal) {
	hw := &hijackWriter{ResponseWriter: w, timeout: s.opts.WriteTimeout, before: before}
	if key, plain := handshakeKey(r); plain && !(s.opts.PerMessageDeflate && len(r.Header["Sec-Websocket-Extensions"]) > 0) {
		if err := hw.hijack(); err != nil {
			return nil, hw.refusal(err)
		}
		hw.conn.head = appendAccept(make([]byte, 0, 192), key, w.Header())
		return &wsTransport{wsConn: hw.conn, limit: s.opts.MaxPayload}, nil
	}
	opts := websocket.AcceptOptions{InsecureSkipVerify: true} // cors has checked the origin
	if s.opts.PerMessageDeflate {
		opts.CompressionMode = websocket.CompressionNoContextTakeover
		opts.CompressionThreshold = s.opts.PerMessageDeflateThreshold
	}
	ws, err := websocket.Accept(hw, r, &opts)
	if err != nil {
		return nil, hw.refusal(err)
	}
	ws.SetReadLimit(int64(s.opts.MaxPayload))
	return &wsTransport{wsConn: hw.conn, deflate: hw.deflate(), limit: s.opts.MaxPayload, ws: ws, br: hw.br}, nil
}

// next returns the next message, valid until the next call, and sees to control
// frames. While it waits, its stack is small and there is no buffer.
func (t *wsTransport) next() (data []byte, binary bool, err error) {
	t.letGo()
	for t.br == nil || t.br.Buffered() == 0 {
		op, p, state := t.in.frame(t.limit)
		switch {
		case state == framePart:
			err = t.in.fill()
		case state == frameOther:
			return t.nextByLibrary()
		case op == opClose || op == opPing:
			err = t.control(op, p)
		case op != opPong:
			return p, op == opBinary, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
	return t.nextByLibrary()
}

// letGo gives up the memory of the message that was read last.
func (t *wsTransport) letGo() {
	if t.large != nil {
		putPayload(t.large)
		t.large = nil
	}
}

// control answers a control frame with its payload (RFC 6455, section 5.5).
func (t *wsTransport) control(op byte, p []byte) error {
	answer := byte(finPong)
	if op == opClose {
		answer = finClose
	}
	err := t.writeControl(append([]byte{answer, byte(len(p))}, p...))
	if op == opClose {
		return errPeerClosed
	}
	return err
}

func (t *wsTransport) nextByLibrary() (data []byte, binary bool, err error) {
	if t.ws == nil {
		if t.ws, t.br, err = adopt(t.wsConn); err != nil {
			return nil, false, fmt.Errorf("engineio: %w", err)
		}
		t.ws.SetReadLimit(int64(t.limit))
	}
	kind, r, err := t.ws.Reader(context.Background())
	if err == nil {
		// The buffer is taken now that there is something to read.
		t.large = payloadPool.Get().(*[]byte)
		*t.large, err = readInto((*t.large)[:0], r, 0, math.MaxInt)
	}
	if err != nil {
		var closed websocket.CloseError
		if errors.As(err, &closed) {
			err = errPeerClosed
		}
		return nil, false, err
	}
	return *t.large, kind == websocket.MessageBinary, nil
}

// write writes the frames of a batch, in as few calls as their size allows,
// behind what tryWrite left. It waits for the network.
func (t *wsTransport) write(batch []*Frames) error {
	if rest := t.rest; rest != nil {
		t.rest = nil
		if err := t.writeNow(rest); err != nil || len(batch) == 0 {
			return err
		}
	}
	if w := t.sole(batch); w != nil {
		return t.writeMessage(w)
	}
	if err := t.gather(batch); err != nil {
		return err
	}
	return t.uncork()
}

// tryWrite is write without waiting. If the network does not take everything,
// write is to be called with what is left of the batch.
func (t *wsTransport) tryWrite(batch []*Frames) (left []*Frames, err error) {
	for len(batch) > 0 {
		n, size := 1, batch[0].size()
		for n < len(batch) && size+batch[n].size() <= corkSize {
			size += batch[n].size()
			n++
		}
		done, err := t.tryChunk(batch[:n])
		batch = batch[n:]
		if !done || err != nil {
			return batch, err
		}
	}
	return nil, nil
}

func (t *wsTransport) tryChunk(chunk []*Frames) (done bool, err error) {
	if w := t.sole(chunk); w != nil {
		return t.tryMessage(w)
	}
	if err := t.gather(chunk); err != nil {
		return false, err
	}
	buf := t.takeCork()
	defer putPayload(buf)
	return t.try(*buf)
}

// sole returns what to write if the batch is a single unit that needs no copy.
func (t *wsTransport) sole(batch []*Frames) []byte {
	if len(batch) != 1 || t.deflate && batch[0].compress || t.hasMore() {
		return nil
	}
	return batch[0].wire
}

// gather corks the connection and collects a batch.
func (t *wsTransport) gather(batch []*Frames) error {
	t.cork()
	for _, f := range batch {
		if err := t.collect(f); err != nil {
			return err
		}
	}
	return nil
}

// collect adds the frames of f to what is corked, compressed if they may be.
func (t *wsTransport) collect(f *Frames) error {
	if !t.deflate || !f.compress {
		return t.add(f.wire)
	}
	if !t.beginCollecting() {
		return nil
	}
	defer t.endCollecting()
	for p, binary := range f.messages {
		kind := websocket.MessageText
		if binary {
			kind = websocket.MessageBinary
		}
		// No deadline: corked, nothing is written to the network here.
		if err := t.ws.Write(context.Background(), kind, p); errors.Is(err, net.ErrClosed) {
			t.closeSent.Store(true) // a close frame was: nothing may follow it
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// serveWebSocket reads until the network connection ends. It is the
// goroutine of a WebSocket: Server.openWebSocket starts it, Shutdown waits for it.
// opening says that nothing has been read yet.
func (c *Conn) serveWebSocket(t *wsTransport, opening bool) {
	switch again, room := c.readWebSocket(t, opening); {
	case room != nil:
		go c.resumeWebSocket(t, room) // with a smaller stack
		return
	case again:
		go c.serveWebSocket(t, false)
		return
	}
	t.shut()
	c.mu.Lock()
	c.transportDoneLocked()
	c.mu.Unlock()
	c.srv.wg.Done()
}

// resumeWebSocket reads on when the Receiver has room.
func (c *Conn) resumeWebSocket(t *wsTransport, room <-chan struct{}) {
	c.awaitRoom(room)
	c.serveWebSocket(t, false)
}

// growStack makes room for handling a message while the stack is all but empty, so that it
// need not be copied from deep inside.
//
//go:noinline
func growStack() byte {
	var room [1536]byte
	return lastOf(&room)
}

//go:noinline
func lastOf(b *[1536]byte) byte { return b[len(b)-1] }

// readWebSocket reads messages. It reports true when the client is about to be
// silent, having connected or answered a PING with nothing else since the one
// before: another goroutine is to go on reading then, since what this one needed
// to handle messages stays in its stack, which waiting does not need. If room is not
// nil, nothing is to be read until it is closed.
func (c *Conn) readWebSocket(t *wsTransport, opening bool) (again bool, room <-chan struct{}) {
	grown, quiet := false, false
	for {
		data, binary, err := t.next()
		if err != nil {
			c.endRead(t, err)
			return false, nil
		}
		c.flusher.traffic.received(1, len(data))
		if len(data) == 1 && data[0] == typePong && !binary {
			c.pong()
			if grown && quiet && t.in.empty() {
				return true, nil
			}
			quiet = true
			continue
		}
		quiet = false
		if !grown {
			growStack()
			grown = true
		}
		if room = c.handleMessage(t, data, binary); room != nil {
			t.letGo()
			return false, room
		}
		if opening && t.in.empty() {
			return true, nil
		}
		opening = false
	}
}

// endRead ends the connection for an error of next.
func (c *Conn) endRead(t *wsTransport, err error) {
	switch {
	case err == errPeerClosed:
		c.end(ReasonTransportClose, nil, gone)
		c.awaitWritten(t)
	case errors.Is(err, websocket.ErrMessageTooBig):
		c.srv.stats.limits.add(limitPayload)
		c.end(ReasonTransportClose, errTooLarge(t.limit), discard)
		// The library has sent a close frame with status 1009. Read on for
		// a while so that the client gets it before the connection breaks.
		_ = t.ws.Close(websocket.StatusMessageTooBig, "")
	default:
		c.end(ReasonTransportClose, err, abort)
	}
}

// awaitWritten waits for the write under way and the answer to the client's
// close frame behind it.
func (c *Conn) awaitWritten(t *wsTransport) {
	c.mu.Lock()
	if !c.writing {
		c.mu.Unlock()
		return
	}
	written := make(chan struct{})
	c.written = written
	c.mu.Unlock()
	_ = t.Conn.SetWriteDeadline(time.Now().Add(closeTimeout))
	<-written
}

// handleMessage handles one message. Those of a connection that has been closed
// are thrown away. room is as from receivePacket.
func (c *Conn) handleMessage(t *wsTransport, data []byte, binary bool) (room <-chan struct{}) {
	returned := false
	c.recvMu.Lock()
	defer func() {
		c.recvMu.Unlock()
		if !returned { // the receiver called runtime.Goexit: another goroutine reads the rest
			go c.serveWebSocket(t, false)
		}
	}()
	if binary {
		room = c.deliverMessage(data, true)
	} else {
		var err error
		if room, err = c.receivePacket(data); err != nil {
			c.endFor(err)
		}
	}
	returned = true
	return room
}

// openWebSocket serves a handshake that asks for WebSocket at once.
func (s *Server) openWebSocket(w http.ResponseWriter, r *http.Request) *Refusal {
	var c *Conn
	t, refusal := s.acceptWebSocket(w, r, func() (refusal *Refusal) {
		c, refusal = s.open(r, WebSocket)
		return refusal
	})
	if refusal != nil {
		if c != nil {
			c.end(ReasonTransportError, refusal, abort)
		}
		return refusal
	}
	c.mu.Lock()
	if c.transportDone { // aborted by Shutdown meanwhile
		c.mu.Unlock()
		t.shut()
		return nil
	}
	c.ws = t
	if c.closed {
		c.lingering = false
		t.readUntil(time.Now().Add(closeTimeout))
	}
	s.wg.Add(2) // flush and serveWebSocket
	batch, size := c.takeLocked()
	c.mu.Unlock()
	// The answer to the handshake and the open packet, in one write.
	c.flush(t, batch, batch, size)
	go c.serveWebSocket(t, true)
	return nil
}

// shut ends the network connection. It is called by whoever reads.
func (t *wsTransport) shut() {
	t.in.begin = t.in.end
	t.in.release()
	t.closeSent.Store(true)
	if t.ws != nil {
		_ = t.ws.CloseNow()
	}
	_ = t.Conn.Close()
}

// closeStatusLocked returns the status of the close frame that the server sends.
// Like the reference server it gives none, but for a shutdown, which is no fault
// of anybody: 1001 says that a new connection is worth a try.
func (c *Conn) closeStatusLocked() wsframe.Status {
	if c.reason == ReasonServerShutdown {
		return wsframe.StatusGoingAway
	}
	return wsframe.StatusNone
}

// goodbye sends a close frame, waits a while for the client's and shuts.
func (t *wsTransport) goodbye() {
	t.sendClose(wsframe.StatusNone)
	t.readUntil(time.Now().Add(closeTimeout))
	for {
		if _, _, err := t.next(); err != nil {
			t.shut()
			return
		}
	}
}
