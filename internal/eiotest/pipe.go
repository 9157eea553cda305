package eiotest

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// defaultBuffer is how many bytes an in-memory connection holds in each direction before a write blocks, in the order of
// what a kernel's socket buffer holds.
const defaultBuffer = 64 << 10

// conn is one end of an in-memory connection with a bounded buffer in each direction. It is like a TCP connection in
// these respects: a write returns once the bytes are in the buffer and blocks when it is full, what was written
// before a close can still be read after it, and deadlines wake what is blocked.
type conn struct {
	in, out       *stream
	local, remote net.Addr
	onClose       func() // called once, by the first Close
	closeOnce     sync.Once
}

// newPipe returns the two ends of a connection. toServer and toClient are the buffer sizes in bytes.
func newPipe(clientAddr, serverAddr net.Addr, toServer, toClient int) (client, server *conn) {
	up, down := newStream(toServer), newStream(toClient)
	client = &conn{in: down, out: up, local: clientAddr, remote: serverAddr}
	server = &conn{in: up, out: down, local: serverAddr, remote: clientAddr}
	return client, server
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.opError("read", err)
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, c.opError("write", err)
}

// Close ends both directions. The peer reads what was written before and then io.EOF; its writes fail at once.
func (c *conn) Close() error {
	err := net.ErrClosed
	c.closeOnce.Do(func() {
		err = nil
		c.in.closeRead() // first: the peer may answer the end of the other direction
		c.out.closeWrite()
		if c.onClose != nil {
			c.onClose()
		}
	})
	return c.opError("close", err)
}

// CloseWrite ends the outgoing direction only. net/http uses it to let a client read a refusal of a body it is still
// sending.
func (c *conn) CloseWrite() error {
	c.out.closeWrite()
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	return c.opError("set", c.in.setDeadline(&c.in.readDeadline, &c.in.readClosed, t))
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.opError("set", c.out.setDeadline(&c.out.writeDeadline, &c.out.writeClosed, t))
}

// opError wraps an error as package net does. It returns io.EOF unchanged.
func (c *conn) opError(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// stream is one direction of a connection.
type stream struct {
	limit int

	mu            sync.Mutex
	changed       *sync.Cond // everything below; waiting on a Cond counts as idle in a synctest bubble
	buf           []byte     // written and not yet read
	writing       bool       // a write is under way
	writeClosed   bool       // by the writing end: the reader gets the rest, then io.EOF
	readClosed    bool       // by the reading end: what is left is gone, writes fail
	readDeadline  deadline
	writeDeadline deadline
}

// deadline is guarded by its stream's mutex.
type deadline struct {
	timer   *time.Timer
	set     int // counts settings, so that a timer which fires late is ignored
	expired bool
}

func newStream(limit int) *stream {
	s := &stream{limit: limit}
	s.changed = sync.NewCond(&s.mu)
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readClosed:
			return 0, net.ErrClosed
		case s.readDeadline.expired:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case len(s.buf) > 0:
			n := copy(p, s.buf)
			s.buf = s.buf[n:]
			if len(s.buf) == 0 {
				s.buf = nil
			}
			s.changed.Broadcast()
			return n, nil
		case s.writeClosed:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	written, turn := 0, false
	defer func() {
		if turn {
			s.writing = false
			s.changed.Broadcast()
		}
	}()
	for {
		switch {
		case s.writeClosed:
			return written, net.ErrClosed
		case s.readClosed:
			return written, syscall.EPIPE
		case s.writeDeadline.expired:
			return written, os.ErrDeadlineExceeded
		case len(p) == 0:
			return written, nil
		}
		if !turn && !s.writing { // calls do not interleave, as those of a TCP connection do not
			turn, s.writing = true, true
		}
		if room := s.limit - len(s.buf); turn && room > 0 {
			n := min(room, len(p))
			s.buf = append(s.buf, p[:n]...)
			p = p[n:]
			written += n
			s.changed.Broadcast()
			continue
		}
		s.changed.Wait()
	}
}

func (s *stream) closeWrite() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeClosed = true
	s.writeDeadline.stop()
	s.changed.Broadcast()
}

func (s *stream) closeRead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readClosed = true
	s.buf = nil
	s.readDeadline.stop()
	s.changed.Broadcast()
}

// setDeadline sets d, one of the stream's two, unless its end was closed.
func (s *stream) setDeadline(d *deadline, closed *bool, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *closed {
		return net.ErrClosed
	}
	d.stop()
	d.expired = false
	if t.IsZero() {
		return nil
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.expired = true
		s.changed.Broadcast()
		return nil
	}
	set := d.set
	d.timer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if d.set == set {
			d.expired = true
			s.changed.Broadcast()
		}
	})
	return nil
}

func (d *deadline) stop() {
	d.set++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
