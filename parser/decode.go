package parser

import (
	"bytes"
	"strconv"
)

// decoder implements Decoder. It is idle most of its life and there is one
// for each connection, so it holds no buffers.
type decoder struct {
	parser *jsonParser
	limits Limits
	err    error // the first error; the decoder is finished

	// The packet whose attachments are not complete, if missing > 0.
	pending *Packet
	missing int
	bytes   int // of the attachments so far

	// The names seen last: most packets repeat them, and need no new string.
	lastNamespace, lastEvent string
}

// maxCached bounds the names a decoder remembers.
const maxCached = 64

func (d *decoder) Decode(data []byte, binary bool) (p Packet, ok bool, err error) {
	switch {
	case d.err != nil:
		return Packet{}, false, d.err
	case binary:
		p, ok, err = d.attach(data)
	default:
		p, ok, err = d.text(data)
	}
	if err != nil {
		d.err, d.pending = err, nil
		return Packet{}, false, err
	}
	return p, ok, nil
}

// attach takes one attachment of the pending packet.
func (d *decoder) attach(data []byte) (Packet, bool, error) {
	if d.missing == 0 {
		return Packet{}, false, &DecodeError{
			Kind: ErrOutOfTurn, Detail: "binary message without a packet", Excerpt: excerpt(data),
		}
	}
	if m := d.limits.AttachmentBytes; m > 0 && len(data) > m-d.bytes {
		return Packet{}, false, &LimitError{Limit: "AttachmentBytes", Max: m}
	}
	d.bytes += len(data)
	own := make([]byte, len(data)) // never nil: an empty attachment is not null
	copy(own, data)
	a := d.pending.Args.(*args)
	a.binary.attachments = append(a.binary.attachments, own)
	if d.missing--; d.missing > 0 {
		return Packet{}, false, nil
	}
	if err := a.checkRepeats(d.bytes); err != nil {
		return Packet{}, false, err
	}
	p := *d.pending
	d.pending, d.bytes = nil, 0
	return p, true, nil
}

// text takes a text message: a whole packet, or the first part of a binary one.
func (d *decoder) text(data []byte) (p Packet, ok bool, err error) {
	if d.missing > 0 {
		return p, false, &DecodeError{
			Kind: ErrOutOfTurn, Detail: "text message while attachments are missing", Excerpt: excerpt(data),
		}
	}
	h, attachments, i, err := d.header(data)
	if err != nil {
		return p, false, err
	}
	p.Header = h
	a, err := d.payload(&p, data, i, attachments)
	if err != nil {
		return p, false, err
	}
	p.Args = a
	if attachments == 0 {
		return p, true, nil
	}
	first := p // a copy, so that other packets need no memory of their own
	d.pending, d.missing = &first, attachments
	return Packet{}, false, nil
}

// header reads <type>[<attachments>-][/ns,][id] and returns where the payload
// begins. The binary types become the plain ones.
func (d *decoder) header(data []byte) (h Header, attachments, i int, err error) {
	if len(data) == 0 {
		return h, 0, 0, malformed(data, 0, "empty message")
	}
	if data[0] < '0' || data[0] > '6' {
		return h, 0, 0, malformed(data, 0, "unknown packet type")
	}
	h.Type = Type(data[0] - '0')
	i = 1

	if h.Type == BinaryEvent || h.Type == BinaryAck {
		h.Type -= BinaryEvent - Event
		if attachments, i, err = d.count(data, i); err != nil {
			return h, 0, 0, err
		}
	}

	h.Namespace = "/"
	if i < len(data) && data[i] == '/' {
		name, rest := data[i:], len(data)
		if comma := bytes.IndexByte(name, ','); comma >= 0 {
			name, rest = name[:comma], i+comma+1
		}
		if query := bytes.IndexByte(name, '?'); query >= 0 {
			name = name[:query]
		}
		if h.Namespace, err = d.namespace(data, i, name); err != nil {
			return h, 0, 0, err
		}
		i = rest
	}

	if h.Type != Event && h.Type != Ack {
		return h, attachments, i, nil
	}
	start := i
	for i < len(data) && isDigit(data[i]) {
		if i-start == d.limits.IDDigits {
			return h, 0, 0, &LimitError{Limit: "IDDigits", Max: d.limits.IDDigits}
		}
		h.ID = 10*h.ID + uint64(data[i]-'0')
		i++
	}
	h.HasID = i > start
	if i > start+1 && data[start] == '0' {
		return h, 0, 0, malformed(data, start, "acknowledgement id with leading zeros")
	}
	if h.Type == Ack && !h.HasID {
		return h, 0, 0, malformed(data, start, "acknowledgement without an id")
	}
	return h, attachments, i, nil
}

