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
// error, those in front of the faulty packet have been delivered.
func (c *Conn) receivePayload(body []byte) error {
	c.recvMu.Lock()
	defer c.recvMu.Unlock()
	for {
		packet, rest, more := bytes.Cut(body, []byte{separator})
		if err := c.receivePacket(packet); err != nil {
			return err
		}
		if !more {
			return nil
		}
		body = rest
	}
}

// receivePacket handles one packet that came as text (protocol: "Packet
// encoding"). The caller holds recvMu. An error ends the connection: see endFor.
func (c *Conn) receivePacket(p []byte) error {
	if len(p) == 0 {
		return &parseError{"empty packet"}
	}
	switch p[0] {
	case typeMessage:
		c.deliverMessage(p[1:], false)
	case typeBase64:
		data, err := base64.StdEncoding.AppendDecode(nil, p[1:])
		if err != nil {
			return &parseError{"binary message is not base64: " + err.Error()}
		}
		c.deliverMessage(data, true)
	case typePong:
		c.pong()
	case typeClose:
		return errClientClosed
	case typePing:
		return errClientPing
	case typeOpen, typeUpgrade, typeNoop:
		// They mean nothing here and do no harm.
	default:
		return &parseError{fmt.Sprintf("unknown packet type %q", p[0])}
	}
	return nil
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
