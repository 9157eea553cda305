package parser

import (
	"strconv"
	"unicode/utf8"
)

// Type is the type of a Socket.IO packet (protocol: "Packet types").
type Type byte

// The packet types, in wire order.
const (
	Connect Type = iota
	Disconnect
	Event
	Ack
	ConnectError
	BinaryEvent
	BinaryAck
)

// String returns the name the protocol document uses, such as "EVENT".
func (t Type) String() string {
	switch t {
	case Connect:
		return "CONNECT"
	case Disconnect:
		return "DISCONNECT"
	case Event:
		return "EVENT"
	case Ack:
		return "ACK"
	case ConnectError:
		return "CONNECT_ERROR"
	case BinaryEvent:
		return "BINARY_EVENT"
	case BinaryAck:
		return "BINARY_ACK"
	}
	return "Type(" + strconv.Itoa(int(t)) + ")"
}

// Header is what a packet carries besides its arguments.
type Header struct {
	// Type is the packet's type. For Encode, Event and BinaryEvent mean the
	// same, as do Ack and BinaryAck: the arguments decide which is sent.
	Type Type
	// Namespace starts with '/'; "" and "/" are the main namespace. Decoded
	// packets always have it, "/" included.
	Namespace string
	// ID is the acknowledgement id, if HasID: at most 18 digits. An Event may
	// have one, an Ack must, the other types cannot.
	ID    uint64
	HasID bool
}

// Packet is one decoded packet. BinaryEvent is reported as Event and
// BinaryAck as Ack, after all attachments have arrived.
type Packet struct {
	Header
	// Event is the event's name (Event packets only). A numeric name, which
	// the protocol's implementations allow, is its decimal text.
	Event string
	// Args are the arguments of an Event (without the name) or Ack, or the
	// payload, if any, of a Connect or ConnectError. Never nil.
	Args Args
}

// Args are the arguments of a decoded packet. They own their memory and may be
// kept. Safe for concurrent use.
type Args interface {
	// Len is the number of arguments.
	Len() int
	// Bind decodes argument i, counted from 0, into v, a non-nil pointer to
	// anything JSON decodes into; JSON null leaves v as encoding/json does.
	//
	// Attachments arrive in []byte targets at any depth, and as []byte in
	// interface values: map[string]any{"data": []byte{...}}. For a
	// json.RawMessage, or a type that has an UnmarshalJSON or UnmarshalText
	// method, an attachment is a base64 string, which for such a method may
	// begin with line breaks that encoding/json ignores. An attachment does
	// not fit a string.
	//
	// The same attachment bound twice may be the same memory: treat the bytes
	// as read-only, or copy them, if anything else may bind them too.
	//
	// Every error is a *BindError. v may then be filled in part.
	Bind(i int, v any) error
}

// Sized may be implemented by Args that hold much more than the bytes in which
// they came.
type Sized interface {
	Args
	// Size is what the arguments hold, in bytes, about. It is called once the
	// packet is complete.
	Size() int
}

// Parser is a packet format. Safe for concurrent use.
type Parser interface {
	// Encode appends the packet to dst. Event: args[0] is the name (a string,
	// which the caller has checked with Reserved). Ack: args are the answer.
	// Connect and ConnectError: at most one argument, which becomes a JSON
	// object. Disconnect: none. The parser of New writes any argument of a ConnectError,
	// for clients of Socket.IO 2.
	//
	// The result is the first message (text, dst included) and the binary
	// messages that follow it. A format without text messages returns dst
	// unchanged: then only the attachments are sent. attachments may alias args and must be sent or
	// copied before args change. On error both are nil, and the bytes between
	// dst's length and capacity are undefined.
	Encode(dst []byte, h Header, args []any) (text []byte, attachments [][]byte, err error)
	// NewDecoder returns the decoder of one connection.
	NewDecoder(l Limits) Decoder
}

// Decoder turns the messages of one connection into packets. Not safe for concurrent use.
type Decoder interface {
	// Decode takes the next message; data is not kept. ok is false while
	// attachments are missing. After an error the connection is to be closed:
	// the decoder has no more packets and repeats the error.
	//
	// Errors are *DecodeError or *LimitError.
	Decode(data []byte, binary bool) (p Packet, ok bool, err error)
}

