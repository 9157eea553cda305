package engineio

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// wsTransport is one WebSocket.
//
// coder/websocket does the handshake and reads: frames, masks, limits, control
// frames. What the server sends is framed once, in Frames, and written to the
// network connection beside it, many frames at a time; only compressed messages go
// through the library. The two do not mix up, since every call of Write carries
// whole frames and network connections do not interleave calls.
type wsTransport struct {
	*wsConn
	ws      *websocket.Conn
	deflate bool
}

// acceptWebSocket completes the handshake, unless before, called when the
// request has been found to be good, refuses it. The answer to the client is not
// written yet: it waits for the first write.
func (s *Server) acceptWebSocket(w http.ResponseWriter, r *http.Request, before func() *Refusal) (*wsTransport, *Refusal) {
	opts := websocket.AcceptOptions{InsecureSkipVerify: true} // cors has checked the origin
	if s.opts.PerMessageDeflate {
		opts.CompressionMode = websocket.CompressionNoContextTakeover
		opts.CompressionThreshold = s.opts.PerMessageDeflateThreshold
	}
	hw := &hijackWriter{ResponseWriter: w, timeout: s.opts.WriteTimeout, before: before}
	ws, err := websocket.Accept(hw, r, &opts)
	if err != nil {
		return nil, hw.refusal(err)
	}
	ws.SetReadLimit(int64(s.opts.MaxPayload))
	return &wsTransport{wsConn: hw.conn, ws: ws, deflate: hw.deflate()}, nil
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
	t.cork()
	for _, f := range batch {
		if err := t.collect(f); err != nil {
			return err
		}
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
	t.cork()
	for _, f := range chunk {
		if err := t.collect(f); err != nil {
			return false, err
		}
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

// collect adds the frames of f to what is corked, compressed if they may be.
func (t *wsTransport) collect(f *Frames) error {
	if !t.deflate || !f.compress {
		return t.add(f.wire)
	}
	t.setCollecting(true)
	defer t.setCollecting(false)
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
func (c *Conn) serveWebSocket(t *wsTransport) {
	defer c.srv.wg.Done()
	growStack()
	c.readWebSocket(t)
	t.shut()
	c.mu.Lock()
	c.transportDoneLocked()
	c.mu.Unlock()
}

// growStack makes room for reading while the stack is all but empty, so that it
// need not be copied from deep inside the library.
//
//go:noinline
func growStack() byte {
	var room [1536]byte
	return lastOf(&room)
}

//go:noinline
func lastOf(b *[1536]byte) byte { return b[len(b)-1] }

func (c *Conn) readWebSocket(t *wsTransport) {
	for {
		kind, r, err := t.ws.Reader(context.Background())
		if err == nil {
			err = c.readMessage(kind, r)
		}
		if err == nil {
			continue
		}
		if errors.Is(err, websocket.ErrMessageTooBig) {
			c.end(ReasonTransportClose, errTooLarge(int64(c.srv.opts.MaxPayload)), discard)
			// The library has sent a close frame with status 1009. Read on for
			// a while so that the client gets it before the connection breaks.
			_ = t.ws.Close(websocket.StatusMessageTooBig, "")
			return
		}
		var closed websocket.CloseError
		if errors.As(err, &closed) { // the ordinary end
			c.end(ReasonTransportClose, nil, gone)
			c.awaitWritten(t)
			return
		}
		c.end(ReasonTransportClose, err, abort)
		return
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

// readMessage reads one message and handles it. Messages of a connection that
// has been closed are thrown away.
func (c *Conn) readMessage(kind websocket.MessageType, r io.Reader) error {
	// The buffer is taken now that there is something to read: a waiting
	// connection holds none.
	buf := payloadPool.Get().(*[]byte)
	defer putPayload(buf)
	data, err := readInto((*buf)[:0], r, 0)
	*buf = data
	if err != nil {
		return err
	}
	c.recvMu.Lock()
	defer c.recvMu.Unlock()
	if kind == websocket.MessageBinary {
		c.deliverMessage(data, true)
	} else if err := c.receivePacket(data); err != nil {
		c.endFor(err)
	}
	return nil
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
	go c.serveWebSocket(t)
	return nil
}

// shut ends the network connection.
func (t *wsTransport) shut() {
	t.closeSent.Store(true)
	_ = t.ws.CloseNow()
	_ = t.Conn.Close()
}

// goodbye sends a close frame, waits a while for the client's and shuts.
func (t *wsTransport) goodbye() {
	t.sendClose()
	t.readUntil(time.Now().Add(closeTimeout))
	for {
		_, r, err := t.ws.Reader(context.Background())
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err != nil {
			t.shut()
			return
		}
	}
}
