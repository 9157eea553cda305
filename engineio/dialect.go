package engineio

import (
	"bytes"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/seed-d124fa34/socketio/engineio/internal/bufpool"
	"github.com/seed-d124fa34/socketio/engineio/internal/httpbody"
	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
	"github.com/seed-d124fa34/socketio/engineio/internal/protocol"
)

// dialectID is a dialect as a Conn has it: in one byte.
type dialectID uint8

// The dialects.
const (
	revision4       dialectID = iota
	revision3Binary           // reads binary data in the answers to polls
	revision3Base64           // does not
	revision3Script           // polls with script elements (JSONP)
)

var dialects = [...]dialect{
	revision4: current{}, revision3Binary: &old{}, revision3Base64: &old{base64: true}, revision3Script: &old{base64: true, script: true},
}

// dialect is what depends on the revision of the protocol that a client speaks. It is
// chosen at the handshake, and has no state of its own.
type dialect interface {
	revision() int
	newID() string
	// handshake adapts the content of the open packet.
	handshake(h *protocol.Handshake)
	// form is that of the messages over a WebSocket. base64: the client cannot read binary data.
	form(base64 bool) outgoing.Form

	// receive handles one packet that came over WebSocket. The caller holds recvMu. An
	// error ends the connection: see endFor. For room see receivePacket.
	receive(c *Conn, p []byte, binary bool) (room <-chan struct{}, err error)
	// beginPost refuses a POST for its header, or prepares the reading of its body.
	beginPost(h http.Header, b *httpbody.Body) error
	// receivePost handles the packets in the body of a POST, in order, as receivePayload does.
	receivePost(c *Conn, poll *pollState, h http.Header, body []byte) error
	// payload returns the answer to the poll r, the batch and, unless nil, last behind it,
	// and its Content-Type. If buf is not nil, it
	// holds the answer, and goes back to bufpool.
	payload(s *Server, batch []*outgoing.Unit, last *outgoing.Unit, r *http.Request) (body []byte, contentType []string, buf *[]byte)

	// beginLocked arms the timer of a connection that begins. When the timer of an open
	// connection fires, heartbeatLocked is called; an error ends the connection with
	// ReasonPingTimeout. Both are called with Conn.mu held.
	beginLocked(c *Conn)
	heartbeatLocked(c *Conn) error
	// takeHeartbeat is called with the type of a packet that came over WebSocket and has no
	// content. It takes a heartbeat, and reports whether it was one; for the other results
	// see pong.
	takeHeartbeat(c *Conn, kind byte) (heartbeat, expected, confirms bool)
}

// current is revision 4.
type current struct{}

func (current) revision() int                 { return 4 }
func (current) newID() string                 { return protocol.NewID() }
func (current) handshake(*protocol.Handshake) {}
func (current) form(bool) outgoing.Form       { return outgoing.Current }

func (current) receive(c *Conn, p []byte, binary bool) (room <-chan struct{}, err error) {
	if binary {
		return c.deliverMessage(p, true), nil
	}
	return c.receivePacket(p)
}

func (current) beginPost(h http.Header, _ *httpbody.Body) error {
	if isBinary(h) {
		return &parseError{"the POST has binary data: in revision 4 of the protocol the payload is text, with binary messages in base64"}
	}
	return nil
}

func (current) receivePost(c *Conn, poll *pollState, _ http.Header, body []byte) error {
	if !utf8.Valid(body) {
		return errNotUTF8
	}
	c.flusher.traffic.received(bytes.Count(body, []byte{protocol.Separator})+1, len(body))
	return c.receivePayload(poll, body)
}

func (current) payload(_ *Server, batch []*outgoing.Unit, last *outgoing.Unit, _ *http.Request) (body []byte, contentType []string, buf *[]byte) {
	if len(batch) == 1 && last == nil {
		return batch[0].Payload(), plainText, nil
	}
	buf = bufpool.Get()
	body = (*buf)[:0]
	for _, f := range batch {
		body = append(append(body, f.Payload()...), protocol.Separator)
	}
	if last != nil {
		body = append(body, last.Payload()...)
	} else {
		body = body[:len(body)-1]
	}
	*buf = body
	return body, plainText, buf
}

func (current) beginLocked(c *Conn)           { c.setTimerLocked(time.Now().Add(c.srv.opts.PingInterval)) }
func (current) heartbeatLocked(c *Conn) error { return c.pingLocked() }

func (current) takeHeartbeat(c *Conn, kind byte) (heartbeat, expected, confirms bool) {
	if kind != protocol.Pong {
		return false, false, false
	}
	expected, confirms = c.pong()
	return true, expected, confirms
}
