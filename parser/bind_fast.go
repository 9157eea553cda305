package parser

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
)

// bindFast decodes a valid JSON literal into the commonest targets, with the
// result of encoding/json but without its cost. It reports false, and has
// changed nothing, if the literal or the target is not such a simple case:
// then the codec decides, also on what error to give.
func (a *args) bindFast(lit []byte, v any) bool {
	switch p := v.(type) {
	case *string:
		if p != nil && lit[0] == '"' {
			*p = a.string(lit)
			return true
		}
	case *bool:
		if p != nil && (lit[0] == 't' || lit[0] == 'f') {
			*p = lit[0] == 't'
			return true
		}
	case *int:
		return bindInt(lit, p, strconv.IntSize)
	case *int8:
		return bindInt(lit, p, 8)
	case *int16:
		return bindInt(lit, p, 16)
	case *int32:
		return bindInt(lit, p, 32)
	case *int64:
		return bindInt(lit, p, 64)
	case *uint:
		return bindUint(lit, p, strconv.IntSize)
	case *uint8:
		return bindUint(lit, p, 8)
	case *uint16:
		return bindUint(lit, p, 16)
	case *uint32:
		return bindUint(lit, p, 32)
	case *uint64:
		return bindUint(lit, p, 64)
	case *float64:
		if p != nil && isNumber(lit) {
			f, err := strconv.ParseFloat(string(lit), 64)
			if err == nil {
				*p = f
			}
			return err == nil
		}
	case *[]byte:
		return p != nil && bindBytes(lit, p)
	case *json.RawMessage:
		if p != nil {
			*p = bytes.Clone(lit)
			return true
		}
	case *any:
		// A codec of the user's may prefer other types, such as json.Number.
		return a.parser.std != nil && p != nil && a.bindAny(lit, p)
	}
	return false
}

func isNumber(lit []byte) bool { return lit[0] == '-' || isDigit(lit[0]) }

func (a *args) bindAny(lit []byte, p *any) bool {
	switch (*p).(type) {
	case nil, string, bool, float64, []byte, []any, map[string]any:
	default:
		return false // encoding/json may decode into what is there
	}
	switch c := lit[0]; c {
	case '"':
		*p = a.string(lit)
	case 't', 'f':
		*p = c == 't'
	case 'n':
		*p = nil
	case '[', '{':
		return false
	default:
		f, err := strconv.ParseFloat(string(lit), 64)
		if err != nil {
			return false
		}
		*p = f
	}
	return true
}

func bindBytes(lit []byte, p *[]byte) bool {
	switch {
	case lit[0] == 'n':
		*p = nil
		return true
	case lit[0] != '"' || bytes.IndexByte(lit, '\\') >= 0:
		return false
	}
	body := lit[1 : len(lit)-1]
	out := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
	n, err := base64.StdEncoding.Decode(out, body)
	if err != nil {
		return false
	}
	*p = out[:n]
	return true
}

func bindInt[T int | int8 | int16 | int32 | int64](lit []byte, p *T, bits int) bool {
	if p == nil || !isNumber(lit) {
		return false
	}
	n, err := strconv.ParseInt(string(lit), 10, bits)
	if err != nil {
		whole, ok := wholeNumber(lit)
		if !ok {
			return false
		}
		if n, err = strconv.ParseInt(string(whole), 10, bits); err != nil {
			return false
		}
	}
	*p = T(n)
	return true
}

func bindUint[T uint | uint8 | uint16 | uint32 | uint64](lit []byte, p *T, bits int) bool {
	if p == nil || !isNumber(lit) {
		return false
	}
	n, err := strconv.ParseUint(string(lit), 10, bits)
	if err != nil {
		whole, ok := wholeNumber(lit)
		if !ok {
			return false
		}
		if n, err = strconv.ParseUint(string(whole), 10, bits); err != nil {
			return false
		}
	}
	*p = T(n)
	return true
}
