package loadgen

import (
	"bytes"
	"fmt"
	"time"
)

// websocket is a connection that speaks WebSocket after its handshake.
type websocket struct {
	*conn
	request  []byte // what to send when the connection is open
	user     websocketUser
	upgraded bool
	op       byte   // of the fragments in message
	message  []byte // the fragments so far
}

type websocketUser interface {
	upgrade() error                    // the handshake succeeded
	receive(op byte, msg []byte) error // msg is only lent
	batch() error                      // nothing more to receive for now
	goodbye() error                    // a close frame came: the server ends the connection now
	gone(why error) error              // the connection ended
}

// handshake returns the request for a WebSocket, for a session if it has one already.
func handshake(addr, sid string) []byte {
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

func (w *websocket) opened() {
	if err := w.write(w.request); err != nil {
		w.fail(err)
	}
}

func (w *websocket) closed(err error) error { return w.user.gone(err) }

var endOfHead = []byte("\r\n\r\n")

func (w *websocket) received(b []byte) (int, error) {
	used := 0
	if !w.upgraded {
		end := bytes.Index(b, endOfHead)
		if end < 0 {
			return 0, nil
		}
		if !bytes.HasPrefix(b, []byte("HTTP/1.1 101 ")) {
			return 0, fmt.Errorf("loadgen: WebSocket handshake refused: %.200q", b)
		}
		w.upgraded = true
		if err := w.user.upgrade(); err != nil {
			return 0, err
		}
		used = end + len(endOfHead)
	}
	for used < len(b) && w.open() {
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
	if !w.open() {
		return len(b), nil
	}
	return used, w.user.batch()
}

func (w *websocket) frame(f frame) error {
	switch {
	case f.op == opPing:
		return w.write(appendFrame(nil, opPong, f.payload))
	case f.op == opClose:
		return w.user.goodbye()
	case f.op == opPong:
		return nil
	case f.fin && f.op != opContinuation:
		return w.user.receive(f.op, f.payload)
	}
	if f.op != opContinuation {
		w.op, w.message = f.op, w.message[:0]
	}
	w.message = append(w.message, f.payload...)
	if !f.fin {
		return nil
	}
	return w.user.receive(w.op, w.message)
}

// linger is how long a server has to end a connection after the close frames.
const linger = 200 * time.Millisecond

// finish closes a connection if the server does not: not all do.
func (w *websocket) finish() {
	w.after(linger, func() {
		if w.open() {
			w.close()
		}
	})
}
