package wire

import (
	"bytes"
	"fmt"
	"time"
)

// WebSocket is a connection that speaks WebSocket after its handshake.
type WebSocket struct {
	*Conn
	Request  []byte // the request to send when the connection is open
	User     WebSocketUser
	Refused  func(head []byte) error // called for a status other than 101; if it is nil, the run ends
	upgraded bool
	op       byte   // of the fragments in message
	message  []byte // the fragments so far
}

type WebSocketUser interface {
	Upgraded() error                   // the handshake succeeded
	Receive(op byte, msg []byte) error // msg is valid only during the call
	Batch() error                      // nothing more to receive for now
	Goodbye() error                    // a close frame has come, and the server ends the connection
	Gone(why error) error              // the connection ended
}

// Handshake returns the request for a WebSocket: for a session, or for a new one if sid is empty.
func Handshake(addr, sid string) []byte {
	query := "EIO=4&transport=websocket"
	if sid != "" {
		query += "&sid=" + sid
	}
	return []byte("GET /socket.io/?" + query + " HTTP/1.1\r\n" +
		"Sec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: c29ja2V0aW8tYmVuY2gtMQ==\r\n" +
		"Connection: Upgrade\r\n" +
		"Upgrade: websocket\r\n" +
		"Host: " + addr + "\r\n\r\n")
}

func (w *WebSocket) Opened() {
	if err := w.Write(w.Request); err != nil {
		w.Fail(err)
	}
}

func (w *WebSocket) Closed(err error) error { return w.User.Gone(err) }

var endOfHead = []byte("\r\n\r\n")

func (w *WebSocket) Received(b []byte) (int, error) {
	used := 0
	if !w.upgraded {
		end := bytes.Index(b, endOfHead)
		if end < 0 {
			return 0, nil
		}
		if !bytes.HasPrefix(b, []byte("HTTP/1.1 101 ")) {
			if w.Refused != nil {
				w.Close()
				return len(b), w.Refused(b[:end])
			}
			return 0, fmt.Errorf("wire: WebSocket handshake refused: %.200q", b)
		}
		w.upgraded = true
		if err := w.User.Upgraded(); err != nil {
			return 0, err
		}
		used = end + len(endOfHead)
	}
	for used < len(b) && w.Open() {
		f, n, err := nextFrame(b[used:])
		if err != nil {
			return 0, err
		}
		if n == 0 {
			break
		}
		used += n
		if err := w.frame(f); err != nil {
			return 0, err
		}
	}
	if !w.Open() {
		return len(b), nil
	}
	return used, w.User.Batch()
}

func (w *WebSocket) frame(f frame) error {
	switch {
	case f.op == opPing:
		return w.Write(AppendFrame(nil, opPong, f.payload))
	case f.op == OpClose:
		return w.User.Goodbye()
	case f.op == opPong:
		return nil
	case f.fin && f.op != opContinuation:
		return w.User.Receive(f.op, f.payload)
	}
	if f.op != opContinuation {
		w.op, w.message = f.op, w.message[:0]
	}
	w.message = append(w.message, f.payload...)
	if !f.fin {
		return nil
	}
	return w.User.Receive(w.op, w.message)
}

// linger is how long a server may take to end a connection after the close frames.
const linger = 200 * time.Millisecond

// Finish closes the connection after linger, because not all servers do.
func (w *WebSocket) Finish() {
	w.After(linger, func() {
		if w.Open() {
			w.Close()
		}
	})
}
