package revision3

import (
	"bytes"
	"encoding/hex"
	"errors"
)

// MaxIndex bounds the digits of the query parameter j, the number of a client's callback.
const MaxIndex = 10

// IsIndex reports whether a query parameter j is one: digits, which go into a script.
func IsIndex(j string) bool {
	if j == "" || len(j) > MaxIndex {
		return false
	}
	for i := range len(j) {
		if j[i] < '0' || j[i] > '9' {
			return false
		}
	}
	return true
}

const hexDigits = "0123456789abcdef"

// AppendScript appends the script that hands a payload of text to the client's callback.
// index is one by IsIndex. Nothing in the payload can end the script, its string, or the
// element that it may stand in.
func AppendScript(dst []byte, index string, payload []byte) []byte {
	dst = append(append(append(dst, "___eio["...), index...), `]("`...)
	done := 0
	for i, b := range payload {
		var escaped []byte
		var room [6]byte
		switch {
		case b == '"' || b == '\\':
			escaped = append(room[:0], '\\', b)
		case b == '\n':
			escaped = append(room[:0], `\n`...)
		case b < ' ' || b == '<' || b == 0x7f:
			escaped = append(room[:0], '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
		case b == 0xa8 || b == 0xa9: // U+2028 and U+2029 are ends of lines in older engines
			if i >= done+2 && payload[i-2] == 0xe2 && payload[i-1] == 0x80 {
				dst = append(append(dst, payload[done:i-2]...), `\u202`...)
				dst = append(dst, '8'+b-0xa8)
				done = i + 1
			}
			continue
		default:
			continue
		}
		dst = append(append(dst, payload[done:i]...), escaped...)
		done = i + 1
	}
	return append(append(dst, payload[done:]...), `");`...)
}

// MaxFormGrowth is how many times as long as its payload a form may be: a line feed that
// JSON has escaped takes two bytes there and seven here.
const MaxFormGrowth = 4

var (
	errNoData = errors.New("a form without the field d")
	errEscape = errors.New("a form whose field d cannot be unescaped")
)

// FormPayload returns the payload of text in the form that a client posts which polls with
// script elements: the field d, in which line feeds are written as \n, and a \n of the
// payload as \\n. The payload takes the place of the form in its memory.
func FormPayload(body []byte) ([]byte, error) {
	for field := range bytes.SplitSeq(body, []byte("&")) {
		value, ok := bytes.CutPrefix(field, []byte("d="))
		if !ok {
			continue
		}
		text, ok := unescape(value)
		if !ok {
			return nil, errEscape
		}
		return unescapeLines(text), nil
	}
	return nil, errNoData
}

// unescape changes a value of a form to what it stands for.
func unescape(value []byte) (text []byte, ok bool) {
	text = value[:0]
	for i := 0; i < len(value); i++ {
		b := value[i]
		switch b {
		case '+':
			b = ' '
		case '%':
			if len(value)-i < 3 {
				return nil, false
			}
			if _, err := hex.Decode(value[i:i+1], value[i+1:i+3]); err != nil {
				return nil, false
			}
			b = value[i]
			i += 2
		}
		text = append(text, b)
	}
	return text, true
}

// unescapeLines changes text. An n behind one backslash is a line feed with it; behind
// several, one of them was added by the client.
func unescapeLines(text []byte) []byte {
	out, slashes := text[:0], 0
	for _, b := range text {
		switch {
		case b == '\\':
			slashes++
		case b == 'n' && slashes == 1:
			out, b = out[:len(out)-1], '\n'
			slashes = 0
		case b == 'n' && slashes > 1:
			out = out[:len(out)-1]
			slashes = 0
		default:
			slashes = 0
		}
		out = append(out, b)
	}
	return out
}
