package websock

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"runtime"

	"github.com/coder/websocket"

	"github.com/seed-d124fa34/socketio/engineio/internal/bufpool"
	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
)

// library is the additional state of a connection that has negotiated permessage-deflate.
type library struct {
	ws         *websocket.Conn // reads and writes the messages
	large      *[]byte         // holds the message that ws has read last, or nil; only the goroutine that reads uses it
	flooded    bool            // ws has read more control frames than Options.ControlRate allows; only the goroutine that reads uses it
	collecting *[]byte         // gets what ws writes while it compresses a message, otherwise nil; protected by Conn.mu
}

// compress is assembleLocked for frames that may be compressed. The caller must not hold mu;
// compress holds it only while it copies.
func (c *Conn) compress(batch []*outgoing.Unit) (p []byte, n int, buf *[]byte, err error) {
	buf = bufpool.Get()
	c.mu.Lock()
	*buf = c.takeFrontLocked((*buf)[:0])
	front := len(*buf)
	c.library.collecting = buf
	c.mu.Unlock()
	size := 0
	for n < len(batch) && (n == 0 || size+batch[n].Size() <= corkSize) && err == nil {
		size += batch[n].Size()
		err = c.collect(batch[n])
		n++
	}
	c.mu.Lock()
	c.library.collecting = nil
	p = *buf
	// The library may have written its answer to a close frame, too.
	if end := closeFrameEnd(p[front:]); end > 0 {
		c.flags.set(closeSent)
		p = p[:front+end]
	}
	c.mu.Unlock()
	return p, n, buf, err
}

// compressing bounds how many messages are compressed at a time, in all connections: a
// compressor takes about 1.2 MB, and a processor can use one (of those that there are when
// the program starts). Whoever holds a place waits for no network.
var compressing = make(chan struct{}, runtime.GOMAXPROCS(0))

// closeFrameEnd returns the end of the first close frame among whole, unmasked frames, or 0
// if there is none.
func closeFrameEnd(frames []byte) int {
	for at := 0; at+2 <= len(frames); {
		first, size := frames[at], int(frames[at+1])
		switch header := frames[at+2:]; {
		case size == 126 && len(header) >= 2:
			size = 2 + int(binary.BigEndian.Uint16(header))
		case size == 127 && len(header) >= 8:
			size = 8 + int(binary.BigEndian.Uint64(header))
		}
		at += 2 + size
		if first == finClose {
			return min(at, len(frames))
		}
	}
	return 0
}

// collect appends the frames of f to what is collected, compressed if f allows that.
func (c *Conn) collect(f *outgoing.Unit) error {
	if !f.Compress() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.flags.has(closeSent) {
			*c.library.collecting = append(*c.library.collecting, f.WireIn(c.opts.Form)...)
		}
		return nil
	}
	if c.opts.Form != outgoing.Current {
		for p, binary := range f.MessagesIn(c.opts.Form) {
			if more, err := c.collectMessage(p, binary); !more {
				return err
			}
		}
		return nil
	}
	for p, binary := range f.Messages {
		if more, err := c.collectMessage(p, binary); !more {
			return err
		}
	}
	return nil
}

// collectMessage compresses a message with the library. more is false if no message may follow.
func (c *Conn) collectMessage(p []byte, binary bool) (more bool, err error) {
	if len(p) >= c.opts.DeflateThreshold {
		compressing <- struct{}{}
		defer func() { <-compressing }()
	}
	kind := websocket.MessageText
	if binary {
		kind = websocket.MessageBinary
	}
	// It needs no deadline, because it writes nothing to the network.
	err = c.library.ws.Write(context.Background(), kind, p)
	if errors.Is(err, net.ErrClosed) {
		c.mu.Lock()
		c.flags.set(closeSent) // the library has sent a close frame: nothing may follow it
		c.mu.Unlock()
		return false, nil
	}
	return err == nil, err
}

// writeForLibrary is the library's Write.
func (c *Conn) writeForLibrary(p []byte) (int, error) {
	c.mu.Lock()
	if c.library.collecting != nil {
		*c.library.collecting = append(*c.library.collecting, p...)
		c.mu.Unlock()
		return len(p), nil
	}
	c.mu.Unlock()
	if err := c.WriteControl(p); err != nil {
		return 0, err
	}
	return len(p), nil
}
