package engineio

import (
	"context"
	"iter"

	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
)

// Frames is one or more messages that are sent as a unit, encoded once for any
// number of connections. It is safe for concurrent use: nothing but
// WithoutCompression changes it.
type Frames struct{ unit outgoing.Unit }

// TextFrames returns the frames of a text message and of the binary messages that
// follow it. It copies all of them. An empty text is a message, too.
func TextFrames[T string | []byte](text T, binary ...[]byte) *Frames {
	f := new(Frames)
	outgoing.Init(&f.unit, text, true, binary)
	return f
}

// InitTextFrames makes f, which is zero, what [TextFrames] returns: f can be a field of something that
// is allocated with it.
func InitTextFrames[T string | []byte](f *Frames, text T, binary ...[]byte) {
	outgoing.Init(&f.unit, text, true, binary)
}

// BinaryFrames returns the frames of one binary message or more. It copies them.
func BinaryFrames(data []byte, more ...[]byte) *Frames {
	f := new(Frames)
	if len(more) == 0 {
		outgoing.Init(&f.unit, "", false, [][]byte{data})
	} else {
		outgoing.Init(&f.unit, "", false, append([][]byte{data}, more...))
	}
	return f
}

// Append returns frames of the messages of f followed by the first message of last. They
// are sent as a unit. f and last do not change.
func Append(f, last *Frames) *Frames {
	all := new(Frames)
	outgoing.Append(&all.unit, &f.unit, &last.unit)
	return all
}

// WithoutCompression switches compression off for the frames, also on connections that
// negotiated it, and returns f. It must not be called after f has been sent.
func (f *Frames) WithoutCompression() *Frames {
	f.unit.NeverCompress()
	return f
}

// Compress reports whether the frames may be compressed: WithoutCompression was not called.
func (f *Frames) Compress() bool { return f.unit.Compress() }

// Message returns what f was made of: a text message, nil if there is none, and
// the binary ones that follow it. Both are memory of f and must not be changed.
func (f *Frames) Message() (text []byte, binary [][]byte) {
	for p, isBinary := range f.unit.Messages {
		if isBinary {
			binary = append(binary, p)
		} else {
			text = p[1:] // behind the packet type
		}
	}
	return text, binary
}

// Messages returns the messages, in order, and whether each is binary. They are memory
// of f and must not be changed.
func (f *Frames) Messages() iter.Seq2[[]byte, bool] {
	return func(yield func([]byte, bool) bool) {
		for p, binary := range f.unit.Messages {
			if !binary {
				p = p[1:] // behind the packet type
			}
			if !yield(p, binary) {
				return
			}
		}
	}
}

// The packets that the server sends besides messages and the open packet.
var (
	pingPacket       = outgoing.NewPacket("2")
	noopPacket       = outgoing.NewPacket("6")
	closePacket      = outgoing.NewPacket("1")
	probeReplyPacket = outgoing.NewPacket("3probe")
)

// Send queues f and returns at once. What is queued is written in order. Send returns
// ErrClosed if the connection has ended. It returns ErrSendQueueFull, and queues
// nothing, if f and what already waits are together more than
// Options.Limits.SendQueueLimit; a message of any size is accepted if nothing waits. A
// full queue does not end the connection: a client that takes nothing for
// Options.WriteTimeout is closed anyway. A sender of much data waits with Flush.
func (c *Conn) Send(f *Frames) error { return c.send(&f.unit, true) }

// SendText sends one text message to this client, as Send does.
func (c *Conn) SendText(text string) error { return c.Send(TextFrames(text)) }

// SendBinary sends one binary message to this client, as Send does. It copies data.
func (c *Conn) SendBinary(data []byte) error { return c.Send(BinaryFrames(data)) }

// SendAnyway sends f as Send does, but without Options.Limits.SendQueueLimit. Use it for
// messages that were accepted, and counted, before they could be sent.
func (c *Conn) SendAnyway(f *Frames) error { return c.send(&f.unit, false) }

func (c *Conn) send(u *outgoing.Unit, limited bool) error {
	c.mu.Lock()
	err := c.sendLocked(u, limited)
	c.mu.Unlock()
	return err
}

func (c *Conn) sendLocked(u *outgoing.Unit, limited bool) error {
	if c.closed {
		return ErrClosed
	}
	if limited && !c.queue.Fits(u, c.srv.opts.Limits.SendQueueLimit) {
		c.srv.stats.limits.add(limitSendQueue)
		return ErrSendQueueFull
	}
	c.pushLocked(u)
	return nil
}

// SendVolatile sends f only if it can be written at once: if nothing is queued or
// being written and, over polling, a request waits. Otherwise it drops f.
func (c *Conn) SendVolatile(f *Frames) (sent bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false, ErrClosed
	}
	if c.writing || !c.queue.Empty() || c.ws == nil && !c.polling {
		c.flusher.traffic.volatileDropped.Add(1)
		return false, nil
	}
	c.pushLocked(&f.unit)
	return true, nil
}

// Buffered returns how many bytes have been sent and not yet handed to the network;
// over polling, not yet written as the answer to a request. A message counts with all
// its bytes until the last one has been handed to the network.
func (c *Conn) Buffered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queue.Size()
}

// Flush waits until everything that was sent before the call has been handed to the
// network (see Buffered). It returns the error of ctx if that ends first. If the
// connection has ended or ends first, it returns a *CloseError, for which
// errors.Is(err, ErrClosed) holds. Several goroutines may wait at the same time. Flush
// must not be called in OnConnect: the client is answered only after that.
func (c *Conn) Flush(ctx context.Context) error {
	c.mu.Lock()
	switch {
	case c.closed:
		c.mu.Unlock()
		return c.cause
	case c.queue.Size() == 0:
		c.mu.Unlock()
		return ctx.Err()
	}
	w := c.queue.Wait()
	c.mu.Unlock()
	select {
	case <-w.Done:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	written := c.queue.EndWait(w)
	switch {
	case c.closed:
		return c.cause
	case written:
		return nil
	}
	return ctx.Err()
}
