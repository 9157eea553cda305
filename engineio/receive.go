package engineio

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/seed-d124fa34/socketio/engineio/internal/protocol"
)

var (
	errClientClosed = errors.New("engineio: the client sent a CLOSE packet")
	errClientPing   = errors.New("engineio: the client sent a PING: in revision 4 of the protocol only the server sends them")
)

// maxControls is how many packets of one POST may be no messages; clients send a few. The
// server has to keep the whole body in memory, which Options.Limits.PostBudget bounds for all
// clients together, while Options.Limits.ControlRate has it wait before the next packet.
const maxControls = 2000

var errControls = &parseError{"a POST with more than 2,000 packets that are no messages"}

// isControl reports whether a packet that came as text is no message.
func isControl(p []byte) bool {
	return len(p) == 0 || p[0] != protocol.Message && p[0] != protocol.Base64
}

var errNotUTF8 = &parseError{"the POST is not UTF-8"}

// parseError says why a message is not a packet.
type parseError struct{ what string }

func (e *parseError) Error() string { return "engineio: " + e.what }

// receivePayload handles the packets in the body of a POST, in order. It waits while
// the Receiver has no room. If it returns an error, it has delivered the packets in
// front of the faulty one.
func (c *Conn) receivePayload(p *pollState, body []byte) error {
	p.turn.Lock()
	defer p.turn.Unlock()
	c.recvMu.Lock()
	defer c.recvMu.Unlock()
	for controls := 0; ; {
		packet, rest, more := bytes.Cut(body, []byte{protocol.Separator})
		if isControl(packet) {
			if controls++; controls > maxControls {
				return errControls
			}
		}
		room, err := c.receivePacket(packet)
		if err != nil {
			return err
		}
		if room != nil {
			c.recvMu.Unlock()
			c.awaitRoom(room)
			c.recvMu.Lock()
		}
		if !more {
			return nil
		}
		body = rest
	}
}

// receivePacket handles one packet that came as text (protocol: "Packet
// encoding"). The caller holds recvMu. For an error, the caller ends the connection
// with endFor. If room is not nil, the caller waits with awaitRoom before it reads on.
func (c *Conn) receivePacket(p []byte) (room <-chan struct{}, err error) {
	if len(p) == 0 {
		return nil, &parseError{"empty packet"}
	}
	switch p[0] {
	case protocol.Message:
		return c.deliverMessage(p[1:], false), nil
	case protocol.Base64:
		data, err := base64.StdEncoding.AppendDecode(nil, p[1:])
		if err != nil {
			return nil, &parseError{"binary message is not base64: " + err.Error()}
		}
		return c.deliverMessage(data, true), nil
	case protocol.Pong:
		expected, confirms := c.pong()
		switch {
		case !expected:
			return c.control(), nil
		case confirms:
			c.confirm()
		}
	case protocol.Close:
		return nil, errClientClosed
	case protocol.Ping:
		return nil, errClientPing
	case protocol.Open, protocol.Upgrade, protocol.Noop:
		// From a client they mean nothing and do no harm.
		return c.control(), nil
	default:
		return nil, &parseError{fmt.Sprintf("unknown packet type %q", p[0])}
	}
	return nil, nil
}

// endFor ends the connection for an error of receivePacket or receivePayload. It
// alone decides which reason and which ending such an error has.
func (c *Conn) endFor(err error) {
	var parse *parseError
	switch {
	case errors.Is(err, errClientClosed):
		c.end(ReasonClientDisconnect, nil, deliver)
	case errors.As(err, &parse):
		c.end(ReasonParseError, err, refused)
	default:
		c.end(ReasonTransportError, err, refused)
	}
}

// deliverMessage calls the Receiver, unless the connection has ended. The caller holds
// recvMu.
func (c *Conn) deliverMessage(data []byte, binary bool) (room <-chan struct{}) {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if !closed {
		c.guard("Message", func() { room = c.receiver.Message(data, binary) })
	}
	return room
}

// guard calls f, which is code of the application, on a goroutine of the server. There
// a panic would end the process, and runtime.Goexit the reader of the connection; guard
// ends the connection instead. what names the code in the log.
func (c *Conn) guard(what string, f func()) {
	returned := false
	defer func() {
		if v := recover(); v != nil {
			c.srv.logPanic(what, v)
			c.end(ReasonServerDisconnect, errPanic, deliver)
		} else if !returned {
			c.end(ReasonServerDisconnect, errGoexit, deliver)
		}
	}()
	f()
	returned = true
}
