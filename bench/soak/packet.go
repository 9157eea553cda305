package soak

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

// message is one Engine.IO message, text or binary.
type message struct {
	op   byte // wire.OpText or wire.OpBinary
	data []byte
}

// The types of Socket.IO packets.
const (
	packetConnect      = '0'
	packetDisconnect   = '1'
	packetEvent        = '2'
	packetAck          = '3'
	packetConnectError = '4'
	packetBinaryEvent  = '5'
	packetBinaryAck    = '6'
)

// packet is a Socket.IO packet from the server.
type packet struct {
	kind        byte // of the types above
	attachments int
	ns          string
	id          int64 // of the acknowledgement, negative if there is none
	data        []byte
}

var errPacket = errors.New("not a Socket.IO packet")

// parsePacket parses the text of a packet; data stays in it.
func parsePacket(b []byte) (p packet, err error) {
	p = packet{ns: "/", id: -1}
	if len(b) == 0 || b[0] < packetConnect || b[0] > packetBinaryAck {
		return p, errPacket
	}
	p.kind, b = b[0], b[1:]
	if p.kind >= packetBinaryEvent {
		n, rest, ok := number(b)
		if !ok || len(rest) == 0 || rest[0] != '-' {
			return p, errPacket
		}
		p.attachments, b = int(n), rest[1:]
	}
	if len(b) > 0 && b[0] == '/' {
		ns, rest, _ := bytes.Cut(b, []byte{','})
		p.ns, b = string(ns), rest
	}
	if n, rest, ok := number(b); ok {
		p.id, b = n, rest
	}
	p.data = b
	return p, nil
}

func number(b []byte) (n int64, rest []byte, ok bool) {
	for len(b) > 0 && b[0] >= '0' && b[0] <= '9' {
		n, b, ok = n*10+int64(b[0]-'0'), b[1:], true
	}
	return n, b, ok
}

// content is the arguments of an event or an acknowledgement of the soak.
type content struct {
	event string // empty for an acknowledgement
	head  workload.Head
	text  []byte // the payload if it is text
	// offset is the last argument of an event, if it is a string: what the official
	// client takes for the event's offset.
	offset string
}

var placeholder = []byte(`{"_placeholder":true,"num":0}`)

// parseContent parses what the server of the soak sends, and nothing else.
func parseContent(p packet) (c content, err error) {
	b := p.data
	bad := func() (content, error) { return c, fmt.Errorf("%w of the soak: %.200q", errPacket, p.data) }
	if len(b) < 2 || b[0] != '[' || b[len(b)-1] != ']' {
		return bad()
	}
	b = b[1 : len(b)-1]
	if p.kind == packetEvent || p.kind == packetBinaryEvent {
		end := bytes.Index(b, []byte(`",`))
		if end < 1 || b[0] != '"' {
			return bad()
		}
		c.event, b = string(b[1:end]), b[end+2:]
		if b[len(b)-1] == '"' {
			begin := bytes.LastIndexByte(b[:len(b)-1], '"')
			if begin < 0 {
				return bad()
			}
			c.offset = string(b[begin+1 : len(b)-1])
		}
		if c.event == workload.OffsetEvent && c.offset != "" {
			return c, nil
		}
	}
	end := bytes.IndexByte(b, '}')
	if end < 0 {
		return bad()
	}
	if !parseHead(b[:end+1], &c.head) {
		return bad()
	}
	b = withoutOffset(b[end+1:])
	switch {
	case len(b) == 0:
	case p.attachments == 1 && bytes.Equal(b[1:], placeholder):
	case len(b) >= 3 && b[1] == '"' && b[len(b)-1] == '"' && p.attachments == 0:
		c.text = b[2 : len(b)-1]
	default:
		return bad()
	}
	return c, nil
}

// withoutOffset removes a third argument: an offset, or the null that a volatile event
// has in its place.
func withoutOffset(b []byte) []byte {
	if rest, ok := bytes.CutSuffix(b, []byte(",null")); ok {
		return rest
	}
	if len(b) == 0 || b[len(b)-1] != '"' {
		return b
	}
	if begin := bytes.LastIndex(b, []byte(`,"`)); begin > 0 {
		return b[:begin]
	}
	return b
}

// parseHead reads a Head as encoding/json writes it.
func parseHead(b []byte, h *workload.Head) bool {
	for _, f := range []struct {
		name string
		to   *int64
	}{{`{"seq":`, &h.Seq}, {`,"voice":`, &h.Voice}, {`,"number":`, &h.Number}, {`,"at":`, &h.At}, {`,"sum":`, &h.Sum}} {
		if !bytes.HasPrefix(b, []byte(f.name)) {
			return false
		}
		n, rest, ok := number(b[len(f.name):])
		if !ok {
			return false
		}
		*f.to, b = n, rest
	}
	return len(b) == 1
}

func appendHead(b []byte, h workload.Head) []byte {
	b = strconv.AppendInt(append(b, `{"seq":`...), h.Seq, 10)
	b = strconv.AppendInt(append(b, `,"voice":`...), h.Voice, 10)
	b = strconv.AppendInt(append(b, `,"number":`...), h.Number, 10)
	b = strconv.AppendInt(append(b, `,"at":`...), h.At, 10)
	b = strconv.AppendInt(append(b, `,"sum":`...), h.Sum, 10)
	return append(b, '}')
}

// payload is a text or bytes, or neither.
type payload struct {
	text   []byte // none of which JSON escapes
	binary []byte
}

func (p payload) sum() int64 {
	if p.binary != nil {
		return workload.SoakSum(p.binary)
	}
	return workload.SoakSum(p.text)
}

// encodePacket makes the messages of an event (name is not empty) or an
// acknowledgement. to is the room or the session id, if there is one.
func encodePacket(ns string, id int64, name string, h workload.Head, to string, p payload) []message {
	b := make([]byte, 0, 160+len(p.text))
	kind, binaryKind := byte(packetEvent), byte(packetBinaryEvent)
	if name == "" {
		kind, binaryKind = packetAck, packetBinaryAck
	}
	if p.binary == nil {
		b = append(b, kind)
	} else {
		b = append(b, binaryKind, '1', '-')
	}
	if ns != "/" {
		b = append(append(b, ns...), ',')
	}
	if id >= 0 {
		b = strconv.AppendInt(b, id, 10)
	}
	b = append(b, '[')
	if name != "" {
		b = append(append(append(b, '"'), name...), `",`...)
	}
	b = appendHead(b, h)
	if to != "" {
		b = append(append(append(b, `,"`...), to...), '"')
	}
	switch {
	case p.binary != nil:
		b = append(append(b, ','), placeholder...)
	case p.text != nil:
		b = append(append(append(b, `,"`...), p.text...), '"')
	}
	messages := []message{{wire.OpText, append(b, ']')}}
	if p.binary != nil {
		messages = append(messages, message{wire.OpBinary, p.binary})
	}
	return messages
}