// count reads the number of attachments and the '-' behind it.
func (d *decoder) count(data []byte, i int) (n, end int, err error) {
	start := i
	for ; i < len(data) && isDigit(data[i]) && n <= d.limits.Attachments; i++ {
		n = 10*n + int(data[i]-'0')
	}
	switch {
	case i > start && data[start] == '0':
		return 0, 0, malformed(data, start, "number of attachments must be a positive integer")
	case n > d.limits.Attachments:
		return 0, 0, &LimitError{Limit: "Attachments", Max: d.limits.Attachments}
	case i == start || i == len(data) || data[i] != '-':
		return 0, 0, malformed(data, start, "number of attachments and '-' expected")
	}
	return n, i + 1, nil
}

func (d *decoder) namespace(data []byte, at int, name []byte) (string, error) {
	if len(name) == 1 {
		return "/", nil
	}
	if string(name) == d.lastNamespace {
		return d.lastNamespace, nil
	}
	if wrong := validNamespace(name); wrong != "" {
		return "", malformed(data, at, wrong)
	}
	ns := string(name)
	if len(ns) <= maxCached {
		d.lastNamespace = ns
	}
	return ns, nil
}

// payload reads data[i:], which p's header precedes, checks that it suits the
// type, and sets p.Event. The result has all but the attachments.
func (d *decoder) payload(p *Packet, data []byte, i, attachments int) (*args, error) {
	if i == len(data) {
		if p.Type == Event || p.Type == Ack {
			return nil, malformed(data, i, p.Type.String()+" without a payload")
		}
		return noArgs, nil
	}
	if p.Type == Disconnect {
		return nil, malformed(data, i, "DISCONNECT has no payload")
	}

	s := scanner{data: data, maxDepth: d.limits.Depth, attachments: attachments}
	kind := s.text(i)
	if kind == 0 {
		return nil, s.err()
	}

	if err := d.checkKind(p.Type, kind, data, i); err != nil {
		return nil, err
	}
	if p.Type == Connect || p.Type == ConnectError {
		s.whole(trim(data, i))
	}
	elems := s.elems()
	if p.Type == Event {
		if elems.n == 0 {
			return nil, malformed(data, i, "EVENT without a name")
		}
		name, err := d.event(data, elems.first[0])
		if err != nil {
			return nil, err
		}
		p.Event = name
		elems.dropFirst() // a name has no placeholders in it
	}
	return newArgs(d.parser, data, &elems, attachments, s.placeholders), nil
}

// checkKind checks that the payload at i, which begins with kind, suits a packet's type.
// It is a function of its own to keep the frame of payload small: decoding runs on the
// stack of each connection's reader, which is to fit into 4 KiB.
func (d *decoder) checkKind(t Type, kind byte, data []byte, i int) error {
	switch t {
	case Connect:
		if kind != '{' {
			return malformed(data, i, "payload of CONNECT must be an object")
		}
	case ConnectError: // a bare string is what Flask-SocketIO sends
		if kind != '{' && kind != '"' {
			return malformed(data, i, "payload of CONNECT_ERROR must be an object or a string")
		}
	default:
		if kind != '[' {
			return malformed(data, i, "payload of "+t.String()+" must be an array")
		}
	}
	return nil
}

// event returns the event name at in data.
func (d *decoder) event(data []byte, at span) (string, error) {
	lit := at.of(data)
	switch c := lit[0]; {
	case c == '"':
		body := lit[1 : len(lit)-1]
		if string(body) == d.lastEvent {
			return d.lastEvent, nil
		}
		name := unquote(lit)
		if Reserved(name) {
			return "", &DecodeError{Kind: ErrReserved, Detail: "a peer cannot send this event", Excerpt: excerpt(lit)}
		}
		if len(name) <= maxCached && string(body) == name && bytes.IndexByte(body, '\\') < 0 {
			d.lastEvent = name // it is its own literal
		}
		return name, nil
	case c == '-' || isDigit(c):
		if name, ok := numberName(lit); ok {
			return name, nil
		}
	}
	return "", malformed(data, at.start, "name of an EVENT must be a string or a number")
}

// numberName writes a number as JavaScript does when it becomes a property
// name, so that a peer's 1, 1.0 and 1e0 are one event.
func numberName(lit []byte) (string, bool) {
	f, err := strconv.ParseFloat(string(lit), 64)
	if err != nil {
		return "", false // beyond the range of a number
	}
	if f == 0 {
		return "0", true // no minus sign
	}
	return string(appendFloat(nil, f)), true
}

// trim is data[i:] without the blanks around a JSON text.
func trim(data []byte, i int) span {
	body := bytes.Trim(data[i:], " \t\r\n")
	start := i + bytes.IndexByte(data[i:], body[0])
	return span{start, start + len(body)}
}
