package eiotest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Separator stands between the packets of a long-polling payload.
const Separator = "\x1e"

// Types of Engine.IO packets.
const (
	packetOpen    = '0'
	packetClose   = '1'
	packetPing    = '2'
	packetPong    = '3'
	packetMessage = '4'
	packetUpgrade = '5'
	packetNoop    = '6'
)

// packet is one Engine.IO packet.
type packet struct {
	kind   byte // one of the types above
	data   []byte
	binary bool // only of messages
}

func (p packet) String() string {
	if p.binary {
		return fmt.Sprintf("binary message of %d bytes", len(p.data))
	}
	if len(p.data) > 40 {
		return fmt.Sprintf("%c%.40q... (%d bytes)", p.kind, p.data, len(p.data))
	}
	return fmt.Sprintf("%c%q", p.kind, p.data)
}

// appendText appends the packet in the form of a polling payload.
func (p packet) appendText(b []byte) []byte {
	if p.binary {
		return base64.StdEncoding.AppendEncode(append(b, 'b'), p.data)
	}
	return append(append(b, p.kind), p.data...)
}

// textLen returns how many bytes appendText appends.
func (p packet) textLen() int {
	if p.binary {
		return 1 + base64.StdEncoding.EncodedLen(len(p.data))
	}
	return 1 + len(p.data)
}

// parsePacket parses the text form of a packet, strictly.
func parsePacket(s string) (packet, error) {
	if s == "" {
		return packet{}, errors.New("empty packet")
	}
	switch kind := s[0]; {
	case kind == 'b':
		data, err := base64.StdEncoding.Strict().DecodeString(s[1:])
		if err != nil {
			return packet{}, fmt.Errorf("binary message: %w", err)
		}
		return packet{packetMessage, data, true}, nil
	case kind >= packetOpen && kind <= packetNoop:
		return packet{kind, []byte(s[1:]), false}, nil
	}
	return packet{}, fmt.Errorf("unknown packet type %q", s[0])
}

// parsePayload parses the body of a poll, strictly.
func parsePayload(body string) ([]packet, error) {
	var packets []packet
	for s := range strings.SplitSeq(body, Separator) {
		p, err := parsePacket(s)
		if err != nil {
			return packets, err
		}
		packets = append(packets, p)
	}
	return packets, nil
}
