package parser

import (
	"bytes"
	"strconv"

	"github.com/seed-d124fa34/socketio/internal/jsontext"
)

// The text of an EVENT or ACK packet, taken apart and put together without decoding
// the arguments: for formats that carry them as they are, such as the messages
// between servers.

// SplitEvent returns the parts of the text of an EVENT packet that a Parser of [New]
// has encoded: the name, which is a JSON string, and the arguments with commas
// between them. Both are parts of text.
func SplitEvent(text []byte) (name, args []byte) {
	list := list(text)
	end := jsontext.String(list, 0)
	if end == len(list) {
		return list, nil
	}
	return list[:end], list[end+1:] // behind the comma
}

// SplitAck returns the arguments in the text of an ACK packet that a Parser of [New]
// has encoded, with commas between them.
func SplitAck(text []byte) (args []byte) { return list(text) }

// list returns what is between the brackets of a packet's list.
func list(text []byte) []byte {
	i := 1
	if kind := Type(text[0] - '0'); kind == BinaryEvent || kind == BinaryAck {
		i += bytes.IndexByte(text, '-')
	}
	if text[i] == '/' {
		i += bytes.IndexByte(text[i:], ',') + 1
	}
	i += bytes.IndexByte(text[i:], '[') + 1 // the id lies between
	return text[i : len(text)-1]
}

// AppendText appends the text of an EVENT or ACK packet that has attachments. name,
// a JSON string, is empty for an ACK; args are JSON with commas between them. It is
// as good as they are: a [Decoder] checks it.
func AppendText(dst []byte, h Header, attachments int, name, args []byte) []byte {
	kind := h.Type
	if attachments > 0 {
		kind += BinaryEvent - Event
	}
	dst = append(dst, '0'+byte(kind))
	if attachments > 0 {
		dst = append(strconv.AppendInt(dst, int64(attachments), 10), '-')
	}
	if h.Namespace != "" && h.Namespace != "/" {
		dst = append(append(dst, h.Namespace...), ',')
	}
	if h.HasID {
		dst = strconv.AppendUint(dst, h.ID, 10)
	}
	dst = append(append(dst, '['), name...)
	if len(name) > 0 && len(args) > 0 {
		dst = append(dst, ',')
	}
	return append(append(dst, args...), ']')
}

// DecodeAll decodes one packet whose messages are all there: its text and its
// attachments.
func DecodeAll(p Parser, l Limits, text []byte, attachments [][]byte) (Packet, error) {
	dec := p.NewDecoder(l)
	packet, ok, err := dec.Decode(text, false)
	for _, b := range attachments {
		if err == nil {
			packet, ok, err = dec.Decode(b, true)
		}
	}
	if err == nil && !ok {
		err = &DecodeError{Kind: ErrOutOfTurn, Detail: "attachments are missing"}
	}
	return packet, err
}
