package socketio

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/seed-d124fa34/socketio/parser"
)

// The messages that servers exchange through a Broker: those of python-socketio
// 5.15, which is what Flask-SocketIO's message_queue speaks, so that Go and
// Python servers share one channel. Each is a JSON object with a "method":
//
//	emit                    event, data, binary, namespace, room, skip_sid, callback, host_id
//	callback                host_id, sid, namespace, id, args
//	disconnect              sid, namespace, host_id
//	enter_room, leave_room  sid, room, namespace, host_id
//	close_room              room, namespace, host_id
//
// host_id names the sender, which ignores its own messages; in a callback it
// names who is to have it. data is the list of the event's arguments; with
// binary, a list of that list, with placeholders, and the attachments in base64.
// callback is three values that the answer repeats as sid, namespace and id.
//
// Members that Python does not know it ignores. Ours are there only if needed:
//
//	except      rooms left out
//	volatile    true: the event may be dropped
//	compress    false: the packet is not to be compressed
//	argc        1: the only argument is null, which to Python is none
//	bytes       true, beside callback: the answer may have binary, as data has
//	notices     true, beside callback: that a client leaves without an answer is told
//	from        in a callback: the session id of who answers
//	left        in a callback, true: who would answer has left, or was not asked
//	limit       beside left: it was not asked, since it owes so many answers

// queueLimits are those of the packets that other servers send. The bound is
// what the broker carries.
var queueLimits = parser.Limits{Attachments: 1_000_000, Depth: 10_000}

// envelope is a message of the queue as raw values; one that is not there is
// nil.
type envelope struct {
	method, host, namespace, room, sid, id       []byte
	event, data, binary, skip, callback, args    []byte
	except, volatile, compress, argc, full, from []byte
	notices, left, limit                         []byte
}

// addressed reports whether all is known that says for whom an event is.
func (m *envelope) addressed() bool {
	return m.method != nil && m.host != nil && m.namespace != nil && m.room != nil
}

func (m *envelope) member(key string) *[]byte {
	switch key {
	case "method":
		return &m.method
	case "host_id":
		return &m.host
	case "namespace":
		return &m.namespace
	case "room":
		return &m.room
	case "sid":
		return &m.sid
	case "id":
		return &m.id
	case "event":
		return &m.event
	case "data":
		return &m.data
	case "binary":
		return &m.binary
	case "skip_sid":
		return &m.skip
	case "callback":
		return &m.callback
	case "args":
		return &m.args
	case "except":
		return &m.except
	case "volatile":
		return &m.volatile
	case "compress":
		return &m.compress
	case "argc":
		return &m.argc
	case "bytes":
		return &m.full
	case "from":
		return &m.from
	case "notices":
		return &m.notices
	case "left":
		return &m.left
	case "limit":
		return &m.limit
	}
	return nil
}

// payload is the arguments of an event or answer as in a message.
type payload struct {
	args        []byte // separated by commas
	attachments [][]byte
}

// readPayload reads "data" or "args". Before 5.15 python-socketio did not wrap a
// single argument in a list.
func readPayload(data []byte, binary bool) (payload, error) {
	var p payload
	if binary {
		first := true
		var err error
		walked := walkArray(data, func(value []byte) bool {
			if first {
				first, data = false, value
				return true
			}
			var b []byte
			b, err = readBase64(value)
			p.attachments = append(p.attachments, b)
			return err == nil
		})
		if err = errors.Join(walked, err); err != nil {
			return p, fmt.Errorf("binary: %w", err)
		}
		if first {
			return p, errors.New("binary, and no data")
		}
	}
	p.args = data
	if len(data) > 0 && data[0] == '[' {
		if data[len(data)-1] != ']' {
			return p, errBroken
		}
		p.args = bytes.Trim(data[1:len(data)-1], " \t\r\n")
	}
	return p, nil
}

func readBase64(lit []byte) ([]byte, error) {
	s, ok := text(lit)
	if !ok {
		return nil, errors.New("an attachment is no string")
	}
	return base64.StdEncoding.DecodeString(s)
}

// packet makes the text of a Socket.IO packet of a payload: the arguments go in
// as they are. It is checked by decoding it, which also gives the arguments to
// those who need them.
func (p payload) packet(codec parser.Parser, h parser.Header, event []byte) (text []byte, decoded parser.Packet, err error) {
	text = make([]byte, 0, 64+len(h.Namespace)+len(event)+len(p.args))
	kind := h.Type
	if len(p.attachments) > 0 {
		kind += parser.BinaryEvent - parser.Event
	}
	text = append(text, '0'+byte(kind))
	if len(p.attachments) > 0 {
		text = append(strconv.AppendInt(text, int64(len(p.attachments)), 10), '-')
	}
	if h.Namespace != "/" {
		text = append(append(text, h.Namespace...), ',')
	}
	if h.HasID {
		text = strconv.AppendUint(text, h.ID, 10)
	}
	text = append(append(text, '['), event...)
	if len(event) > 0 && len(p.args) > 0 {
		text = append(text, ',')
	}
	text = append(append(text, p.args...), ']')
	if !utf8.Valid(text) {
		text = bytes.ToValidUTF8(text, []byte("\ufffd"))
	}
	decoded, err = p.decode(codec, text)
	if err != nil {
		if fixed, changed := numbersThatAreNone(text); changed {
			text = fixed
			decoded, err = p.decode(codec, text)
		}
	}
	return text, decoded, err
}

func (p payload) decode(codec parser.Parser, text []byte) (parser.Packet, error) {
	dec := codec.NewDecoder(queueLimits)
	decoded, ok, err := dec.Decode(text, false)
	for _, b := range p.attachments {
		if err == nil {
			decoded, ok, err = dec.Decode(b, true)
		}
	}
	if err == nil && !ok {
		err = errors.New("attachments are missing")
	}
	return decoded, err
}

// appendPayload appends a payload as "data" or "args" have it.
func appendPayload(dst, args []byte, attachments [][]byte) []byte {
	if len(attachments) > 0 {
		dst = append(dst, '[')
	}
	dst = append(append(append(dst, '['), args...), ']')
	for _, b := range attachments {
		dst = append(dst, ',', '"')
		dst = base64.StdEncoding.AppendEncode(dst, b)
		dst = append(dst, '"')
	}
	if len(attachments) > 0 {
		dst = append(dst, ']')
	}
	if !utf8.Valid(dst) { // Python would drop the message
		dst = bytes.ToValidUTF8(dst, []byte("\ufffd"))
	}
	return dst
}

// splitPacket finds the event's name, as a JSON string, and the arguments in the
// text of an EVENT packet that a JSON parser has encoded.
func splitPacket(packet []byte, ns string) (event, args []byte) {
	i := 1
	if packet[0] == '0'+byte(parser.BinaryEvent) {
		i += bytes.IndexByte(packet, '-')
	}
	if ns != "/" {
		i += len(ns) + 1
	}
	i += bytes.IndexByte(packet[i:], '[') + 1 // the id lies between
	end := skipString(packet, i)
	event = packet[i:end]
	if packet[end] == ',' {
		args = packet[end+1 : len(packet)-1]
	}
	return event, args
}

// appendHead begins a message.
func appendHead(dst []byte, method, host, namespace string) []byte {
	dst = append(append(dst, `{"method":"`...), method...)
	dst = append(append(dst, `","host_id":"`...), host...)
	return appendText(append(dst, `","namespace":`...), namespace)
}

// appendText appends a string as JSON.
func appendText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string has no errors
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// appendTexts appends a list of strings.
func appendTexts(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(dst, s)
	}
	return append(dst, ']')
}
