package engineio

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
)

var (
	errClientClosed = errors.New("engineio: the client sent a CLOSE packet")
	errClientPing   = errors.New("engineio: the client sent a PING: in revision 4 of the protocol the server does")
)

// parseError is a message that is not a packet.
type parseError struct{ what string }

func (e *parseError) Error() string { return "engineio: " + e.what }

// receivePayload handles the packets in the body of a POST, in order. After an
// error, those in front of the faulty packet have been delivered. It waits while
// the Receiver has no room.
func (c *Conn) receivePayload(body []byte) error {
	c.turnMu.Lock()
	defer c.turnMu.Unlock()
	c.recvMu.Lock()
	defer c.recvMu.Unlock()
	for {
		packet, rest, more := bytes.Cut(body, []byte{separator})
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
// encoding"). The caller holds recvMu. An error ends the connection: see endFor.
// If room is not nil, the caller does not read on until it is closed: see awaitRoom.
func (c *Conn) receivePacket(p []byte) (room <-chan struct{}, err error) {
	if len(p) == 0 {
		return nil, &parseError{"empty packet"}
	}
	switch p[0] {
	case typeMessage:
		return c.deliverMessage(p[1:], false), nil
	case typeBase64:
		data, err := base64.StdEncoding.AppendDecode(nil, p[1:])
		if err != nil {
			return nil, &parseError{"binary message is not base64: " + err.Error()}
		}
		return c.deliverMessage(data, true), nil
	case typePong:
		if !c.pong() {
			return c.control(), nil
		}
	case typeClose:
		return nil, errClientClosed
	case typePing:
		return nil, errClientPing
	case typeOpen, typeUpgrade, typeNoop:
		// They mean nothing here and do no harm.
		return c.control(), nil
	default:
		return nil, &parseError{fmt.Sprintf("unknown packet type %q", p[0])}
	}
	return nil, nil
}

// endFor ends the connection for an error of receivePacket or receivePayload.
// It is the one place that decides what such an error means.
func (c *Conn) endFor(err error) {
	var parse *parseError
	switch {
	case errors.Is(err, errClientClosed):
		c.end(ReasonClientDisconnect, nil, deliver)
	case errors.As(err, &parse):
		c.end(ReasonParseError, err, told)
	default:
		c.end(ReasonTransportError, err, told)
	}
}
