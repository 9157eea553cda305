package msgpack

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/seed-d124fa34/socketio/parser"
)

// reader rewrites the values of one message as JSON.
type reader struct {
	data  []byte
	pos   int
	depth int

	json     []byte
	binary   [][]byte // parts of data
	reserved bool     // there is a map that looks like a placeholder
}

func (r *reader) left() int    { return len(r.data) - r.pos }
func (r *reader) rest() []byte { return r.data[r.pos:] }

func (r *reader) fail(detail string) error { return malformed(r.data, r.pos, detail) }

const excerptLen = 32

func malformed(data []byte, at int, detail string) error {
	rest := data[min(at, len(data)):]
	return &parser.DecodeError{
		Kind: parser.ErrMalformed, Detail: detail, Excerpt: string(rest[:min(len(rest), excerptLen)]),
	}
}

// text reads a string; it is a part of the message.
func (r *reader) text() (s []byte, ok bool) {
	if r.kind() != kindStr {
		return nil, false
	}
	if s, ok = r.bytes(); !ok {
		return nil, false
	}
	return s, utf8.Valid(s)
}

// bytes reads a string or binary value; it is a part of the message.
func (r *reader) bytes() ([]byte, bool) {
	n, ok := r.head()
	if !ok {
		return nil, false
	}
	return r.next(n)
}

// undefined is how the JavaScript client writes it.
var undefined = []byte{fixExt1, 0, 0}

// skipUndefined skips an undefined, if that is next.
func (r *reader) skipUndefined() bool {
	if !bytes.HasPrefix(r.rest(), undefined) {
		return false
	}
	r.pos += len(undefined)
	return true
}

// skipAbsent skips a nil or undefined, if that is next.
func (r *reader) skipAbsent() bool {
	if r.kind() == kindNull {
		r.pos++
		return true
	}
	return r.skipUndefined()
}

// natural reads an integer that is not negative.
func (r *reader) natural() (uint64, bool) {
	switch r.kind() {
	case kindUint64:
		n, ok := r.int()
		return uint64(n), ok
	case kindInt:
		n, ok := r.int()
		return uint64(n), ok && n >= 0
	}
	return 0, false
}

// take reads a value of any type: its JSON, and the binary values in it, which
// are parts of the message.
func (r *reader) take() (json []byte, binary [][]byte, err error) {
	r.json, r.binary, r.reserved = make([]byte, 0, r.left()+16), nil, false
	if err := r.value(0); err != nil {
		return nil, nil, err
	}
	if r.reserved && len(r.binary) > 0 {
		return nil, nil, r.fail(errPlaceholder.Error())
	}
	return r.json, r.binary, nil
}

// value reads a value; depth is the number of arrays and maps around it.
func (r *reader) value(depth int) error {
	switch kind := r.kind(); kind {
	case kindNull:
		r.pos++
		r.json = append(r.json, "null"...)
	case kindBool:
		r.json = strconv.AppendBool(r.json, r.data[r.pos] == yes)
		r.pos++
	case kindInt, kindUint64:
		n, ok := r.int()
		switch {
		case !ok:
			return r.fail("number not complete")
		case kind == kindInt:
			r.json = strconv.AppendInt(r.json, n, 10)
		default:
			r.json = strconv.AppendUint(r.json, uint64(n), 10)
		}
	case kindFloat:
		f, ok := r.float()
		if !ok {
			return r.fail("number not complete")
		}
		r.float64(f)
	case kindStr:
		s, ok := r.bytes()
		if !ok {
			return r.fail("string not complete")
		}
		if !utf8.Valid(s) {
			return r.fail("string with invalid UTF-8")
		}
		r.json = appendString(r.json, s)
	case kindBin:
		b, ok := r.bytes()
		if !ok {
			return r.fail("binary value not complete")
		}
		r.attach(b)
	case kindArray:
		return r.array(depth + 1)
	case kindMap:
		return r.object(depth + 1)
	case kindExt:
		return r.extension()
	default:
		return r.fail("value expected")
	}
	return nil
}

