package websock

import (
	"context"
	"errors"
	"io"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/seed-d124fa34/socketio/engineio/internal/bufpool"
	"github.com/seed-d124fa34/socketio/engineio/internal/rawconn"
	"github.com/seed-d124fa34/socketio/internal/pace"
	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

const (
	// discardAtOnce is how many bytes are read and discarded without a pause after a
	// connection has been closed: what the client had sent before it saw the close
	// frame. After that, bytes are read slowly, a burst for each discardPause, until
	// CloseTimeout is over, or discardGrace if the client broke a rule. If the network
	// connection were closed at once, the client could lose what it has not read yet,
	// including the close frame, because the operating system answers unread bytes with
	// a reset.
	discardAtOnce = 64 << 10
	discardPause  = 100 * time.Millisecond
	discardGrace  = time.Second

	// controlBurst is how many seconds' worth of Options.ControlRate a client may send at once.
	controlBurst = 10 * time.Second
)

// The errors of Next. It also returns errors of the network, and a *wsframe.Error, which has the
// status for the close frame.
var (
	// ErrPeerClosed is the ordinary end: the client has sent a close frame, and Next has answered it.
	ErrPeerClosed = errors.New("engineio: the client closed the WebSocket")
	// ErrControlRate means that the client sends too many control frames. The caller may
	// call Next again after a while, which holds the client back.
	ErrControlRate = errors.New("engineio: the client sends too many control frames")
)

// Next returns the next message, which is valid until the next call. It answers control frames.
// While it waits, its stack is small, and it holds a buffer only if a part of a message has
// come.
func (c *Conn) Next() (data []byte, binary bool, err error) {
	if c.library != nil {
		return c.nextByLibrary()
	}
	for {
		op, p, n, err := c.frames.Next(c.in.Buffered(), c.in.Room())
		c.in.Advance(n)
		switch {
		case err != nil:
		case op == wsframe.OpText || op == wsframe.OpBinary:
			return p, op == wsframe.OpBinary, nil
		case op == wsframe.OpPing || op == wsframe.OpClose:
			err = c.answer(op, p)
		case op == wsframe.OpContinuation && n == 0:
			err = c.more()
		}
		if err == nil && (op == wsframe.OpPing || op == wsframe.OpPong) && !c.spendControl() {
			err = ErrControlRate
		}
		if err != nil {
			return nil, false, err
		}
	}
}

// Idle reports whether Next has returned everything that has come.
func (c *Conn) Idle() bool { return c.in.Empty() }

// HoldsBuffer reports whether the connection holds a buffer that it does not need while it is idle.
func (c *Conn) HoldsBuffer() bool { return c.in.HoldsBuffer() }

// Release frees the memory of the message that Next has returned last.
func (c *Conn) Release() {
	if l := c.library; l != nil && l.large != nil {
		bufpool.Put(l.large)
		l.large = nil
	}
	c.frames.ReleaseLast()
}

// more waits for more bytes of a frame.
func (c *Conn) more() error {
	if c.in.Empty() && !c.flags.has(ending) {
		if p := c.frames.Space(rawconn.BurstSize); p != nil {
			n, err := c.in.ReadInto(p)
			if err != nil {
				return err
			}
			return c.frames.Came(n)
		}
	}
	return c.fill()
}

// spendControl counts a control frame. It reports false if there are too many.
func (c *Conn) spendControl() bool { return pace.Allow(&c.controls, c.opts.ControlRate, controlBurst) }

// answer sends a control frame back with the same payload (RFC 6455, section 5.5).
func (c *Conn) answer(op wsframe.Op, p []byte) error {
	first := byte(finPong)
	if op == wsframe.OpClose {
		first = finClose
	}
	err := c.WriteControl(append([]byte{first, byte(len(p))}, p...))
	if op == wsframe.OpClose {
		return ErrPeerClosed
	}
	return err
}

// nextByLibrary is Next with permessage-deflate.
func (c *Conn) nextByLibrary() (data []byte, binary bool, err error) {
	c.Release()
	l := c.library
	kind, r, err := l.ws.Reader(context.Background())
	if err == nil {
		// It takes a buffer only now that there is something to read.
		l.large = bufpool.Get()
		*l.large, err = readAll((*l.large)[:0], r, c.opts.Limit)
	}
	if err == nil && kind == websocket.MessageText && !utf8.Valid(*l.large) {
		err = wsframe.ErrNotUTF8
	}
	if err != nil {
		return nil, false, c.libraryError(err)
	}
	if l.flooded && c.owner == nil {
		return nil, false, ErrControlRate
	}
	return *l.large, kind == websocket.MessageBinary, nil
}

// controlByLibrary is called by the library for each PING and PONG frame that it reads.
func (c *Conn) controlByLibrary() {
	if c.spendControl() {
		return
	}
	if c.owner == nil {
		c.library.flooded = true
		return
	}
	c.owner.ControlFlood()
}

// libraryError returns the error of Next for an error of the library.
func (c *Conn) libraryError(err error) error {
	var closed websocket.CloseError
	var violation *wsframe.Error
	switch {
	case errors.As(err, &closed):
		return ErrPeerClosed
	case err == wsframe.ErrTooBig:
		return err
	case c.in.Err() != nil:
		return c.in.Err()
	case errors.As(err, &violation):
		return err
	}
	return &wsframe.Error{Status: wsframe.StatusProtocol, Text: err.Error()}
}

// readForLibrary is libraryConn.Read.
func (c *Conn) readForLibrary(p []byte) (int, error) {
	for c.in.Empty() {
		if len(p) >= rawconn.BurstSize && !c.flags.has(ending) {
			return c.in.ReadInto(p)
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.in.Buffered())
	c.in.Advance(n)
	c.in.Release()
	return n, nil
}

// fill waits for more bytes in the inbox. See discardAtOnce.
func (c *Conn) fill() error {
	if !c.flags.has(ending) {
		return c.in.Fill()
	}
	if c.discarded >= discardAtOnce {
		if c.flags.has(closeWritten) {
			c.closeWrite() // so that the client does not wait for the end either
		}
		time.Sleep(discardPause)
	}
	had := len(c.in.Buffered())
	err := c.in.Fill()
	c.discarded += int32(len(c.in.Buffered()) - had)
	return err
}

// Goodbye ends a WebSocket that has not become the transport of a session: it sends a close
// frame, waits for that of the client, for CloseTimeout at most, and closes the network
// connection. err is an error of Next, or nil.
func (c *Conn) Goodbye(err error) {
	var refused *wsframe.Error
	if !errors.As(err, &refused) {
		refused = wsframe.ErrClosed
	}
	c.SendClose(refused.Status)
	c.AwaitClose()
	if refused.Status != wsframe.StatusNone {
		c.DiscardAll()
	} else {
		for err = nil; err == nil; {
			_, _, err = c.Next()
		}
	}
	c.Close()
}

// DiscardAll ends the outgoing direction after the close frame, and discards what the client
// sends until the client ends the network connection, or the time for that is over.
func (c *Conn) DiscardAll() {
	c.closeWrite()
	for late := false; ; {
		c.in.Discard()
		if c.fill() != nil {
			return
		}
		if c.discarded >= discardAtOnce && !late {
			late = true
			c.ReadUntil(time.Now().Add(discardGrace))
		}
	}
}

// Close ends the network connection. The goroutine that reads calls it.
func (c *Conn) Close() {
	c.in.Discard()
	c.frames.Release()
	c.flags.set(closeSent)
	if c.library != nil {
		_ = c.library.ws.CloseNow()
	}
	_ = c.network().Close()
	c.leaveWatcher()
}

// readAll reads r into b, which is empty. If there are more than limit bytes, it returns
// wsframe.ErrTooBig.
func readAll(b []byte, r io.Reader, limit int) ([]byte, error) {
	if cap(b) == 0 {
		b = make([]byte, 0, 512)
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if len(b) > limit {
			return b, wsframe.ErrTooBig
		}
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}
