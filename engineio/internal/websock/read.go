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
	// discardAtOnce is how much is read, in bytes, and thrown away at the rate of
	// the network when a connection has been closed: what was on its way in
	// front of the client's close frame. More is read slowly, a burst for each
	// discardPause, until CloseTimeout is over, or discardGrace if the client broke a
	// rule. To close the network connection at once would take from the client what
	// it has not read yet, the close frame among it, since the operating system
	// answers unread bytes with a reset.
	discardAtOnce = 64 << 10
	discardPause  = 100 * time.Millisecond
	discardGrace  = time.Second

	// controlBurst is how much more than Options.ControlRate a client may send at once.
	controlBurst = 10 * time.Second
)

// The errors of Next besides those of the network and a *wsframe.Error, whose status
// is for the close frame that the client is sent.
var (
	// ErrPeerClosed is the ordinary end: the client sent a close frame, which has been answered.
	ErrPeerClosed = errors.New("engineio: the client closed the WebSocket")
	// ErrControlRate says that the client sends too many control frames. Next may be
	// called again: later, to hold the client back.
	ErrControlRate = errors.New("engineio: the client sends too many control frames")
)

// Next returns the next message, valid until the next call, and sees to control
// frames. While it waits, its stack is small and there is no buffer, but for the
// beginning of a message.
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

// Idle reports whether nothing has come that Next has not returned.
func (c *Conn) Idle() bool { return c.in.Empty() }

// HoldsBuffer reports whether there is a buffer that an idle connection would not need.
func (c *Conn) HoldsBuffer() bool { return c.in.HoldsBuffer() }

// Release gives up the memory of the message that Next has returned last.
func (c *Conn) Release() {
	if l := c.library; l != nil && l.large != nil {
		bufpool.Put(l.large)
		l.large = nil
	}
	c.frames.ReleaseLast()
}

// more waits for more of what Next needs.
func (c *Conn) more() error {
	if c.in.Empty() && !c.ending.Load() {
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

// spendControl counts a control frame, and reports false if there are too many.
func (c *Conn) spendControl() bool { return pace.Allow(&c.controls, c.opts.ControlRate, controlBurst) }

// answer answers a control frame with its payload (RFC 6455, section 5.5).
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
		// The buffer is taken now that there is something to read.
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

// controlByLibrary is called by the library for each PING and PONG that it reads.
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

// libraryError returns what Next returns for an error while the library reads.
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

// readForLibrary is the library's Read.
func (c *Conn) readForLibrary(p []byte) (int, error) {
	for c.in.Empty() {
		if len(p) >= rawconn.BurstSize && !c.ending.Load() {
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

// fill waits for more in the inbox: see discardAtOnce.
func (c *Conn) fill() error {
	if !c.ending.Load() {
		return c.in.Fill()
	}
	if c.discarded >= discardAtOnce {
		if c.closeWritten.Load() {
			c.closeWrite() // the client need not wait for us
		}
		time.Sleep(discardPause)
	}
	had := len(c.in.Buffered())
	err := c.in.Fill()
	c.discarded += int32(len(c.in.Buffered()) - had)
	return err
}

// Goodbye ends a WebSocket that never became the transport of a session: it sends a
// close frame, waits a while for the client's and closes the network connection. err
// is an error of Next, or nil.
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

// DiscardAll tells the client that nothing more comes, behind the close frame that has
// been sent, and throws away what it sends, which no longer counts as frames, until it
// ends the network connection or has been waited for long enough.
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

// Close ends the network connection. It is called by whoever reads.
func (c *Conn) Close() {
	c.in.Discard()
	c.frames.Release()
	c.closeSent.Store(true)
	if c.library != nil {
		_ = c.library.ws.CloseNow()
	}
	_ = c.network().Close()
}

// readAll appends what r holds to b, which is empty. More than limit is
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