// float64 appends a number in the form of ECMAScript, in which 5.0 is 5: a
// client that has but one type of numbers may mean an integer.
func (r *reader) float64(f float64) {
	abs := math.Abs(f)
	switch {
	case math.IsNaN(f), math.IsInf(f, 0):
		r.json = append(r.json, "null"...)
	case abs == 0, abs >= 1e-6 && abs < 1e21:
		r.json = strconv.AppendFloat(r.json, f, 'f', -1, 64)
	default:
		r.json = strconv.AppendFloat(r.json, f, 'e', -1, 64)
	}
}

// attach appends the placeholder of a binary value.
func (r *reader) attach(b []byte) {
	r.json = append(r.json, placeholder...)
	r.json = strconv.AppendInt(r.json, int64(len(r.binary)), 10)
	r.json = append(r.json, '}')
	r.binary = append(r.binary, b)
}

func (r *reader) array(depth int) error {
	if depth > r.depth {
		return &parser.LimitError{Limit: "Depth", Max: r.depth}
	}
	n, ok := r.head()
	if !ok {
		return r.fail("array not complete")
	}
	r.json = append(r.json, '[')
	for i := range n {
		if i > 0 {
			r.json = append(r.json, ',')
		}
		if err := r.value(depth); err != nil {
			return err
		}
	}
	r.json = append(r.json, ']')
	return nil
}

func (r *reader) object(depth int) error {
	if depth > r.depth {
		return &parser.LimitError{Limit: "Depth", Max: r.depth}
	}
	n, ok := r.head()
	if !ok {
		return r.fail("map not complete")
	}
	r.json = append(r.json, '{')
	empty := true
	for range n {
		key, ok := r.text()
		if !ok {
			return r.fail("map key must be a string")
		}
		r.reserved = r.reserved || string(key) == placeholderKey
		if r.skipUndefined() {
			continue
		}
		if !empty {
			r.json = append(r.json, ',')
		}
		empty = false
		r.json = append(appendString(r.json, key), ':')
		if err := r.value(depth); err != nil {
			return err
		}
	}
	r.json = append(r.json, '}')
	return nil
}

// Extension types: that of msgpack itself, and the one of the JavaScript
// client, which by its length is a Date (8 bytes, fixed) or an ArrayBuffer.
const (
	extTimestamp  = -1
	extJavaScript = 0
)

// jsDate is the form of Date.prototype.toJSON.
const jsDate = "2006-01-02T15:04:05.000Z"

func (r *reader) extension() error {
	at := r.pos
	c := r.data[at]
	if r.skipUndefined() {
		r.json = append(r.json, "null"...)
		return nil
	}
	size, ok := r.head()
	typ, typed := r.bits(1)
	b, whole := r.next(size)
	if !ok || !typed || !whole {
		return malformed(r.data, at, "extension value not complete")
	}
	fixed := c >= fixExt1
	switch kind := int8(typ); {
	case kind == extJavaScript && c == fixExt8:
		return r.time(time.UnixMilli(int64(binary.BigEndian.Uint64(b))), jsDate)
	case kind == extJavaScript && !fixed:
		r.attach(b)
	case kind == extTimestamp && len(b) == 4:
		return r.time(time.Unix(int64(binary.BigEndian.Uint32(b)), 0), time.RFC3339Nano)
	case kind == extTimestamp && len(b) == 8:
		n := binary.BigEndian.Uint64(b)
		return r.time(time.Unix(int64(n&(1<<34-1)), int64(n>>34)), time.RFC3339Nano)
	case kind == extTimestamp && len(b) == 12:
		n := time.Unix(int64(binary.BigEndian.Uint64(b[4:])), int64(binary.BigEndian.Uint32(b)))
		return r.time(n, time.RFC3339Nano)
	default:
		return malformed(r.data, at, "extension type "+strconv.Itoa(int(kind))+" has no JSON form")
	}
	return nil
}

func (r *reader) time(t time.Time, layout string) error {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return r.fail("time beyond the years 0 to 9999")
	}
	r.json = append(r.json, '"')
	r.json = t.AppendFormat(r.json, layout)
	r.json = append(r.json, '"')
	return nil
}

// appendString appends a JSON string; s is valid UTF-8.
func appendString(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i, c := range s {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		if c < 0x20 {
			dst = append(dst, `\u00`...)
			dst = append(dst, hex[c>>4], hex[c&0xf])
		} else {
			dst = append(dst, '\\', c)
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}
