package engineio

import (
	"errors"
	"net/http"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

// acceptWebSocket checks the handshake, calls before, and completes the handshake
// unless before refuses it. The answer to the client is not written yet: it goes out
// with the first write.
func (s *Server) acceptWebSocket(w http.ResponseWriter, r *http.Request, form outgoing.Form, before func() *Refusal) (*websock.Conn, *Refusal) {
	ws, err := websock.Accept(w, r, &s.websock[form], func() error {
		if refusal := before(); refusal != nil { // not a nil *Refusal in an error
			return refusal
		}
		return nil
	})
	if err == nil {
		return ws, nil
	}
	var refusal *Refusal
	var bad *websock.BadHandshake
	switch {
	case errors.As(err, &refusal):
		return nil, refusal
	case errors.As(err, &bad):
		return nil, badRequest(bad.Message)
	}
	return nil, refuseHijack(err)
}

// checkUpgrade refuses a request that cannot become a WebSocket.
func checkUpgrade(r *http.Request) *Refusal {
	if !websock.IsHandshake(r) {
		return refuse(http.StatusBadRequest, CodeBadRequest, causeNoUpgrade,
			"transport=websocket needs a WebSocket handshake: check that no proxy drops the Upgrade and Connection headers")
	}
	if bad := websock.Check(r); bad != nil {
		return &Refusal{Status: bad.Status, Code: CodeBadRequest, Message: bad.Message, cause: causeMalformed,
			Detail: "the WebSocket handshake does not follow RFC 6455: " + bad.Message}
	}
	return nil
}

func refuseHijack(err error) *Refusal {
	return refuse(http.StatusNotImplemented, CodeBadRequest, causeNoUpgrade,
		"this connection cannot become a WebSocket ("+err.Error()+"): serve over HTTP/1.1, and let middleware pass on http.Hijacker or Unwrap")
}

// expectation is what whoever begins to read from a WebSocket expects of the client.
type expectation uint8

const (
	anything expectation = iota
	opening              // it has just connected: one message, then silence
	pong                 // it was silent: the answer to a PING, then silence
)

// serveWebSocket reads until the network connection ends, or until the client is silent.
// It is the goroutine of a WebSocket. Shutdown waits for it, and for a connection that is
// parked.
func (c *Conn) serveWebSocket(t *websock.Conn, e expectation) {
	switch silent, room := c.readWebSocket(t, e); {
	case room != nil:
		go c.resumeWebSocket(t, room) // with a smaller stack
		return
	case silent:
		c.park(t)
		return
	}
	t.Close()
	c.mu.Lock()
	c.transportDoneLocked()
	c.mu.Unlock()
	c.srv.wg.Done()
}

// resumeWebSocket waits until the Receiver has room, and reads on.
func (c *Conn) resumeWebSocket(t *websock.Conn, room <-chan struct{}) {
	c.awaitRoom(room)
	c.serveWebSocket(t, anything)
}

// park ends the reading until the client sends something. Where a connection cannot be
// parked, another goroutine reads on, with a smaller stack.
func (c *Conn) park(t *websock.Conn) {
	if !t.Park() {
		go c.serveWebSocket(t, anything)
	}
}

// growStack grows the goroutine's stack for the handling of a message. It does so while
// the stack is almost empty, when there is little to copy.
//
//go:noinline
func growStack() byte {
	var room [1536]byte
	return lastOf(&room)
}

//go:noinline
func lastOf(b *[1536]byte) byte { return b[len(b)-1] }

// readWebSocket reads messages. It returns silent=true when the client will probably send
// nothing for a while: it has just connected, or has sent nothing but PONGs since the
// last PING. The caller then parks the connection. If room is not nil, the caller waits
// with awaitRoom before it reads on.
func (c *Conn) readWebSocket(t *websock.Conn, e expectation) (silent bool, room <-chan struct{}) {
	grown, first, quiet := false, e == opening, e == pong
	for {
		data, binary, err := t.Next()
		if err == websock.ErrControlRate {
			return false, c.slowDown()
		}
		if err != nil {
			c.endRead(t, err)
			return false, nil
		}
		c.flusher.traffic.received(1, len(data))
		if len(data) == 1 && !binary {
			if heartbeat, expected, confirms := c.dialect().takeHeartbeat(c, data[0]); heartbeat {
				switch {
				case confirms:
					c.handleConfirm(t)
					quiet = true
				case !expected:
					if room = c.countControl(); room != nil {
						return false, room
					}
				}
				if quiet && t.Idle() {
					return true, nil
				}
				quiet = true
				continue
			}
		}
		quiet = false
		if !grown {
			growStack()
			grown = true
		}
		if room = c.handleMessage(t, data, binary); room != nil {
			t.Release()
			return false, room
		}
		if first && t.Idle() {
			return true, nil
		}
		first = false
	}
}

// handleMessage handles one message. It drops a message of a connection that has been
// closed. room is that of receivePacket.
func (c *Conn) handleMessage(t *websock.Conn, data []byte, binary bool) (room <-chan struct{}) {
	returned := false
	c.recvMu.Lock()
	defer c.endHandling(t, &returned)
	var err error
	if room, err = c.dialect().receive(c, data, binary); err != nil {
		c.endFor(err)
	}
	returned = true
	return room
}

// handleConfirm calls Receiver.Confirmed.
func (c *Conn) handleConfirm(t *websock.Conn) {
	returned := false
	c.recvMu.Lock()
	defer c.endHandling(t, &returned)
	c.confirm()
	returned = true
}

// endHandling is the end of a call of the Receiver by the goroutine of a WebSocket.
func (c *Conn) endHandling(t *websock.Conn, returned *bool) {
	c.recvMu.Unlock()
	if !*returned { // the Receiver called runtime.Goexit: another goroutine reads the rest
		go c.serveWebSocket(t, anything)
	}
}

// openWebSocket serves a handshake that begins a session as WebSocket.
func (s *Server) openWebSocket(w http.ResponseWriter, r *http.Request, d dialectID, base64 bool) *Refusal {
	var c *Conn
	t, refusal := s.acceptWebSocket(w, r, dialects[d].form(base64), func() (refusal *Refusal) {
		c, refusal = s.open(r, WebSocket, d)
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
		t.Close()
		return nil
	}
	c.ws = t
	t.SetOwner((*webSocketOwner)(c))
	if c.closed {
		c.lingering = false
		t.AwaitClose()
	}
	s.wg.Add(2) // flush and serveWebSocket
	batch, size := c.takeLocked(websock.WritePiece)
	c.mu.Unlock()
	// The answer to the handshake and the open packet, in one write.
	c.flush(t, batch, batch, size)
	go c.serveWebSocket(t, opening)
	return nil
}

// closeStatusLocked returns the status of the close frame that the server sends. Like
// the reference server it sends none, except for a shutdown: 1001 says that a new
// connection is worth a try.
func (c *Conn) closeStatusLocked() wsframe.Status {
	if c.reasonLocked() == ReasonServerShutdown {
		return wsframe.StatusGoingAway
	}
	return wsframe.StatusNone
}

// endRead ends the connection for an error of websock.Conn.Next.
func (c *Conn) endRead(t *websock.Conn, err error) {
	var violation *wsframe.Error
	switch {
	case err == websock.ErrPeerClosed:
		c.end(ReasonTransportClose, nil, left)
		c.awaitWritten(t)
	case errors.As(err, &violation) && violation.Status != wsframe.StatusNone:
		_ = t.WriteControl(wsframe.AppendClose(nil, violation.Status)) // the library may have written one
		reason := ReasonTransportError
		if violation == wsframe.ErrTooBig {
			c.srv.stats.limits.add(limitPayload)
			reason, err = ReasonTransportClose, errTooLarge(c.srv.opts.Limits.MaxPayload)
		}
		c.end(reason, err, discard)
		c.awaitWritten(t)
		t.DiscardAll()
	default:
		c.end(ReasonTransportClose, err, abort)
	}
}

// awaitWritten waits for the present write and the close frame behind it, for
// closeTimeout at most.
func (c *Conn) awaitWritten(t *websock.Conn) {
	written := c.writingEnds()
	if written == nil {
		return
	}
	t.WriteUntil(time.Now().Add(closeTimeout))
	<-written
}
