package engineio

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

const (
	// discardAtOnce is how much is read, in bytes, and thrown away at the rate of
	// the network when a connection has been closed: what was on its way in
	// front of the client's close frame. More is read slowly, a burst for each
	// discardPause, until closeTimeout is over, or discardGrace if the client broke a
	// rule. To close the network connection at once would take from the client what
	// it has not read yet, the close frame among it, since the operating system
	// answers unread bytes with a reset.
	discardAtOnce = 64 << 10
	discardPause  = 100 * time.Millisecond
	discardGrace  = time.Second
)

// errPeerClosed is the ordinary end: the client sent a close frame, which has been answered.
var errPeerClosed = errors.New("engineio: the client closed the WebSocket")

// next returns the next message, valid until the next call, and sees to control
// frames. While it waits, its stack is small and there is no buffer, but for the
// beginning of a message. What the client is to be told of an error is a *wsframe.Error.
func (t *wsTransport) next() (data []byte, binary bool, err error) {
	if t.deflate {
		return t.nextByLibrary()
	}
	for {
		op, p, n, err := t.frames.Next(t.in.buf[t.in.begin:t.in.end], len(t.in.buf))
		t.in.begin += n
		switch {
		case err != nil:
		case op == wsframe.OpText || op == wsframe.OpBinary:
			return p, op == wsframe.OpBinary, nil
		case op == wsframe.OpPing || op == wsframe.OpClose:
			err = t.control(op, p)
		case op == wsframe.OpContinuation && n == 0:
			err = t.more()
		}
		if err == nil && (op == wsframe.OpPing || op == wsframe.OpPong) && !spend(&t.controls, t.rate) {
			err = errTooMuchControl
		}
		if err != nil {
			return nil, false, err
		}
	}
}

// more waits for more of what next needs.
func (t *wsTransport) more() error {
	if t.in.empty() && !t.ending.Load() {
		if p := t.frames.Space(burstSize); p != nil {
			n, err := t.in.readTo(p)
			if err != nil {
				return err
			}
			return t.frames.Came(n)
		}
	}
	return t.fill()
}

// control answers a control frame with its payload (RFC 6455, section 5.5).
func (t *wsTransport) control(op wsframe.Op, p []byte) error {
	answer := byte(finPong)
	if op == wsframe.OpClose {
		answer = finClose
	}
	err := t.writeControl(append([]byte{answer, byte(len(p))}, p...))
	if op == wsframe.OpClose {
		return errPeerClosed
	}
	return err
}

// nextByLibrary is next with permessage-deflate.
func (t *wsTransport) nextByLibrary() (data []byte, binary bool, err error) {
	t.letGo()
	kind, r, err := t.ws.Reader(context.Background())
	if err == nil {
		// The buffer is taken now that there is something to read.
		t.large = payloadPool.Get().(*[]byte)
		*t.large, err = readInto((*t.large)[:0], r, 0, t.limit)
	}
	if err == nil && kind == websocket.MessageText && !utf8.Valid(*t.large) {
		err = wsframe.ErrNotUTF8
	}
	if err != nil {
		return nil, false, t.libraryError(err)
	}
	return *t.large, kind == websocket.MessageBinary, nil
}

// letGo gives up the memory of the message that was read last.
func (t *wsTransport) letGo() {
	if t.large != nil {
		putPayload(t.large)
		t.large = nil
	}
	t.frames.ReleaseLast()
}

// libraryError returns what next returns for an error while the library reads.
func (t *wsTransport) libraryError(err error) error {
	var closed websocket.CloseError
	var violation *wsframe.Error
	switch {
	case errors.As(err, &closed):
		return errPeerClosed
	case err == errBodyTooLarge:
		return wsframe.ErrTooBig
	case t.in.err != nil:
		return t.in.err
	case errors.As(err, &violation):
		return err
	}
	return &wsframe.Error{Status: wsframe.StatusProtocol, Text: err.Error()}
}

// endRead ends the connection for an error of next.
func (c *Conn) endRead(t *wsTransport, err error) {
	var refused *wsframe.Error
	switch {
	case err == errPeerClosed:
		c.end(ReasonTransportClose, nil, gone)
		c.awaitWritten(t)
	case errors.As(err, &refused) && refused.Status != wsframe.StatusNone:
		_ = t.writeControl(wsframe.AppendClose(nil, refused.Status)) // the library may have written one
		reason := ReasonTransportError
		if refused == wsframe.ErrTooBig {
			c.srv.stats.limits.add(limitPayload)
			reason, err = ReasonTransportClose, errTooLarge(t.limit)
		}
		c.end(reason, err, discard)
		c.awaitWritten(t)
		t.drain()
	default:
		c.end(ReasonTransportClose, err, abort)
	}
}

// awaitWritten waits for the write under way and the close frame behind it.
func (c *Conn) awaitWritten(t *wsTransport) {
	c.mu.Lock()
	if !c.writing {
		c.mu.Unlock()
		return
	}
	if c.written == nil {
		c.written = make(chan struct{})
	}
	written := c.written
	c.mu.Unlock()
	t.writeUntil(time.Now().Add(closeTimeout))
	<-written
}

// goodbye ends a WebSocket that never became the transport of a session: it sends a
// close frame, waits a while for the client's and shuts. err is an error of next, or nil.
func (t *wsTransport) goodbye(err error) {
	var refused *wsframe.Error
	if !errors.As(err, &refused) {
		refused = wsframe.ErrClosed
	}
	t.sendClose(refused.Status)
	t.awaitClose()
	if refused.Status != wsframe.StatusNone {
		t.drain()
	} else {
		for err = nil; err == nil; {
			_, _, err = t.next()
		}
	}
	t.shut()
}

// drain tells the client that nothing more comes, behind the close frame that has
// been sent, and throws away what it sends, which no longer counts as frames, until it
// ends the network connection or has been waited for long enough.
func (t *wsTransport) drain() {
	t.closeWrite()
	for late := false; ; {
		t.in.skip()
		if t.fill() != nil {
			return
		}
		if t.discarded >= discardAtOnce && !late {
			late = true
			t.readUntil(time.Now().Add(discardGrace))
		}
	}
}

// shut ends the network connection. It is called by whoever reads.
func (t *wsTransport) shut() {
	t.in.skip()
	t.frames.Release()
	t.closeSent.Store(true)
	if t.ws != nil {
		_ = t.ws.CloseNow()
	}
	_ = t.Conn.Close()
}

// Read is called by the WebSocket library.
func (c *wsConn) Read(p []byte) (int, error) {
	for c.in.empty() {
		if len(p) >= burstSize && !c.ending.Load() {
			return c.in.readTo(p)
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.in.buf[c.in.begin:c.in.end])
	c.in.begin += n
	c.in.release()
	return n, nil
}

// fill waits for more in the inbox: see discardAtOnce.
func (c *wsConn) fill() error {
	if !c.ending.Load() {
		return c.in.fill()
	}
	if c.discarded >= discardAtOnce {
		if c.closeWritten.Load() {
			c.closeWrite() // the client need not wait for us
		}
		time.Sleep(discardPause)
	}
	had := c.in.end - c.in.begin
	err := c.in.fill()
	c.discarded += c.in.end - c.in.begin - had
	return err
}

// closeWrite ends the outgoing direction, if the network connection can do that.
// Nothing is being written.
func (c *wsConn) closeWrite() {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// awaitClose gives the client closeTimeout to end the connection, which is being
// closed.
func (c *wsConn) awaitClose() {
	c.ending.Store(true)
	c.readUntil(time.Now().Add(closeTimeout))
}
