package revision

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/seed-d124fa34/socketio/parser"
)

// maxParameters bounds the query behind the namespace of a CONNECT packet. Every
// parameter takes some hundred bytes of memory, and may take two bytes of the packet.
const maxParameters = 1000

var errParameters = errors.New("socketio: the query behind the namespace of a CONNECT packet has more than 1,000 parameters")

// decoder has a decoder of revision 5 read packets of revision 4.
type decoder struct{ parser.Decoder }

func (d decoder) Decode(data []byte, binary bool) (parser.Packet, bool, error) {
	if !binary {
		var err error
		if data, err = translate(data); err != nil {
			return parser.Packet{}, false, err
		}
	}
	return d.Decoder.Decode(data, binary)
}

// foreign has a decoder of another packet format, whose packets are the same in both
// revisions but for the query behind the namespace of a CONNECT packet.
type foreign struct{ parser.Decoder }

func (d foreign) Decode(data []byte, binary bool) (parser.Packet, bool, error) {
	p, ok, err := d.Decoder.Decode(data, binary)
	if err != nil || !ok || p.Type != parser.Connect || p.Args.Len() > 0 || !strings.Contains(p.Namespace, "?") {
		return p, ok, err
	}
	packet, err := translate([]byte("0" + p.Namespace))
	if err != nil {
		return parser.Packet{}, false, err
	}
	connect, ok, err := parser.New(nil).NewDecoder(parser.Limits{}).Decode(packet, false)
	if err != nil || !ok {
		return p, true, nil
	}
	return connect, true, nil
}

// translate returns a packet of revision 4 as one of revision 5. What is the same in both,
// or wrong in both, it returns as it is. Its only error is errParameters:
//
//   - The query behind the namespace of a CONNECT packet, "0/chat?token=x", becomes its
//     payload: all that a client can say of itself.
//   - A binary packet without attachments, which clients send on demand, is an ordinary one.
func translate(packet []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(packet, []byte("50-")):
		return append([]byte{'2'}, packet[3:]...), nil
	case bytes.HasPrefix(packet, []byte("60-")):
		return append([]byte{'3'}, packet[3:]...), nil
	case !bytes.HasPrefix(packet, []byte("0/")):
		return packet, nil
	}
	name, payload, _ := bytes.Cut(packet, []byte(","))
	name, query, ok := bytes.Cut(name, []byte("?"))
	if !ok || len(payload) > 0 {
		return packet, nil
	}
	if bytes.Count(query, []byte("&")) >= maxParameters {
		return nil, errParameters
	}
	object, _ := json.Marshal(values(string(query))) // strings have no errors
	out := make([]byte, 0, len(name)+1+len(object))
	return append(append(append(out, name...), ','), object...), nil
}

// values are those of a query, the last of each name, as JavaScript reads it: what is no
// escape is text.
func values(query string) map[string]string {
	all := make(map[string]string)
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		all[unescape(name)] = unescape(value)
	}
	return all
}

func unescape(s string) string {
	if text, err := url.QueryUnescape(s); err == nil {
		s = text
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
