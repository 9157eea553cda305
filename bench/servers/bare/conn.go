package main

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/coder/websocket"
)

// plainConn writes each message with the library's Write.
type plainConn struct{ c *websocket.Conn }

func (p plainConn) reply(m *packet) error { return p.push(m) }

func (p plainConn) push(m *packet) error {
	err := p.c.Write(context.Background(), websocket.MessageText, m.text)
	if err == nil && m.binary != nil {
		err = p.c.Write(context.Background(), websocket.MessageBinary, m.binary)
	}
	return err
}

// queueConn is the connection below the library, with a queue of frames. The control frames that the
// library writes join the queue.
type queueConn struct {
	net.Conn
	in *bufio.Reader // what the library reads from

	mu       sync.Mutex
	queue    []byte
	flushing bool // a write is under way; what is queued meanwhile is written next
}

// hijackWriter makes the library use a queueConn.
type hijackWriter struct {
	http.ResponseWriter
	conn *queueConn
}

func (w hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := w.ResponseWriter.(http.Hijacker).Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.conn.Conn, w.conn.in = c, rw.Reader
	return w.conn, bufio.NewReadWriter(rw.Reader, bufio.NewWriter(w.conn)), nil
}

// reply queues a message. It writes at once unless more messages have arrived already: their answers then
// share the write.
func (q *queueConn) reply(m *packet) error {
	q.mu.Lock()
	q.queue = append(q.queue, m.framed...)
	if q.flushing || q.in.Buffered() > 0 {
		q.mu.Unlock()
		return nil
	}
	q.flushing = true
	return q.flush()
}

// push queues a message. A goroutine writes it, when the caller has queued all its messages.
func (q *queueConn) push(m *packet) error {
	q.mu.Lock()
	q.queue = append(q.queue, m.framed...)
	start := !q.flushing
	q.flushing = true
	q.mu.Unlock()
	if start {
		go func() {
			q.mu.Lock()
			_ = q.flush() // if it fails, the reader notices that, too
		}()
	}
	return nil
}

// Write is called by the library.
func (q *queueConn) Write(p []byte) (int, error) {
	q.mu.Lock()
	q.queue = append(q.queue, p...)
	if q.flushing {
		q.mu.Unlock()
		return len(p), nil
	}
	q.flushing = true
	return len(p), q.flush()
}

// flush writes until the queue is empty. The caller holds the lock, which flush
// releases.
func (q *queueConn) flush() error {
	var err error
	for len(q.queue) > 0 && err == nil {
		out := q.queue
		q.queue = nil
		q.mu.Unlock()
		_, err = q.Conn.Write(out)
		q.mu.Lock()
		if q.queue == nil && cap(out) <= 4096 {
			q.queue = out[:0]
		}
	}
	q.flushing = false
	q.mu.Unlock()
	return err
}
