package parser

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"unicode/utf8"

	"github.com/seed-d124fa34/socketio/internal/jsontext"
)

// Raw is an argument, or a part of one, as it came: not decoded, with its numbers
// and its keys as they were written, and with the attachments in it. Bind one like
// any other target, or have it as a field, element or map value of one; encode it
// again, alone or inside of other values, and it goes out as it came in. It costs no
// copy of the data.
//
// The zero Raw is null. A Raw never changes and may be copied and used from any
// goroutine. It keeps the memory of its whole packet.
type Raw struct {
	args *args // nil: null
	at   span
}

var rawType = reflect.TypeFor[Raw]()

// stdParser has the codec of a Raw that was decoded from a JSON text alone.
var stdParser = &jsonParser{codec: stdCodec{}, std: stdCodec{}, direct: true}

// RawArgs returns arguments as they came, to be encoded again: each is a Raw, or, if
// Args are of another package and do not bind to one, the value that they bind to.
func RawArgs(args Args) []any {
	all := make([]any, args.Len())
	for i := range all {
		var r Raw
		if err := args.Bind(i, &r); err == nil {
			all[i] = r
		} else if err := args.Bind(i, &all[i]); err != nil {
			all[i] = nil
		}
	}
	return all
}

// IsZero reports whether it is the zero Raw.
func (r Raw) IsZero() bool { return r.args == nil }

// Bind decodes it into v, as Args.Bind does an argument. Every error is a
// *BindError.
func (r Raw) Bind(v any) error {
	if r.args == nil {
		r = Raw{&args{parser: stdParser, text: []byte("null")}, span{0, len("null")}}
	}
	if err := r.args.bind(r.at, v); err != nil {
		return r.args.fail(0, v, err)
	}
	return nil
}

// MarshalJSON returns it as JSON for others than a [Parser]: an attachment is a
// base64 string there.
func (r Raw) MarshalJSON() ([]byte, error) {
	if r.args == nil {
		return []byte("null"), nil
	}
	return r.args.filled(r.at, r.args.placeholdersIn(r.at), fillPlain), nil
}

// UnmarshalJSON makes it the JSON text, which is copied.
func (r *Raw) UnmarshalJSON(text []byte) error {
	s := scanner{data: text, maxDepth: maxDepth}
	if s.text(0) == 0 {
		return s.err()
	}
	*r = Raw{&args{parser: stdParser, text: bytes.Clone(text)}, span{0, len(text)}}
	return nil
}

// withAttachments returns a Raw decoded from a text in which marks and labels
// stand for the attachments, see bindBinary. It reports whether there are any.
func (r Raw) withAttachments(attachments [][]byte) (Raw, bool) {
	if r.args == nil {
		return r, false
	}
	text := r.at.of(r.args.text)
	if !bytes.Contains(text, bindSecretBytes) && !bytes.Contains(text, labelSecret[:]) {
		return r, false
	}
	w := walker{attachments: attachments}
	var placeholders []placeholder
	for i := 0; i < len(text); i++ {
		if text[i] != '"' {
			continue
		}
		end := jsontext.String(text, i)
		if end-i > markLen {
			if n, ok := w.index(unquote(text[i:end])); ok {
				placeholders = append(placeholders, placeholder{span{i, end}, n})
			}
		}
		i = end - 1
	}
	return Raw{&args{parser: r.args.parser, text: text, binary: &binary{placeholders: placeholders, attachments: attachments}}, span{0, len(text)}}, true
}

var bindSecretBytes = []byte(bindSecret)

// raw appends a Raw, with its attachments.
func (e *encoder) raw(r Raw) {
	if r.args == nil {
		e.dst = append(e.dst, "null"...)
		return
	}
	from := r.at.start
	for _, h := range r.args.placeholdersIn(r.at) {
		e.text(r.args.text[from:h.start])
		e.attach(r.args.binary.attachments[h.num])
		from = h.end
	}
	e.text(r.args.text[from:r.at.end])
}

// text appends a text that came from a peer.
func (e *encoder) text(text []byte) {
	if utf8.Valid(text) {
		e.dst = append(e.dst, text...)
		return
	}
	e.dst = append(e.dst, bytes.ToValidUTF8(text, []byte("\ufffd"))...)
}

// raw returns a Raw with marks for its attachments, if it has any.
func (m *marker) raw(r Raw) (Raw, bool) {
	if r.args == nil {
		return r, false
	}
	placeholders := r.args.placeholdersIn(r.at)
	if len(placeholders) == 0 {
		return r, false
	}
	text := make([]byte, 0, r.at.end-r.at.start+len(placeholders)*markLen)
	from := r.at.start
	for _, h := range placeholders {
		m.bytes(r.args.binary.attachments[h.num])
		if m.err != nil {
			return r, false
		}
		text = append(append(text, r.args.text[from:h.start]...), '"')
		text = append(appendMark(text, encodeSecret, len(m.found)-1), '"')
		from = h.end
	}
	text = append(text, r.args.text[from:r.at.end]...)
	return Raw{&args{parser: stdParser, text: text}, span{0, len(text)}}, true
}

// errPlaceholder: a client that took what stands in the data for an attachment would
// get another one, or close the connection.
var errPlaceholder = errors.New(`an object with the key "_placeholder", which stands for an attachment, is in the data beside attachments`)

// checkPlaceholders checks that the placeholders in the payload are those of the
// attachments, and none came with the data.
func (e *encoder) checkPlaceholders(payload []byte) error {
	n := len(e.attachments)
	if bytes.Count(payload, []byte("_placeholder")) == n && !bytes.Contains(payload, []byte(`\u`)) {
		return nil
	}
	s := scanner{data: payload, maxDepth: maxDepth, attachments: n}
	if s.text(0) == 0 || len(s.placeholders) != n {
		return errPlaceholder
	}
	return nil
}

var _ interface {
	json.Marshaler
	json.Unmarshaler
} = (*Raw)(nil)
