package revision3

import (
	"bytes"
	"encoding/hex"
	"errors"
)

// maxIndex is how many digits the query parameter j may have. It is the number of a client's callback.
const maxIndex = 10

// IsIndex reports whether j is a number. Only then is it safe to write it into a script.
func IsIndex(j string) bool {
	if j == "" || len(j) > maxIndex {
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

// AppendScript appends the script that passes a text payload to the client's callback. IsIndex
// has reported true for index. Nothing in the payload can end the string, the script, or an
// HTML element that contains it.
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
		case b == 0xa8 || b == 0xa9: // older JavaScript engines take U+2028 and U+2029 for ends of lines
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

// MaxFormGrowth is how many times longer than its payload a form may be. A line feed that JSON
// has escaped takes two bytes in the payload and seven in the form.
const MaxFormGrowth = 4

var (
	errNoData = errors.New("a form without the field d")
	errEscape = errors.New("a form whose field d cannot be unescaped")
)

// FormPayload returns the text payload of a form. Clients that poll with script elements post
// forms: the field d has the payload, with \n instead of a line feed, and \\n instead of \n.
// FormPayload overwrites body.
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

// unescape decodes a value of a form, in place.
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

// unescapeLines undoes in place what the client has done with line feeds. It replaces an n
// behind one backslash, and that backslash, by a line feed. Of several backslashes in front
// of an n it removes one.
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
