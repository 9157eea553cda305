// Package msgpack is the packet format of the npm package
// socket.io-msgpack-parser and of Flask-SocketIO's serializer='msgpack': each
// packet is one binary message, in which binary data stands in its place
// and not in messages of its own. Clients have to use the same parser.
//
//	srv := socketio.NewServer(&socketio.Options{Parser: msgpack.New()})
//
// Handlers and emits are the same for both formats: only Options.Parser changes.
// Values become what they would become in JSON, with json struct tags, MarshalJSON
// and UnmarshalText. Numbers in an any are float64, maps in it are map[string]any.
// A []byte is binary, at any depth.
//
// # What is read
//
// A packet is a map with the keys type, data, nsp and, for acknowledgements, id;
// others are ignored. Map keys are strings, strings are UTF-8, and nothing
// follows the packet: all else is refused. Values that JSON has no form
// for become what the client's own JSON encoder makes of them: a Date or
// timestamp is a string as of RFC 3339, undefined is null in an array and left
// out of a map, NaN and the infinities are null. An ArrayBuffer is binary data.
// Other extension types are refused.
//
// Limits are those of [parser.Limits], except that Attachments, here the number
// of binary values in a packet, has no default: such a value costs its bytes
// and nothing else.
//
// # What it costs
//
// Packets are shorter than in JSON if they hold binary data or many numbers,
// and encoding and decoding take about twice as long: a value goes through its
// JSON form, which is what makes it the same in both formats.
package msgpack

import (
	"github.com/seed-d124fa34/socketio/parser"
)

// New returns the format, for Options.Parser. Values are converted as by
// encoding/json.
func New() parser.Parser { return NewWithCodec(nil) }

// NewWithCodec is New with values converted as by another JSON implementation;
// nil means encoding/json.
func NewWithCodec(codec parser.Codec) parser.Parser {
	return &format{parser.New(codec)}
}

// format is safe for concurrent use, as its one field is.
type format struct{ json parser.Parser }

const (
	defaultDepth   = 64    // as in parser.Limits
	maxDepth       = 10000 // as in parser.Limits
	maxAttachments = 100_000_000
)

func (f *format) NewDecoder(l parser.Limits) parser.Decoder {
	if l.Attachments <= 0 {
		l.Attachments = maxAttachments
	}
	depth := l.Depth
	if depth <= 0 {
		depth = defaultDepth
	}
	return &decoder{json: f.json.NewDecoder(l), depth: min(depth, maxDepth)}
}

// Keys of a packet, in the order in which they are written.
const (
	keyType      = "type"
	keyData      = "data"
	keyNamespace = "nsp"
	keyID        = "id"
)

// placeholderKey marks the objects that stand for binary data in JSON.
const placeholderKey = "_placeholder"