// Codec is a JSON implementation, such as encoding/json. Marshal must write
// []byte as a standard base64 string and Unmarshal read it, as encoding/json
// does, and both leave values with the methods of encoding/json's Marshaler
// and Unmarshaler to those. Marshal must return valid JSON, which is not
// checked again. Both are called from many goroutines at once; neither may
// keep or change data.
type Codec interface {
	Marshal(v any) ([]byte, error)
	Unmarshal(data []byte, v any) error
}

// StandardCodec is a Codec that reads and writes what [Standard] does, at another cost.
// A Parser then treats it like that: it decodes and encodes strings and numbers itself, and
// calls the MarshalJSON and UnmarshalJSON methods of arguments directly. Package
// parsers/sonic has one.
type StandardCodec interface {
	Codec
	// AppendJSON appends v as JSON to dst. After an error, the bytes between dst's length
	// and capacity are undefined.
	AppendJSON(dst []byte, v any) ([]byte, error)
}

// Standard is encoding/json without HTML escaping, the codec of a Parser that is given none.
var Standard StandardCodec = stdCodec{}

// Limits bounds what a decoder accepts. Fields that are zero or negative mean
// the defaults. A packet beyond a limit is a *LimitError.
type Limits struct {
	Attachments     int // binary attachments of one packet; default 10, at most 100 million
	Depth           int // nesting of arrays and objects, the list of arguments included; default 64, at most 10000
	IDDigits        int // digits of an acknowledgement id; default and maximum 18
	AttachmentBytes int // total bytes of one packet's attachments; default: no limit of its own
}

const (
	defaultAttachments = 10
	maxAttachments     = 100_000_000 // ten times as much still fits 32 bits
	defaultDepth       = 64
	maxDepth           = 10000 // encoding/json goes no deeper
	maxIDDigits        = 18    // fits an int64 everywhere
)

func (l Limits) withDefaults() Limits {
	if l.Attachments <= 0 {
		l.Attachments = defaultAttachments
	}
	l.Attachments = min(l.Attachments, maxAttachments)
	if l.Depth <= 0 {
		l.Depth = defaultDepth
	}
	l.Depth = min(l.Depth, maxDepth)
	if l.IDDigits <= 0 || l.IDDigits > maxIDDigits {
		l.IDDigits = maxIDDigits
	}
	l.AttachmentBytes = max(l.AttachmentBytes, 0)
	return l
}

// New returns the default JSON parser, using codec, or encoding/json when nil.
func New(codec Codec) Parser {
	if codec == nil {
		codec = stdCodec{}
	}
	std, _ := codec.(StandardCodec)
	_, direct := codec.(stdCodec)
	return &jsonParser{codec: codec, std: std, direct: direct, bytesErr: checkBytes(codec)}
}

// jsonParser is the JSON format with binary attachments.
type jsonParser struct {
	codec    Codec
	std      StandardCodec // codec, if it is one
	direct   bool          // codec is encoding/json, of which the parser knows what it would do
	bytesErr error         // why bytes inside values cannot be taken out of codec's output
}

func (p *jsonParser) NewDecoder(l Limits) Decoder {
	return &decoder{parser: p, limits: l.withDefaults()}
}

// Reserved reports whether name is one of the event names Socket.IO keeps for
// itself: connect, connect_error, disconnect, disconnecting, newListener and
// removeListener. A decoder refuses a packet with such a name; a sender must
// not emit one.
func Reserved(name string) bool {
	switch name {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// validNamespace reports what makes name unusable as a namespace, or "".
func validNamespace[T string | []byte](name T) string {
	if len(name) == 0 || name[0] != '/' {
		return "a namespace starts with '/'"
	}
	if !utf8.ValidString(string(name)) {
		return "a namespace must be valid UTF-8"
	}
	for _, r := range string(name) {
		switch {
		case r == ',' || r == '?':
			return "a namespace cannot hold ',' or '?'"
		case r < 0x20 || r == 0x7f:
			return "a namespace cannot hold control characters"
		}
	}
	return ""
}
