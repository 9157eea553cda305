package engineio

import (
	"net/http"

	"github.com/coder/websocket"

	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

// wsTransport is one WebSocket.
//
// A stream has one reader and one writer of frames. If permessage-deflate was
// negotiated, coder/websocket is both; it writes what is not compressed through
// us, whole frames at a time. All other connections, nearly all, are those of
// internal/wsframe and of Frames, and do without the library's buffers and locks. For
// them it does no more than judge odd handshakes.
type wsTransport struct {
	*wsConn
	deflate bool
	limit   int // of a message, in bytes
	rate    int // Options.Limits.ControlRate

	// For the goroutine that reads, but ws for writing as well.
	frames wsframe.Reader  // not with deflate
	ws     *websocket.Conn // nil without deflate
	large  *[]byte         // holds the message that ws has read last, or nil

	controls *bucket // of control frames; not with deflate
}

func newTransport(conn *wsConn, limit int) *wsTransport {
	return &wsTransport{wsConn: conn, limit: limit, rate: defaultControlRate, frames: wsframe.Reader{Limit: limit}}
}

// acceptWebSocket completes the handshake, unless before, called when the
// request has been found to be good, refuses it. The answer to the client is not
// written yet: it waits for the first write.
func (s *Server) acceptWebSocket(w http.ResponseWriter, r *http.Request, before func() *Refusal) (*wsTransport, *Refusal) {
	if p, _ := firstSubprotocol(r); p != "" && w.Header().Get(subprotocolHeader) == "" { // middleware may have chosen
		w.Header().Set(subprotocolHeader, p)
	}
	hw := &hijackWriter{ResponseWriter: w, timeout: s.opts.WriteTimeout, before: before}
	if key, plain := handshakeKey(r); plain && !(s.opts.PerMessageDeflate && len(r.Header["Sec-Websocket-Extensions"]) > 0) {
		if err := hw.hijack(); err != nil {
			return nil, hw.refusal(err)
		}
		hw.conn.head = appendAccept(make([]byte, 0, 192), key, w.Header())
		t := newTransport(hw.conn, s.opts.Limits.MaxPayload)
		t.rate = s.opts.Limits.ControlRate
		return t, nil
	}
	opts := websocket.AcceptOptions{InsecureSkipVerify: true} // cors has checked the origin
	if s.opts.PerMessageDeflate {
		opts.CompressionMode = websocket.CompressionNoContextTakeover
		opts.CompressionThreshold = s.opts.PerMessageDeflateThreshold
	}
	ws, err := websocket.Accept(hw, r, &opts)
	if err != nil {
		return nil, hw.refusal(err)
	}
	t := newTransport(hw.conn, s.opts.Limits.MaxPayload)
	if hw.deflate() {
		ws.SetReadLimit(-1) // nextByLibrary has a limit
		t.deflate, t.ws = true, ws
	}
	return t, nil
}

// tries reports whether the flusher writes: where it has to wait for nothing, and
// nothing takes it long.
func (t *wsTransport) tries() bool { return t.trying != nil && !t.deflate }

// serveWebSocket reads until the network connection ends. It is the
// goroutine of a WebSocket: Server.openWebSocket starts it, Shutdown waits for it.
// opening says that nothing has been read yet.
func (c *Conn) serveWebSocket(t *wsTransport, opening bool) {
	switch again, room := c.readWebSocket(t, opening); {
	case room != nil:
		go c.resumeWebSocket(t, room) // with a smaller stack
		return
	case again:
		go c.serveWebSocket(t, false)
		return
	}
	t.shut()
	c.mu.Lock()
	c.transportDoneLocked()
	c.mu.Unlock()
	c.srv.wg.Done()
}

// resumeWebSocket reads on when the Receiver has room.
func (c *Conn) resumeWebSocket(t *wsTransport, room <-chan struct{}) {
	c.awaitRoom(room)
	c.serveWebSocket(t, false)
}

// growStack makes room for handling a message while the stack is all but empty, so that it
// need not be copied from deep inside.
//
//go:noinline
func growStack() byte {
	var room [1536]byte
	return lastOf(&room)
}

//go:noinline
func lastOf(b *[1536]byte) byte { return b[len(b)-1] }

// readWebSocket reads messages. It reports true when the client is about to be
// silent, having connected or answered a PING with nothing else since the one
// before: another goroutine is to go on reading then, since what this one needed
// to handle messages stays in its stack, which waiting does not need. If room is not
// nil, nothing is to be read until it is closed.
func (c *Conn) readWebSocket(t *wsTransport, opening bool) (again bool, room <-chan struct{}) {
	grown, quiet := false, false
	for {
		data, binary, err := t.next()
		if err == errTooMuchControl {
			return false, c.slowDown()
		}
		if err != nil {
			c.endRead(t, err)
			return false, nil
		}
		c.flusher.traffic.received(1, len(data))
		if len(data) == 1 && data[0] == typePong && !binary {
			if !c.pong() {
				if room = c.countControl(); room != nil {
					return false, room
				}
			}
			if grown && quiet && t.in.empty() {
				return true, nil
			}
			quiet = true
			continue
		}
		quiet = false
		if !grown {
			growStack()
			grown = true
		}
		if room = c.handleMessage(t, data, binary); room != nil {
			t.letGo()
			return false, room
		}
		if opening && t.in.empty() {
			return true, nil
		}
		opening = false
	}
}

// handleMessage handles one message. Those of a connection that has been closed
// are thrown away. room is as from receivePacket.
func (c *Conn) handleMessage(t *wsTransport, data []byte, binary bool) (room <-chan struct{}) {
	returned := false
	c.recvMu.Lock()
	defer func() {
		c.recvMu.Unlock()
		if !returned { // the receiver called runtime.Goexit: another goroutine reads the rest
			go c.serveWebSocket(t, false)
		}
	}()
	if binary {
		room = c.deliverMessage(data, true)
	} else {
		var err error
		if room, err = c.receivePacket(data); err != nil {
			c.endFor(err)
		}
	}
	returned = true
	return room
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
	c.ws, t.owner = t, c
	if c.closed {
		c.lingering = false
		t.awaitClose()
	}
	s.wg.Add(2) // flush and serveWebSocket
	batch, size := c.takeLocked(writePiece)
	c.mu.Unlock()
	// The answer to the handshake and the open packet, in one write.
	c.flush(t, batch, batch, size)
	go c.serveWebSocket(t, true)
	return nil
}

// closeStatusLocked returns the status of the close frame that the server sends.
// Like the reference server it gives none, but for a shutdown, which is no fault
// of anybody: 1001 says that a new connection is worth a try.
func (c *Conn) closeStatusLocked() wsframe.Status {
	if c.reason == ReasonServerShutdown {
		return wsframe.StatusGoingAway
	}
	return wsframe.StatusNone
}
