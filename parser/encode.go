package parser

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
)

func (p *jsonParser) Encode(dst []byte, h Header, args []any) (text []byte, attachments [][]byte, err error) {
	kind := h.Type
	switch kind {
	case BinaryEvent:
		kind = Event
	case BinaryAck:
		kind = Ack
	}
	if err := checkHeader(kind, h, args); err != nil {
		return nil, nil, err
	}

	e := encoder{parser: p, dst: dst}
	e.dst = append(e.dst, '0'+byte(kind))
	typeAt := len(e.dst) - 1
	if h.Namespace != "" && h.Namespace != "/" {
		e.dst = append(e.dst, h.Namespace...)
		e.dst = append(e.dst, ',')
	}
	if h.HasID {
		e.dst = strconv.AppendUint(e.dst, h.ID, 10)
	}
	payloadAt := len(e.dst)
	if kind == Event || kind == Ack {
		err = e.list(kind, args)
	} else if len(args) == 1 {
		err = e.object(kind, args[0])
	}
	if err != nil {
		return nil, nil, err
	}
	if n := len(e.attachments); n > 0 {
		if err := e.checkPlaceholders(e.dst[payloadAt:]); err != nil {
			return nil, nil, fmt.Errorf("parser: cannot encode: %w", err)
		}
		e.binary(typeAt, n)
	}
	return e.dst, e.attachments, nil
}

func checkHeader(kind Type, h Header, args []any) error {
	switch {
	case kind > ConnectError:
		return fmt.Errorf("parser: cannot encode: %v is no packet type", h.Type)
	case kind == Ack && !h.HasID:
		return errors.New("parser: cannot encode: ACK needs the ID of its event")
	case h.HasID && kind != Event && kind != Ack:
		return fmt.Errorf("parser: cannot encode: %v has no ID", kind)
	case h.HasID && h.ID > maxID:
		return fmt.Errorf("parser: cannot encode: ID %d has more than %d digits", h.ID, maxIDDigits)
	case kind == Disconnect && len(args) > 0:
		return errors.New("parser: cannot encode: DISCONNECT has no payload")
	case (kind == Connect || kind == ConnectError) && len(args) > 1:
		return fmt.Errorf("parser: cannot encode: %v takes one argument at most", kind)
	}
	if h.Namespace == "" || h.Namespace == "/" {
		return nil
	}
	if wrong := validNamespace(h.Namespace); wrong != "" {
		return fmt.Errorf("parser: cannot encode: bad namespace %s: %s", quoted(h.Namespace), wrong)
	}
	return nil
}

// maxID is the greatest id of maxIDDigits digits.
const maxID = 1e18 - 1

// quoted quotes an excerpt of s.
func quoted(s string) string { return strconv.Quote(s[:min(len(s), excerptLen)]) }

// encoder is one call of Encode.
type encoder struct {
	parser      *jsonParser
	dst         []byte
	attachments [][]byte
}

// list appends the payload of an Event or Ack.
func (e *encoder) list(kind Type, args []any) error {
	e.dst = append(e.dst, '[')
	if kind == Event {
		name, ok := "", false
		if len(args) > 0 {
			name, ok = args[0].(string)
		}
		if !ok {
			return errors.New("parser: cannot encode: the first argument of an EVENT is its name, a string")
		}
		e.dst = appendString(e.dst, name)
	}
	for i, arg := range args {
		if kind == Event && i == 0 {
			continue
		}
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		if err := e.arg(arg); err != nil {
			return fmt.Errorf("parser: cannot encode argument %d: %w", i, err)
		}
	}
	e.dst = append(e.dst, ']')
	return nil
}

// object appends the payload of a Connect or ConnectError.
func (e *encoder) object(kind Type, arg any) error {
	start := len(e.dst)
	if err := e.arg(arg); err != nil {
		return fmt.Errorf("parser: cannot encode the payload of %v: %w", kind, err)
	}
	switch {
	case kind == Connect && (e.dst[start] != '{' || len(e.attachments) > 0):
		return fmt.Errorf("parser: cannot encode the payload of %v: it must be an object without bytes", kind)
	case len(e.attachments) > 0:
		return fmt.Errorf("parser: cannot encode the payload of %v: it must be without bytes", kind)
	}
	return nil
}

