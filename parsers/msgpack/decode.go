package msgpack

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/seed-d124fa34/socketio/parser"
)

// decoder is the decoder of one connection. It rewrites each packet as the JSON
// packet, with attachments, that says the same, and gives that to a JSON
// decoder: both formats refuse the same things, and bind alike.
type decoder struct {
	json  parser.Decoder
	depth int
	err   error // the first error; the decoder is finished
}

func (d *decoder) Decode(data []byte, binary bool) (p parser.Packet, ok bool, err error) {
	if d.err == nil {
		p, d.err = d.decode(data, binary)
	}
	if d.err != nil {
		return parser.Packet{}, false, d.err
	}
	return p, true, nil
}

func (d *decoder) decode(data []byte, binary bool) (parser.Packet, error) {
	if !binary {
		return parser.Packet{}, malformed(data, 0, "text message: the client does not use msgpack, which this server does")
	}
	e, err := readEnvelope(data, d.depth)
	if err != nil {
		return parser.Packet{}, err
	}
	text, err := e.text(data)
	if err != nil {
		return parser.Packet{}, err
	}
	p, ok, err := d.json.Decode(text, false)
	for _, b := range e.binary {
		if err == nil {
			p, ok, err = d.json.Decode(b, true)
		}
	}
	if err == nil && !ok {
		err = malformed(data, 0, "incomplete packet") // not possible: all attachments have been given
	}
	return p, err
}

// envelope is a packet with its data as JSON.
type envelope struct {
	kind      parser.Type
	namespace []byte
	id        uint64
	hasID     bool
	data      []byte // JSON; empty if there is none
	binary    [][]byte
	seen      fields
}

// fields is a set of the keys of a packet.
type fields uint

const (
	hasType fields = 1 << iota
	hasNamespace
	hasID
	hasData
)

// once notes a key. It fails if the packet has had it.
func (e *envelope) once(r *reader, f fields) error {
	if e.seen&f != 0 {
		return r.fail("the packet has a key twice")
	}
	e.seen |= f
	return nil
}

// readEnvelope reads a whole message.
func readEnvelope(data []byte, depth int) (*envelope, error) {
	r := &reader{data: data, depth: depth}
	e := new(envelope)
	if r.kind() != kindMap {
		return nil, r.fail("a packet is a map")
	}
	size, ok := r.head()
	if !ok {
		return nil, r.fail("map not complete")
	}
	for range size {
		key, ok := r.text()
		if !ok {
			return nil, r.fail("map key must be a string")
		}
		if err := e.field(r, string(key)); err != nil {
			return nil, err
		}
	}
	if r.left() > 0 {
		return nil, r.fail("garbage after the packet")
	}
	if e.seen&hasType == 0 {
		return nil, malformed(data, 0, "packet without a type")
	}
	if e.seen&hasNamespace == 0 {
		return nil, malformed(data, 0, "packet without a namespace")
	}
	return e, nil
}

// field reads the value of a key.
func (e *envelope) field(r *reader, key string) (err error) {
	switch key {
	case keyType:
		if err := e.once(r, hasType); err != nil {
			return err
		}
		n, ok := r.natural()
		if !ok || n > uint64(parser.ConnectError) {
			return r.fail("unknown packet type")
		}
		e.kind = parser.Type(n)
	case keyNamespace:
		if err := e.once(r, hasNamespace); err != nil {
			return err
		}
		name, ok := r.text()
		if !ok {
			return r.fail("a namespace is a string")
		}
		if len(name) == 0 || name[0] != '/' || bytes.ContainsAny(name, ",?") {
			return r.fail("a namespace starts with '/' and holds no ',' or '?'")
		}
		e.namespace = name
	case keyID:
		if err := e.once(r, hasID); err != nil || r.skipAbsent() {
			return err
		}
		if e.id, e.hasID = r.natural(); !e.hasID {
			return r.fail("an acknowledgement id is a natural number")
		}
	case keyData:
		if err := e.once(r, hasData); err != nil || r.skipAbsent() {
			return err
		}
		e.data, e.binary, err = r.take()
	default: // packets of the JavaScript client have their options in them
		_, _, err = r.take()
	}
	return err
}

// text is the JSON packet, without its attachments.
func (e *envelope) text(data []byte) ([]byte, error) {
	kind := e.kind
	if e.hasID && kind != parser.Event && kind != parser.Ack {
		return nil, malformed(data, 0, fmt.Sprintf("%v has no id", kind))
	}
	out := make([]byte, 0, len(e.namespace)+len(e.data)+32)
	switch {
	case len(e.binary) == 0:
		out = append(out, '0'+byte(kind))
	case kind == parser.Event || kind == parser.Ack:
		out = append(out, '0'+byte(kind)+byte(parser.BinaryEvent-parser.Event))
		out = strconv.AppendInt(out, int64(len(e.binary)), 10)
		out = append(out, '-')
	default:
		return nil, malformed(data, 0, fmt.Sprintf("binary data in %v", kind))
	}
	out = append(out, e.namespace...)
	out = append(out, ',')
	if e.hasID {
		out = strconv.AppendUint(out, e.id, 10)
	}
	return append(out, e.data...), nil
}