// arg appends one argument. The simple types are written as encoding/json
// would; what a codec may write otherwise is left to it.
func (e *encoder) arg(arg any) error {
	switch v := arg.(type) {
	case nil:
		e.dst = append(e.dst, "null"...)
	case bool:
		e.dst = strconv.AppendBool(e.dst, v)
	case int:
		e.dst = strconv.AppendInt(e.dst, int64(v), 10)
	case int8:
		e.dst = strconv.AppendInt(e.dst, int64(v), 10)
	case int16:
		e.dst = strconv.AppendInt(e.dst, int64(v), 10)
	case int32:
		e.dst = strconv.AppendInt(e.dst, int64(v), 10)
	case int64:
		e.dst = strconv.AppendInt(e.dst, v, 10)
	case uint:
		e.dst = strconv.AppendUint(e.dst, uint64(v), 10)
	case uint8:
		e.dst = strconv.AppendUint(e.dst, uint64(v), 10)
	case uint16:
		e.dst = strconv.AppendUint(e.dst, uint64(v), 10)
	case uint32:
		e.dst = strconv.AppendUint(e.dst, uint64(v), 10)
	case uint64:
		e.dst = strconv.AppendUint(e.dst, v, 10)
	case Raw:
		e.raw(v)
	case *Raw:
		if v == nil {
			v = new(Raw)
		}
		e.raw(*v)
	case []byte:
		if v == nil {
			e.dst = append(e.dst, "null"...)
		} else {
			e.attach(v)
		}
	case string:
		if e.parser.std == nil {
			return e.value(arg)
		}
		e.dst = appendString(e.dst, v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%v has no JSON form; send null or a string", v)
		}
		if e.parser.std == nil {
			return e.value(arg)
		}
		e.dst = appendFloat(e.dst, v)
	default:
		if m, ok := arg.(json.Marshaler); ok && e.parser.std != nil {
			return e.marshaler(m)
		}
		return e.value(arg)
	}
	return nil
}

// marshaler appends what the method returns, checked and without blanks, as
// encoding/json would, which looks at each byte several times.
func (e *encoder) marshaler(m json.Marshaler) error {
	if v := reflect.ValueOf(m); v.Kind() == reflect.Pointer && v.IsNil() {
		e.dst = append(e.dst, "null"...)
		return nil
	}
	out, err := m.MarshalJSON()
	if err == nil {
		s := scanner{data: out, maxDepth: maxDepth}
		switch {
		case s.text(0) == 0:
			err = s.err()
		case s.spaced:
			var b bytes.Buffer
			err = json.Compact(&b, out)
			out = b.Bytes()
		}
	}
	if err != nil {
		return &json.MarshalerError{Type: reflect.TypeOf(m), Err: err}
	}
	e.dst = append(e.dst, out...)
	return nil
}

// attach appends a placeholder.
func (e *encoder) attach(b []byte) {
	e.dst = append(e.dst, `{"_placeholder":true,"num":`...)
	e.dst = strconv.AppendInt(e.dst, int64(len(e.attachments)), 10)
	e.dst = append(e.dst, '}')
	e.attachments = append(e.attachments, b)
}

// value appends what the codec makes of arg, with placeholders for its bytes.
func (e *encoder) value(arg any) (err error) {
	var m marker
	arg, err = m.mark(arg)
	if err != nil {
		return err
	}
	if len(m.found) > 0 && e.parser.bytesErr != nil {
		return e.parser.bytesErr
	}
	start := len(e.dst)
	if e.parser.std != nil {
		e.dst, err = e.parser.std.AppendJSON(e.dst, arg)
	} else {
		e.dst, err = appendCodec(e.dst, e.parser.codec, arg)
	}
	if err == nil && len(m.found) > 0 {
		e.placeholders(start, m.found)
	}
	return err
}

// placeholders replaces the marks in dst[start:]. A placeholder is shorter
// than a mark, so it is done in place.
func (e *encoder) placeholders(start int, found [][]byte) {
	rest := e.dst[start:]
	e.dst = e.dst[:start]
	for {
		i, n := findMark(rest)
		if i < 0 || n >= len(found) {
			e.dst = append(e.dst, rest...)
			return
		}
		e.dst = append(e.dst, rest[:i]...)
		rest = rest[i+markLen+2:]
		e.attach(found[n])
	}
}

// binary turns the header at typeAt into that of a packet with n attachments.
func (e *encoder) binary(typeAt, n int) {
	var buf [24]byte
	count := append(strconv.AppendInt(buf[:0], int64(n), 10), '-')
	e.dst[typeAt] += byte(BinaryEvent - Event)
	tail := len(e.dst)
	e.dst = append(e.dst, count...)
	copy(e.dst[typeAt+1+len(count):], e.dst[typeAt+1:tail])
	copy(e.dst[typeAt+1:], count)
}

// appendFloat appends f, which is finite, in the form of encoding/json:
// that of ECMAScript.
func appendFloat(dst []byte, f float64) []byte {
	if abs := math.Abs(f); abs == 0 || abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' { // e-07 is e-7
		dst = append(dst[:n-2], dst[n-1])
	}
	return dst
}
